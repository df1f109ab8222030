"""Local networks: what an output sees, that it moves with the image, and that training reaches every part."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.nets import LAX, MATMUL, network, patch_critic, translator

KEY = jax.random.key(0)
SHAPES = [(8, 8, 1), (9, 13, 2), (16, 16, 3), (30, 31, 1), (64, 64, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes(shape):
    # Kills: a crop that is off, where sides do not halve; logits of one number per image.
    x = jnp.zeros((2, *shape))
    net, critic = network(translator(shape, width=4)), network(patch_critic(shape, width=4))
    assert jax.eval_shape(net.apply, *jax.eval_shape(net.init, KEY, x), None, x)[0].shape == x.shape
    step = 1 if min(shape[:2]) < 16 else 2 if min(shape[:2]) < 48 else 4
    params, state = jax.eval_shape(critic.init, KEY, x)
    logits = jax.eval_shape(critic.apply, params, state, None, x)[0]
    assert logits.shape == (2, *(-(-side // step) for side in shape[:2]))
    assert jax.eval_shape(critic.features, params, state, None, x)[0].ndim == 2


@pytest.mark.parametrize("shape, step", [((12, 12, 1), 1), ((40, 40, 1), 2), ((64, 64, 1), 4)], ids=str)
@pytest.mark.parametrize("make", [translator, patch_critic])
def test_outputs_move_with_the_image(make, shape, step):
    # Kills: a layer that knows where it is; windows taken with an offset of their own.
    module = make(shape, width=4)
    x = jax.random.uniform(KEY, (1, *shape))
    moved = jnp.roll(x, (step, step), (1, 2))

    @jax.jit
    def both(x, moved):
        y, params = module.init_with_output(KEY, x)
        return y, module.apply(params, moved)

    y, after = both(x, moved)
    by = step if make is translator else 1
    margin = 5 * max(1, by) if make is translator else 5
    inside = slice(margin + by, -margin), slice(margin + by, -margin)
    np.testing.assert_allclose(after[0][inside], np.roll(y[0], (by, by), (0, 1))[inside], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make, side", [(translator, 5), (patch_critic, 5)])
def test_an_output_sees_a_window(make, side):
    # Kills: windows as wide as the image, which let a translator exchange digits.
    module, x = make((12, 12, 1), width=8), jax.random.uniform(KEY, (1, 12, 12, 1))
    params = module.init(KEY, x)
    slope = jax.jit(jax.grad(lambda x: module.apply(params, x)[0, 6, 6].sum()))(x)[0, :, :, 0]
    rows, columns = np.nonzero(np.asarray(slope))
    half = side // 2
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6 - half, 6 + half) * 2


@pytest.mark.parametrize("make", [translator, patch_critic])
@pytest.mark.parametrize("shape", [(8, 8, 1), (18, 17, 2)], ids=str)
def test_both_forms_have_the_same_values_and_gradients(make, shape):
    # Kills: kernels stored in another order; a part that no gradient reaches.
    x = jax.random.uniform(KEY, (2, *shape))

    def run(form, x):
        module = make(shape, width=4, convolve=form)
        params = make(shape, width=4, convolve=MATMUL).init(KEY, x)
        return jax.value_and_grad(lambda params, x: jnp.sum(jnp.tanh(module.apply(params, x))), (0, 1))(params, x)

    got, want = jax.jit(lambda x: (run(MATMUL, x), run(LAX, x)))(x)
    for a, b in zip(*map(jax.tree.leaves, (got, want)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5 * float(jnp.abs(b).max()))
    assert all((leaf != 0).any() for leaf in jax.tree.leaves(got))


@pytest.mark.parametrize("make", [translator, patch_critic])
def test_the_switch_is_an_argument(make):
    # Kills: `convolve` not handed on to one of the layers.
    x = jnp.zeros((1, 16, 16, 1))
    layers = {translator: 5, patch_critic: 3}[make]
    for form, expected in ((LAX, layers), (MATMUL, 0), (None, 0)):
        module = make((16, 16, 1), width=4, convolve=form)
        program = str(jax.make_jaxpr(module.apply)(jax.eval_shape(module.init, KEY, x), x))
        assert program.count("conv_general_dilated[") == expected


def test_a_translator_has_few_params():
    # Kills: a network of the whole image, or one too wide for digits on CPU.
    params = jax.eval_shape(translator((8, 8, 1)).init, KEY, jnp.zeros((1, 8, 8, 1)))
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) < 12_000


@pytest.mark.parametrize("make", [translator, patch_critic])
@pytest.mark.parametrize(
    "shape, width, match", [((64,), 8, "neighbours"), ((8, 8), 8, "neighbours"), ((8, 8, 1), 0, "width")]
)
def test_what_is_no_image_is_refused(make, shape, width, match):
    # Kills: a vector taken for an image.
    with pytest.raises(BadRequest, match=match):
        make(shape, width=width)
