"""The numbers of `jax.random`, where they are many up to several times faster on CPU: threefry written out.

On CPU, JAX rolls the rounds into a loop that goes through memory five times; written out, as JAX itself has them
elsewhere, they are one pass that the compiler vectorises and fuses with what follows. Not a bit differs, so no key and
no recorded run changes its meaning. Keys are still made by JAX's loop: two words are no work, and the compiler of
jaxlib 0.12 does not come to an end with written-out hashes that branch into others, two levels deep. For that reason
do not make keys of drawn bits; `jax.random.split` is there for it.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend import random as extended

from jaxgen.core import Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = 0x1BD11BDA
_MANY = 2**16  # bits that cost more than a loop


def straight(key: Array) -> Array:
    """The same key, for `jax.random` to draw the same numbers from, faster.

    Draw from it and do not carry it: its dtype is another. An untyped key and one of another generator stay themselves,
    and so does every key where JAX watches for keys that are used twice: it knows its own samplers only.

    >>> key = jax.random.key(0)
    >>> bool(jnp.all(jax.random.normal(straight(key), (5,)) == jax.random.normal(key, (5,))))
    True
    """
    settings: Any = jax.config  # its attributes are made at run time
    if settings.jax_debug_key_reuse or not settings.jax_threefry_partitionable:
        return key
    if not jax.dtypes.issubdtype(key.dtype, jax.dtypes.prng_key) or str(jax.random.key_impl(key)) != "threefry2x32":
        return key
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=_STRAIGHT)


@functools.partial(jax.jit, inline=True)
def _hash(key: Array, high: Array, low: Array) -> tuple[Array, Array]:
    """Threefry-2x32 with 20 rounds of the counter (high, low). Salmon et al. 2011, doi 10.1145/2063384.2063405."""
    words = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(_PARITY))
    a, b = high + words[0], low + words[1]
    for i in range(5):
        for r in _ROTATIONS[i % 2]:
            a = a + b
            b = a ^ ((b << r) | (b >> (32 - r)))
        a, b = a + words[(i + 1) % 3], b + words[(i + 2) % 3] + jnp.uint32(i + 1)
    return a, b


def _counted(key: Array, shape: tuple[int, ...]) -> tuple[Array, Array]:
    # A sum over axes, not a flat count reshaped: so each device of a mesh counts its own part only.
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    along = (jax.lax.broadcasted_iota(jnp.uint32, shape, axis) * stride for axis, stride in enumerate(strides))
    low = sum(along, jnp.zeros(shape, jnp.uint32))
    return _hash(key, jnp.zeros_like(low), low)


def _random_bits(key: Array, width: int, shape: tuple[int, ...]) -> Array:
    known = all(isinstance(size, int) for size in shape)  # not where `jax.export` leaves the batch open
    if width != 32 or not known or math.prod(shape) >= 2**32:  # rare, so JAX's own
        return extended.threefry_prng_impl.random_bits(key, width, shape)
    high, low = _counted(key, shape)
    bits = high ^ low
    if bits.size < _MANY:
        return bits
    return jax.lax.platform_dependent(key, bits, cpu=_kept, default=lambda key, bits: bits)


def _kept(key: Array, bits: Array) -> Array:
    """The bits behind a loop that never runs: XLA would otherwise compute them again for everyone who reads them."""
    never = (key[0].astype(jnp.float32), bits)  # at least 0, which the compiler does not look into
    return jax.lax.while_loop(lambda c: c[0] < 0, lambda c: (-c[0], ~c[1]), never)[1]


_STRAIGHT = extended.define_prng_impl(
    key_shape=(2,),
    seed=extended.threefry_prng_impl.seed,
    split=extended.threefry_prng_impl.split,
    random_bits=_random_bits,
    fold_in=extended.threefry_prng_impl.fold_in,
    name="threefry2x32_straight",
    tag="straight",
)
