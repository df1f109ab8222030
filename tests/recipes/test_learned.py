"""What recipes learn on the embedded digits, judged by a classifier that was trained apart. Slow: minutes each.

`pytest -m slow -s tests/recipes/test_learned.py` prints the figures.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from sklearn.svm import SVC

import jaxgen
from jaxgen.data import as_float, load
from jaxgen.runs.conditions import shrunk

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digits():
    return load("digits")


@pytest.fixture(scope="module")
def classify(digits):
    """Labels of images [N, 8, 8, 1] in [0, 1]; 98.9 % right on the test split."""
    svc = SVC(C=10, gamma="scale").fit(as_float(digits.train.x).reshape(len(digits.train.x), -1), digits.train.label)

    def labels(x):
        return svc.predict(np.asarray(x).reshape(len(x), -1))

    assert np.mean(labels(as_float(digits.test.x)) == digits.test.label) > 0.97
    return labels


@pytest.mark.parametrize(("recipe", "steps"), [("vae", 4000), ("r3gan", 3000)])
@pytest.mark.parametrize("seed", range(3))
def test_samples_have_the_label_that_was_asked_for(recipe, steps, seed, classify):
    # Kills: a condition that networks read and the loss does not, or the other way round.
    model = jaxgen.fit(recipe, "digits", steps=steps, seed=seed, condition="label").model
    met = []
    for label in range(10):
        given = jnp.full(1000, label, jnp.int32)
        x = model.sample(model.draw(jax.random.key(label), 1000, given), given)
        met.append(np.mean(classify(x) == label))
    print(
        f"{recipe}, seed {seed}: label met by {min(met):.1%} (worst digit) and {np.mean(met):.1%} (mean) of 1,000 each"
    )
    assert min(met) >= 0.9


@pytest.mark.parametrize(("recipe", "steps"), [("vae", 4000), ("sr_gan", 4000)])
def test_super_resolution_is_nearer_than_bicubic(recipe, steps, digits):
    # Kills: a condition that the decoder drops; small images of other examples.
    run = jaxgen.fit(recipe, "digits", steps=steps, condition="small:4")
    x = as_float(digits.test.x)
    small = np.asarray(shrunk(x, 2))
    large = [np.asarray(Image.fromarray(s[..., 0]).resize((8, 8), Image.Resampling.BICUBIC)) for s in small]
    bicubic = np.mean((np.stack(large)[..., None] - x) ** 2)
    noise = run.model.draw(jax.random.key(0), len(x), small)
    if recipe == "vae":  # its mean: the decoder at z = 0
        made = run.model.decode(jnp.zeros((len(x), 16)), small)
    else:
        made = run.model.sample(noise, small)
    error = np.mean((np.asarray(made) - x) ** 2)
    print(f"{recipe}: squared error {error:.4f} a pixel, bicubic {bicubic:.4f}, on {len(x)} test digits")
    assert error < bicubic


def test_cyclegan_keeps_labels(digits, classify):
    # Kills: generators that undo each other by exchanging digits.
    x, held = as_float(digits.train.x), as_float(digits.test.x)
    half = len(x) // 2
    sets = {"digits": x[:half], "inverted": 1 - x[half:]}
    run = jaxgen.fit("cyclegan", sets, steps=1200, batch_size=64, options={"learning_rate": 2e-3})
    there, back = run.model.maps["digits_to_inverted"], run.model.maps["inverted_to_digits"]
    error = np.mean((np.asarray(there(held)) - (1 - held)) ** 2)
    kept = [np.mean(classify(y) == digits.test.label) for y in (1 - np.asarray(there(held)), back(1 - held))]
    print(f"cyclegan: label kept by {kept[0]:.1%} there and {kept[1]:.1%} back, squared error {error:.4f} a pixel")
    assert min(kept) >= 0.9
