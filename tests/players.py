"""Small networks and one pass of them, for the tests of adversarial games."""

import math

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Network
from jaxgen.objectives import Forward


def joined(x, condition):
    """Input and condition as [B, N]; a label is a number."""
    flat = x.reshape(len(x), -1)
    return flat if condition is None else jnp.concatenate([flat, 1.0 * condition.reshape(len(x), -1)], -1)


class Generator(nn.Module):
    """(z, condition) -> x [B, *shape]."""

    shape: tuple[int, ...]

    @nn.compact
    def __call__(self, z, condition=None):
        h = jnp.tanh(nn.Dense(6)(joined(z, condition)))
        return nn.Dense(math.prod(self.shape))(h).reshape(-1, *self.shape)


class Critic(nn.Module):
    """(x, condition) -> logits [B, *out]."""

    out: tuple[int, ...] = ()

    def setup(self):
        self.first, self.last = nn.Dense(6), nn.Dense(math.prod(self.out))

    def hidden(self, x, condition=None):
        return jnp.tanh(self.first(joined(x, condition)))

    def __call__(self, x, condition=None):
        return self.last(self.hidden(x, condition)).reshape(-1, *self.out)


def counter(net: Network) -> Network:
    """`net` that counts its calls, and remembers the mean of its last input; it adds the count to the output."""

    def init(key, x, *others):
        return net.init(key, x, *others)[0], {"calls": jnp.zeros(()), "mean": jnp.zeros(())}

    def apply(params, state, noise, x, *others):
        y, _ = net.apply(params, {}, None, x, *others)
        new = {"calls": state["calls"] + 1, "mean": jnp.mean(x)}
        return y + state["calls"], state if noise is None else new

    return net._replace(init=init, apply=apply)


def passed(critic, real, fake, generate=None, z=None) -> Forward:
    """One pass of a critic without noise; by default the generator gives `fake` whatever z is."""
    z = jnp.zeros((len(fake), 1)) if z is None else z
    generate = (lambda z: fake) if generate is None else generate
    return Forward(critic, critic, generate, z, real, fake, critic(real), critic(fake))


def quotients(exact, w, step=1e-6):
    """The gradient at w of a function of float64 numbers, by central differences."""
    wide = np.asarray(w, "d")
    found = np.zeros_like(wide)
    for at in np.ndindex(wide.shape):
        nudge = np.zeros_like(wide)
        nudge[at] = step
        found[at] = (exact(wide + nudge) - exact(wide - nudge)) / (2 * step)
    return found
