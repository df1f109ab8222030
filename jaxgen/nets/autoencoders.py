"""Autoencoders as critics: an encoder and a decoder as one network, and its reconstruction error as a logit."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Network, draw_each, nothing
from jaxgen.nets.adapters import network


def autoencoder(encoder: Any, decoder: Any) -> Network:
    """x -> decoder(encoder(x)), both with the condition as a second input; the features are the codes.

    Args:
      encoder: network (x, condition) -> z [B, D].
      decoder: network (z, condition) -> x.

    >>> from jaxgen.nets import networks
    >>> nets = networks((5,), width=8)
    >>> net = autoencoder(nets.encoder(2), nets.generator)
    >>> x = jnp.ones((3, 5))
    >>> jax.eval_shape(lambda: net.apply(*net.init(jax.random.key(0), x), None, x)[0]).shape
    (3, 5)
    """
    first, second = network(encoder), network(decoder)

    def init(key, x, *given):
        k_first, k_second = jax.random.split(key)
        p_first, s_first = first.init(k_first, x, *given)
        z, _ = jax.eval_shape(first.apply, p_first, s_first, None, x, *given)
        p_second, s_second = second.init(k_second, jnp.zeros(z.shape, z.dtype), *given)
        return {"encoder": p_first, "decoder": p_second}, {"encoder": s_first, "decoder": s_second}

    def draw(key, x, *given):
        def code(key, x):
            return first.apply(*first.init(key, x, *given), None, x, *given)[0]

        z = jax.eval_shape(code, key, x)
        return draw_each(key, encoder=(first.draw, x, *given), decoder=(second.draw, z, *given))

    def of(noise, name):
        return noise if noise is None else noise[name]

    def apply(params, state, noise, x, *given):
        z, s_first = first.apply(params["encoder"], state["encoder"], of(noise, "encoder"), x, *given)
        y, s_second = second.apply(params["decoder"], state["decoder"], of(noise, "decoder"), z, *given)
        return y, {"encoder": s_first, "decoder": s_second}

    def features(params, state, noise, x, *given):
        z, moved = first.apply(params["encoder"], state["encoder"], of(noise, "encoder"), x, *given)
        return z.reshape(len(z), -1), {**state, "encoder": moved}

    silent = first.draw is nothing and second.draw is nothing
    whole = Network(init, apply, nothing if silent else draw, features, first.couples or second.couples)
    return whole if not silent else whole._replace(apply=_silent(apply), features=_silent(features))


def _silent(call):
    """`call` for two networks without noise: the noise () is passed on to both."""
    return lambda params, state, noise, *xs: call(
        params, state, noise if noise is None else {"encoder": (), "decoder": ()}, *xs
    )


def energy(net: Any) -> Network:
    """-|x - net(x)|^2 / n, f32[B], the logit of a critic that is an autoencoder; the features are those of `net`.

    With the loss `margin` it is the energy-based GAN, Zhao et al. 2017, arXiv 1609.03126. The energy is a mean over
    numbers, so start with a margin near the variance of a number of x: in trials on the embedded digits, a margin of
    several times that gave a single image. On ring8 it lost modes with every margin that was tried.

    Raises:
      BadRequest: when it is traced, if the output of the network has another shape than x.
    """
    net = network(net)

    def apply(params, state, noise, x, *given):
        y, new = net.apply(params, state, noise, x, *given)
        return -error(x, y, 2), new

    return net._replace(apply=apply)


def error(x: Array, y: Array, power: int) -> Array:
    """The mean over the numbers of an example of |x - y|^power, f32[B].

    Raises:
      BadRequest: for shapes that differ.
    """
    if jnp.shape(x) != jnp.shape(y):
        raise BadRequest(f"an autoencoder must return the shape of its input, {jnp.shape(x)}, not {jnp.shape(y)}.")
    apart = jnp.abs(x - y) if power == 1 else (x - y) ** 2
    return jnp.mean(apart.reshape(len(x), -1), -1)
