"""What the report shows of a model comes from test data, and from nowhere else."""

import numpy as np
import pytest

from jaxgen.comparison.exhibits import exhibits
from jaxgen.comparison.outcome import Outcome, draw_pictures, empty
from jaxgen.core import Model
from jaxgen.data import Data, Split
from jaxgen.tasks import MAIN, Reference
from jaxgen.tasks.represent import WAYS

SHADE = {"train": 50, "valid": 100, "test": 150}


@pytest.fixture
def images():
    """Grey images that tell by their shade which split they are of, and by one pixel which of its examples."""
    splits = []
    for shade in SHADE.values():
        x = np.full((40, 4, 4, 1), shade, np.uint8)
        x[:, 0, 0, 0] = np.arange(40)
        splits.append(Split(x, None))
    return Data("grey", "image", *splits, (), None, None, "", ())


def model():
    """Shows an image as it is: the code is the picture."""
    return Model(
        draw=lambda key, n: np.zeros((n, 16), np.float32),
        sample=lambda noise: noise.reshape(-1, 4, 4, 1),
        encode=lambda x: np.asarray(x).reshape(len(x), -1),
        decode=lambda z: np.asarray(z).reshape(-1, 4, 4, 1),
    )


def drawn(images) -> Outcome:
    outcome = empty()
    draw_pictures(outcome, model(), MAIN, Reference(images, None), 0)
    return outcome


def test_reconstructions_are_of_test_examples(images):
    # Kills: training examples under the words "the first test examples"; bytes for numbers from 0 to 1.
    shown = drawn(images).pictures
    np.testing.assert_allclose(shown["Reconstructions"], images.test.x[:16] / np.float32(255), rtol=1e-6)
    ways = shown["Interpolations"].reshape(WAYS, 8, 4, 4, 1)
    np.testing.assert_allclose(ways[:, 0], images.test.x[:WAYS] / np.float32(255), rtol=1e-6)
    np.testing.assert_allclose(ways[:, -1], images.test.x[WAYS : 2 * WAYS] / np.float32(255), rtol=1e-6)


def test_real_data_on_the_page_are_test_examples(images):
    # Kills: training data beside the samples; examples beside the reconstructions that are not theirs; other ends.
    samples, again, ways = exhibits(images, {"vae": {0: drawn(images)}}, (), {"vae": {}}).grids
    np.testing.assert_allclose(samples.pictures["real data"], images.test.x / np.float32(255), rtol=1e-6)
    np.testing.assert_allclose(again.pictures["real data"], again.pictures["vae"], rtol=1e-6)
    ends = [np.reshape(ways.pictures[name], (WAYS, 8, 4, 4, 1))[:, [0, -1]] for name in ("real data", "vae")]
    np.testing.assert_allclose(*ends, rtol=1e-6)
