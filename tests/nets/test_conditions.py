"""What a network is given beside its input: it counts, it can be refused, and without it nothing changes."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest, inputs
from jaxgen.nets import MLP, ImageGenerator, Pyramid, network, networks
from jaxgen.nets.conditions import EDGE, Residual, blocks, boxes, resized

KEY, BATCH, LATENT = jax.random.key(0), 3, 5
SHAPES = [(6,), (8, 8, 1), (16, 20, 2), (30, 31, 3)]
CONDITIONS = {
    "labels": (4, jnp.array([0, 3, 1])),
    "a vector": ((7,), jax.random.normal(jax.random.key(1), (BATCH, 7))),
    "a small image": ((4, 4, 1), jax.random.uniform(jax.random.key(2), (BATCH, 4, 4, 1))),
    "an image": ((32, 32, 3), jax.random.uniform(jax.random.key(3), (BATCH, 32, 32, 3))),
}


def kinds(shape, condition):
    nets = networks(shape, width=16, condition=condition)
    x, z = jax.random.uniform(KEY, (BATCH, *shape)), jax.random.normal(KEY, (BATCH, LATENT))
    return {
        "encoder": (nets.encoder(2), x, (BATCH, 2)),
        "generator": (nets.generator, z, (BATCH, *shape)),
        "decoder": (nets.decoder(4), z, (BATCH, *shape[:-1], 4)),
        "critic": (nets.critic, x, (BATCH,)),
        "latent critic": (nets.latent_critic, z, (BATCH,)),
    }


@pytest.mark.parametrize("what", CONDITIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes(shape, what):
    # Kills: a condition that one of the networks does not take; features that drop it.
    condition, given = CONDITIONS[what]
    for module, a, expected in kinds(shape, condition).values():
        net = network(module)
        params, state = jax.eval_shape(net.init, KEY, a, given)
        assert jax.tree.leaves(state) == []
        assert jax.eval_shape(net.apply, params, state, None, a, given)[0].shape == expected
        if net.features is not None:
            assert jax.eval_shape(net.features, params, state, None, a, given)[0].shape[0] == BATCH


@pytest.mark.parametrize("what", CONDITIONS)
@pytest.mark.parametrize("shape", [pytest.param((8, 8, 1), marks=pytest.mark.slow), (16, 16, 2)], ids=str)
def test_a_condition_counts_for_its_own_example_alone(shape, what):
    # Kills: a condition that is read and not used; one example's condition given to another; a part without a gradient.
    condition, given = CONDITIONS[what]
    other = given.at[1].set(2 if what == "labels" else 0.5)
    for name, (module, a, _) in kinds(shape, condition).items():
        if name == "decoder" or (name, shape[0]) in (("critic", 16), ("latent critic", 16)):
            continue  # the generator, the encoder and the dense one, but for the last layer

        @jax.jit
        def run(key, a, module=module):
            y, params = module.init_with_output(key, a, given)
            slopes = jax.grad(lambda params: jnp.sum(jnp.sin(3 * module.apply(params, a, given))))(params)
            return y, module.apply(params, a, other), slopes

        y, changed, slopes = run(KEY, a)
        differs = np.asarray(y != changed).reshape(BATCH, -1)
        assert differs[1].all() and not differs[[0, 2]].any()
        assert all((slope != 0).any() for slope in jax.tree.leaves(slopes))


def test_without_a_condition_there_is_no_part_for_it():
    # Kills: an embedding, a modulation or a gain that an unconditional network holds too.
    for shape in SHAPES:
        for module, a, _ in kinds(shape, None).values():
            params = jax.eval_shape(module.init, KEY, a)["params"]
            names = {jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]}
            assert not any(word in name for name in names for word in ("Code", "Modulate", "Residual", "gain"))


@pytest.mark.parametrize("shape", [(64,), pytest.param((8, 8, 1), marks=pytest.mark.slow), (32, 32, 3)], ids=str)
@pytest.mark.parametrize("what", ["labels", "a small image"])
def test_signals_keep_their_size_at_the_start(shape, what):
    # Kills: a modulation that starts large; a fan-in that forgets the channels of the condition.
    kind, given = CONDITIONS[what]
    given = jnp.repeat(given, 6, 0)
    nets = networks(shape, width=64, condition=kind)
    x = jax.random.normal(KEY, (18, *shape)) if len(shape) == 1 else jax.random.bernoulli(KEY, 0.5, (18, *shape)) * 1.0
    z = jax.random.normal(KEY, (18, 64))
    decoder = nets.decoder(2) if len(shape) == 3 else nets.generator  # without the logits of the condition
    for module, a in ((nets.encoder(64), x), (decoder, z)):
        assert 0.7 < float(jnp.std(jax.jit(module.init_with_output)(KEY, a, given)[0])) < 1.4


@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 16, 1)], ids=str)
def test_a_generator_of_images_starts_from_the_condition(shape):
    # Kills: pixels added to logits; a condition that is not brought to size; a gain that is fixed.
    image = jnp.full((2, 4, 4, 1), 0.8).at[:, :2].set(0.1)
    generator = networks(shape, width=16, condition=(4, 4, 1)).generator
    params = generator.init(KEY, jnp.zeros((2, 3)), image)["params"]
    assert params["Residual_0"]["gain"].tolist() == [1.0]
    silent = jax.tree.map(jnp.zeros_like, params) | {"Residual_0": params["Residual_0"]}
    y = jax.nn.sigmoid(generator.apply({"params": silent}, jnp.zeros((2, 3)), image))
    np.testing.assert_allclose(y, jax.image.resize(image, (2, *shape), "linear"), atol=1e-6)


def test_black_and_white_have_finite_logits():
    # Kills: the logarithm of 0.
    image = jnp.array([0.0, 1.0, 0.5]).reshape(1, 1, 3, 1)
    y = Residual().init_with_output(KEY, jnp.zeros((1, 1, 3, 1)), image)[0]
    np.testing.assert_allclose(
        y.ravel(), [math.log(EDGE / (1 - EDGE)), -math.log(EDGE / (1 - EDGE)), 0], rtol=1e-5, atol=1e-6
    )


def test_a_generator_may_be_a_map_of_its_condition():
    # Kills: a standard deviation of 1 / sqrt(0).
    condition, given = CONDITIONS["an image"]
    for shape in ((8, 8, 3), (32, 32, 3)):
        generator = networks(shape, width=16, condition=condition).generator
        y = jax.jit(generator.init_with_output)(KEY, jnp.zeros((BATCH, 0)), given)[0]
        assert y.shape == (BATCH, *shape) and jnp.isfinite(y).all() and jnp.std(y) > 0.1


def test_an_image_keeps_its_place_in_the_generator():
    # Kills: blocks or boxes that exchange rows and columns; a condition that is cropped on another side than the image.
    given = CONDITIONS["an image"][1]
    generator = ImageGenerator((30, 31, 2), 4, condition=(32, 32, 3))
    params = generator.init(KEY, jnp.zeros((BATCH, 0)), given)

    def pixel(image):  # it sees a few pixels of the condition around its own place, and no others
        return generator.apply(params, jnp.zeros((BATCH, 0)), image)[0, 7, 21, 0]

    slope = np.abs(np.asarray(jax.jit(jax.grad(pixel))(given))).sum(-1)
    # Where the slope is on average: single pixels differ with the draw of the kernels.
    row, column = (np.average(np.arange(32), weights=slope[0].sum(axis)) for axis in (1, 0))
    assert abs(row - 8) <= 2 and abs(column - 21) <= 2  # padded to 32x32: a row above, and a column to the right
    assert (slope[1:] == 0).all()


def test_resizing_by_hand():
    # Kills: means over wrong squares; blocks that lose a number.
    image = jnp.arange(16.0).reshape(1, 4, 4, 1)
    np.testing.assert_array_equal(boxes(image, 2)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    np.testing.assert_array_equal(blocks(image, 2)[0, 0, 1], [2, 3, 6, 7])
    assert resized(image, 4, 4) is image and resized(image, 8, 6).shape == (1, 8, 6, 1)


def test_the_order_of_images_in_a_critic():
    # Kills: an image that is not brought to the size of x; channels of x and of the condition exchanged in silence.
    x, given = jnp.zeros((2, 16, 16, 1)), jnp.zeros((2, 4, 4, 3))
    params = jax.eval_shape(Pyramid(4, condition=(4, 4, 3)).init, KEY, x, given)["params"]
    assert params["Down_0"]["kernel"].shape == (4, 4, 4, 4)


LABELS = jnp.array([0, 1, 2])


@pytest.mark.parametrize(
    "condition, given, match",
    [
        (None, LABELS, "without a condition.*condition=NUMBER_OF_CLASSES"),
        (None, jnp.zeros((3, 7)), r"without a condition.*condition=\(7,\)"),
        (4, None, "for a condition.*pass the condition"),
        (4, jnp.zeros(3), r"labels i32\[B\] of 4 classes, not float32\[3\]"),
        (4, jnp.eye(4, dtype=jnp.int32)[:3], r"labels i32\[B\] of 4 classes, not int32\[3, 4\]"),
        ((7,), jnp.zeros((3, 6)), r"f32\[B, 7\], not float32\[3, 6\]"),
        ((7,), jnp.zeros((3, 7), jnp.int32), r"f32\[B, 7\], not int32"),
        ((4, 4, 1), jnp.zeros((3, 8, 8, 1)), r"f32\[B, 4, 4, 1\]"),
    ],
)
def test_another_condition_than_the_one_built_for_is_refused(condition, given, match):
    # Kills: float labels that one_hot turns into zeros; a condition that nobody reads.
    for module in (
        MLP((3,), condition=condition),
        Pyramid(2, condition=condition),
        ImageGenerator((16, 16, 1), 2, condition=condition),
    ):
        a = jnp.zeros((3, 5)) if isinstance(module, ImageGenerator) else jnp.zeros((3, 16, 16, 1))
        with pytest.raises(BadRequest, match=match) as said:
            jax.eval_shape(module.init, KEY, *inputs(a, given))
        assert "\n" not in str(said.value)
