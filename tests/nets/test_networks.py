"""The networks as modules: shapes, crops, scales at the start, and nothing hidden in them."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.nets import LAX, MATMUL, MLP, Encoder, Generator, ImageGenerator, Pyramid, convolves, network, networks
from jaxgen.nets.images import layout

SHAPES = [
    (2,),
    (30,),
    (8, 8, 1),
    (28, 28, 1),
    (9, 13, 2),
    (28, 28, 3),
    (32, 32, 3),
    (64, 64, 3),
    (30, 31, 3),
    (17, 64, 1),
]
LATENT, OUT, WIDTH = 5, 7, 16


def kinds(shape, batch=3, condition=None):
    """(module, an input, the shape of the output) of every network of data of this shape."""
    nets = networks(shape, width=WIDTH, condition=condition)
    x, z = jnp.full((batch, *shape), 0.25), jnp.ones((batch, LATENT))
    return {
        "encoder": (nets.encoder(OUT), x, (batch, OUT)),
        "generator": (nets.generator, z, (batch, *shape)),
        "decoder": (nets.decoder(4), z, (batch, *shape[:-1], 4)),
        "critic": (nets.critic, x, (batch,)),
        "latent critic": (nets.latent_critic, z, (batch,)),
    }


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_shapes_and_no_hidden_randomness(shape):
    # Kills: a crop that is off; a squeeze that eats a batch of one; a collection besides params; noise from make_rng.
    for batch in (1, 3):
        for module, x, expected in kinds(shape, batch).values():
            variables = jax.eval_shape(module.init, jax.random.key(0), x)
            assert set(variables) == {"params"}
            y = jax.eval_shape(module.apply, variables, x)
            assert (y.shape, y.dtype) == (expected, jnp.float32)


@pytest.mark.parametrize("shape", [(2,), (8, 8, 1), (30, 31, 3)], ids=str)
def test_hidden_is_the_layer_below_the_last(shape):
    # Kills: hidden taken before the activation, or from a second trunk.
    for name in ("encoder", "critic"):
        module, x, expected = kinds(shape)[name]
        net = network(module)

        @jax.jit
        def run(key, x, net=net):
            params, state = net.init(key, x)
            return net.features(params, state, None, x)[0], params["head"], net.apply(params, state, None, x)[0]

        hidden, head, y = run(jax.random.key(0), x)
        assert hidden.ndim == 2
        below = np.asarray(hidden, np.float64) @ np.asarray(head["kernel"], np.float64) + np.asarray(head["bias"])
        np.testing.assert_allclose(y, below.reshape(expected), rtol=1e-4, atol=1e-5)


def test_depth():
    # Kills: a critic as shallow as the encoder; a width that is not handed on.
    def layers(module, x):
        return sorted(
            v["kernel"].shape for v in jax.eval_shape(module.init, jax.random.key(0), x)["params"]["trunk"].values()
        )

    z = jnp.zeros((1, LATENT))
    for shape, generator_depth in (((30,), 4), ((8, 8, 1), 2)):
        nets, x, size = networks(shape, width=WIDTH), jnp.zeros((1, *shape)), math.prod(shape)
        assert layers(nets.encoder(OUT), x) == [(16, 16), (size, 16)]
        assert layers(nets.generator, z) == [(5, 16)] + [(16, 16)] * (generator_depth - 1)
        assert layers(nets.critic, x) == [(16, 16), (16, 16), (size, 16)]
        assert layers(nets.latent_critic, z) == [(5, 16), (16, 16), (16, 16)]


def test_width_by_default():
    # Kills: one width for points and for pictures.
    for shape, width in (((2,), 64), ((8, 8, 1), 256)):
        assert networks(shape).critic.trunk.features == (width,) * 3


def test_the_classic_vae_can_be_built():
    # Kills: a fixed depth; an activation that is not handed on.
    encoder, decoder = Encoder(2 * 20, MLP((400,), nn.relu)), Generator((784,), MLP((400,), nn.relu))
    x, z = jnp.ones((1, 784)), jnp.ones((1, 20))
    variables = encoder.init(jax.random.key(0), x)
    sizes = [
        sum(math.prod(a.shape) for a in jax.tree.leaves(v))
        for v in (variables, jax.eval_shape(decoder.init, jax.random.key(0), z))
    ]
    assert sizes == [784 * 400 + 400 + 400 * 40 + 40, 20 * 400 + 400 + 400 * 784 + 784]
    assert encoder.apply(variables, x, method="hidden").min() == 0  # ReLU, where the leaky one goes below


def test_images_are_centred_and_vectors_are_not():
    # Kills: centring of data that was standardised already; images left in [0, 1].
    image, vector = jnp.linspace(0, 1, 64).reshape(1, 8, 8, 1), jnp.linspace(0, 1, 5).reshape(1, 5)
    identity = MLP(())
    np.testing.assert_allclose(identity.apply({}, image), np.linspace(-1, 1, 64)[None], atol=1e-6)
    np.testing.assert_array_equal(identity.apply({}, vector), vector)


@pytest.mark.parametrize("ndim", [1, 3, 5])
def test_other_ranks_are_refused(ndim):
    # Kills: [K, B, D] flattened to [K, B * D] without a word.
    with pytest.raises(BadRequest, match="vmap"):
        MLP((3,)).init(jax.random.key(0), jnp.zeros((2,) * ndim))


def test_odd_sizes_are_crops_of_the_padded_network():
    # Kills: an offset that differs between padding and crop; padding with black or on one side only.
    key = jax.random.key(0)
    small, large = ImageGenerator((30, 31, 3), 2), ImageGenerator((32, 32, 3), 2)
    z = jax.random.normal(key, (2, LATENT))

    @jax.jit
    def generated(key, z):
        whole, params = large.init_with_output(key, z)
        return small.apply(params, z), whole

    cropped, whole = generated(key, z)
    np.testing.assert_allclose(cropped, whole[:, 1:31, 0:31], rtol=1e-5, atol=1e-6)

    pyramid = Pyramid(2)
    x = np.asarray(jax.random.uniform(key, (2, 30, 31, 3)))
    padded = np.pad(x, ((0, 0), (1, 1), (0, 1), (0, 0)), constant_values=0.5)

    @jax.jit
    def seen(key, x, padded):
        own, params = pyramid.init_with_output(key, x)
        return own, pyramid.apply(params, padded)

    np.testing.assert_allclose(*seen(key, x, padded), rtol=1e-5, atol=1e-6)


def test_every_pixel_counts():
    # Kills: a crop before the network, so that border pixels are never seen; a gradient that is not finite.
    key = jax.random.key(1)
    pyramid, generator = Pyramid(2), ImageGenerator((30, 31, 3), 2)
    x, z = jax.random.uniform(key, (2, 30, 31, 3)), jax.random.normal(key, (2, LATENT))
    seen = jax.jit(jax.grad(lambda x: (pyramid.init_with_output(key, x)[0] ** 2).sum()))(x)
    assert jnp.isfinite(seen).all() and (seen != 0).all()

    @jax.jit
    def generated(z):
        image, pull = jax.vjp(lambda z: generator.init_with_output(key, z)[0], z)
        return image, *pull(image)

    image, slope = generated(z)
    assert jnp.isfinite(slope).all() and (slope != 0).all()
    assert (image[0] != image[1]).all()


@pytest.mark.parametrize("shape", [(64,), (8, 8, 1), (32, 32, 3)], ids=str)
def test_signals_keep_their_size_at_the_start(shape):
    # Kills: a fan-in that counts all 16 taps in `up` (8 times too small after three layers); He scaling left out.
    nets = networks(shape, width=64)
    key = jax.random.key(0)
    x = jax.random.normal(key, (16, *shape)) if len(shape) == 1 else jax.random.bernoulli(key, 0.5, (16, *shape)) * 1.0
    z = jax.random.normal(key, (16, 64))
    for module, a in ((nets.encoder(64), x), (nets.generator, z)):
        y = jax.jit(module.init_with_output)(key, a)[0]
        assert 0.75 < float(jnp.std(y)) < 1.3


def test_the_switch_is_an_argument():
    # Kills: `convolve` not handed on, to one of the networks.
    shape = (24, 24, 3)
    programs = {}
    for form in (None, MATMUL, LAX):
        nets = networks(shape, width=WIDTH, convolve=form)
        for name, module, a in (
            ("encoder", nets.encoder(OUT), jnp.zeros((1, *shape))),
            ("critic", nets.critic, jnp.zeros((1, *shape))),
            ("generator", nets.generator, jnp.zeros((1, LATENT))),
        ):
            variables = jax.eval_shape(module.init, jax.random.key(0), a)
            programs[name, form] = "conv_general_dilated" in str(jax.make_jaxpr(module.apply)(variables, a))
    assert all(found is (form is LAX) for (_, form), found in programs.items())


def test_both_forms_make_the_same_network():
    # Kills: kernels stored in another order by one of them, so that a checkpoint would mean two networks.
    key, x = jax.random.key(0), jax.random.uniform(jax.random.key(1), (2, 32, 32, 3))

    @jax.jit
    def both(key, x):
        one, params = Pyramid(8, MATMUL).init_with_output(key, x)
        return one, Pyramid(8, LAX).apply(params, x)

    np.testing.assert_allclose(*both(key, x), rtol=1e-4, atol=1e-5)


def test_layouts_end_at_about_four():
    # Kills: rounding that leaves 2x2 or 16x16 positions.
    for side in range(8, 65):
        layers, h, w = layout(side, side)
        assert h == w and (3 <= h <= 6 or side < 12)
        assert side <= h * 2**layers < side + 2**layers


@pytest.mark.parametrize(
    "arguments, match",
    [
        (dict(shape=(4, 4, 3)), "4x4.*resize"),
        (dict(shape=(100, 100, 3)), "100x100.*resize"),
        (dict(shape=(7, 64, 3)), "7x64.*resize"),
        (dict(shape=(4, 4, 1)), "4x4.*resize"),
        (dict(shape=(28, 28)), "reshape"),
        (dict(shape=()), "reshape"),
        (dict(shape=(0,)), "reshape"),
        (dict(shape=(32, 32, 0)), "reshape"),
        (dict(shape=(2,), width=0), "width"),
        (dict(shape=(2,), width=2.5), "whole number.*2.5"),
        (dict(shape=(2.0,)), "vectors"),
        (dict(shape=(2,), condition=1), "at least 2"),
        (dict(shape=(2,), condition=True), "condition=True"),
        (dict(shape=(2,), condition="label"), "condition='label'"),
        (dict(shape=(2,), condition=(3, 3)), r"condition=\(3, 3\)"),
        (dict(shape=(2,), condition=(0,)), r"condition=\(0,\)"),
    ],
)
def test_what_no_network_takes_is_refused(arguments, match):
    # Kills: a limit that is not checked for small images; limits that are off by one (8 and 64 pass above).
    with pytest.raises(BadRequest, match=match) as caught:
        networks(**arguments)
    assert "\n" not in str(caught.value)


def test_what_convolves():
    # Kills: a limit in numbers, by which 28x28 grey pixels were a vector; digits of 8x8 that convolve.
    for shape, expected in (
        ((28, 28, 1), True),
        ((16, 16, 1), True),
        ((15, 40, 3), False),
        ((8, 8, 1), False),
        ((784,), False),
    ):
        assert convolves(shape) is expected
        encoder = networks(shape).encoder(OUT) if len(shape) == 1 or min(shape[:2]) >= 8 else None
        assert isinstance(encoder.trunk, Pyramid) is expected
        assert isinstance(networks(shape).generator, ImageGenerator) is expected


def test_sizes_may_be_numpy_s():
    # Kills: a number of classes from NumPy that is refused as no number of classes.
    one, two = np.int64(1), np.int64(8)
    for given, plain in (
        (networks((two, two, one), width=two, condition=two), networks((8, 8, 1), width=8, condition=8)),
        (networks((two,), condition=(two, two, one)), networks((8,), condition=(8, 8, 1))),
    ):
        assert (given.generator, given.critic, given.decoder(one)) == (plain.generator, plain.critic, plain.decoder(1))


def test_a_decoder_adds_something_known():
    # Kills: another word than "logits" that is taken for "values".
    with pytest.raises(BadRequest, match="residual='mean'.*'logits' or 'values'"):
        networks((8, 8, 1)).decoder(1, "mean")


def test_a_decoder_has_outputs():
    # Kills: outputs that are counted per image and not per pixel.
    for outputs in (0, -1, 1.5):
        with pytest.raises(BadRequest, match="at least 1"):
            networks((8, 8, 1)).decoder(outputs)
