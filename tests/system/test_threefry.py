"""Threefry written out draws the numbers of `jax.random`, bit for bit, from keys of either kind."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

from jaxgen.objectives import BERNOULLI, GAUSSIAN
from jaxgen.system import threefry
from jaxgen.system.threefry import straight

KEY = jax.random.key(7)
SHAPES = ((), (0,), (3, 5), (threefry._MANY + 3,))
SAMPLERS = [("bits", shape) for shape in SHAPES] + [
    (name, (3, 5)) for name in ("normal", "uniform", "laplace", "logistic")
]


def words(key):
    return np.asarray(jax.random.key_data(key))


@pytest.mark.parametrize(("sampler", "shape"), SAMPLERS)
def test_the_same_numbers(sampler, shape):
    # Kills: a rotation, a word of the key schedule or a round that differs; bits negated where they are many.
    draw = getattr(jax.random, sampler)
    np.testing.assert_array_equal(jax.jit(lambda key: draw(straight(key), shape))(KEY), draw(KEY, shape))


@pytest.mark.parametrize("width", [8, 16, 32])
def test_bits_of_every_width(width):
    # Kills: the 32-bit words cut down in another way than JAX's.
    kind = jnp.dtype(f"uint{width}")
    np.testing.assert_array_equal(jax.random.bits(straight(KEY), (9,), kind), jax.random.bits(KEY, (9,), kind))


@pytest.mark.parametrize("data", [0, 2**32 - 1])
def test_the_same_keys(data):
    # Kills: keys of a straight key that are not those of JAX.
    meant = jax.random.fold_in(KEY, data)
    np.testing.assert_array_equal(words(jax.random.fold_in(straight(KEY), data)), words(meant))
    for n in (2, (2, 3)):
        np.testing.assert_array_equal(words(jax.random.split(straight(meant), n)), words(jax.random.split(meant, n)))


def test_a_size_that_export_leaves_open():
    # Kills: a question of the size of an open shape, which JAX refuses to answer.
    x = jax.ShapeDtypeStruct(export.symbolic_shape("b, 3"), jnp.float32)
    drawn = export.export(jax.jit(lambda x: jax.random.normal(straight(KEY), x.shape)))(x)
    np.testing.assert_array_equal(drawn.call(jnp.zeros((5, 3))), jax.random.normal(KEY, (5, 3)))


def test_under_vmap():
    # Kills: a word of the key schedule that is shared by all keys; the loop that never runs, run for a mapped key.
    keys = jax.random.split(KEY, 3)
    shape = (threefry._MANY // 2 + 1, 2)
    both = (jax.vmap(lambda key, f=f: jax.random.bits(f(key), shape))(keys) for f in (straight, lambda key: key))
    np.testing.assert_array_equal(*both)


OTHERS = [jax.random.key(3, impl="rbg"), jax.random.key(3, impl="unsafe_rbg"), jax.random.key_data(KEY)]


@pytest.mark.parametrize("key", OTHERS)
def test_keys_of_another_generator_stay_themselves(key):
    # Kills: any key of four words read as threefry's; words without a type that come back with one.
    assert straight(key) is key


def _split(key, shape):
    return jax.random.split(key)


@pytest.mark.parametrize(
    "first, second", [(GAUSSIAN.draw, BERNOULLI.draw), (GAUSSIAN.draw, _split), (_split, BERNOULLI.draw)]
)
def test_a_key_that_is_used_twice_is_seen(first, second):
    # Kills: uses that JAX's checker of keys does not hear of, which would blind the audit and the user's own runs.
    with jax.debug_key_reuse(True):
        key = jax.random.clone(KEY)
        first(key, (3,))
        with pytest.raises(jax.errors.KeyReuseError):
            second(key, (3,))
        one, other = jax.random.split(jax.random.clone(KEY))
        first(one, (3,)), second(other, (3,))


def test_twice_is_once():
    # Kills: a key that is refused, or changes its kind, where it is straight already.
    key = straight(KEY)
    assert straight(key).dtype == key.dtype != KEY.dtype


def test_the_older_layout_of_threefry_is_left_to_jax():
    # Kills: numbers that differ from those of `jax.random` where it has been told to use the older layout.
    with jax.threefry_partitionable(False):
        np.testing.assert_array_equal(jax.random.normal(straight(KEY), (5,)), jax.random.normal(KEY, (5,)))


def loops(function):
    return jax.jit(function).lower(KEY).as_text().count("stablehlo.while")


def test_rounds_are_written_out_and_many_bits_are_computed_once():
    # Kills: the rolled form, which the speed comes from leaving; the wall left out, or put round every small draw.
    assert loops(lambda key: jax.random.bits(straight(key), (8,))) == 0
    assert loops(lambda key: jax.random.bits(straight(key), (threefry._MANY,))) == (jax.default_backend() == "cpu")


@pytest.mark.parametrize("derive", [jax.random.split, lambda key: jax.random.fold_in(key, 1)])
def test_keys_are_made_by_jax(derive):
    # Kills: hashes of keys written out too: jaxlib 0.12 compiles a tree of them for longer than anyone waits.
    assert loops(lambda key: derive(straight(key))) == loops(derive) >= (jax.default_backend() == "cpu")
