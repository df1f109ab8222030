"""Penalties: terms that are added to a player's adversarial loss, such as a gradient penalty of the critic.

A penalty receives the forward pass of a turn (`Forward`). Its critics include augmentation, dropout and packing, with
the noise of the turn, and are functions of the raw examples; so a gradient penalty differentiates the function that the
loss uses. A penalty returns one number for each entry of the first axis of the logits, which is an example or a pack.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, at, draw_each, nothing, rows
from jaxgen.objectives.schedules import Schedule, check_decay, check_weight


class Forward(NamedTuple):
    """One forward pass of a GAN with fixed noise. Examples are leaves [B, ...]; logits are [P, ...]."""

    critic_real: Callable[[Any], Array]  # x -> logits, with the noise used for the real examples
    critic_fake: Callable[[Any], Array]  # x -> logits, with the noise used for the fakes
    generate: Callable[[Array], Any]  # z -> x
    z: Array  # f32[B, D]
    real: Any
    fake: Any  # generate(z)
    real_logits: Array  # critic_real(real)
    fake_logits: Array  # critic_fake(fake)


class Penalty(NamedTuple):
    """A term of a player's loss; the game takes the mean of its values."""

    value: Callable[..., tuple[Array, Any]]  # (Forward, noise, state, step) -> (f32[P], state)
    draw: Callable[..., Any] = nothing  # (key, batch) -> noise
    init: Callable[[], Any] = nothing  # () -> state
    couples: bool = False  # True if the value of an entry depends on the other entries of the batch


def r1(gamma: Schedule) -> Penalty:
    """gamma/2 |grad D(x)|^2 at the real examples. It draws no noise, and is zero if the critic is flat there.

    grad D is the gradient of the sum of an entry's logits, such as those of the patches of one image. Mescheder et al.
    2018, arXiv 1801.04406, eq. 9. If only every n-th turn has the penalty (lazy regularisation), use n times the gamma.

    Args:
      gamma: a number, or a function of the step.

    Raises:
      BadRequest: for a gamma that is negative or not finite.
    """
    check_weight("gamma", gamma)

    def value(forward, noise, state, step):
        return at(gamma, step) / 2 * squared_slope(forward.critic_real, forward.real), state

    return Penalty(value)


def r2(gamma: Schedule) -> Penalty:
    """gamma/2 |grad D(x)|^2 at the fake examples. It draws no noise, and is zero if the critic is flat there.

    Mescheder et al. 2018, arXiv 1801.04406. R3GAN (arXiv 2501.05441) uses it beside R1; its eq. 12 prints the norm
    without the square, which its eq. 15 implies.

    Args:
      gamma: a number, or a function of the step.

    Raises:
      BadRequest: for a gamma that is negative or not finite.
    """
    check_weight("gamma", gamma)

    def value(forward, noise, state, step):
        return at(gamma, step) / 2 * squared_slope(forward.critic_fake, forward.fake), state

    return Penalty(value)


def gradient_penalty(weight: Schedule = 10.0, *, target: Schedule = 1.0) -> Penalty:
    """WGAN-GP: weight (|grad D(x)| - target)^2 at x = u real + (1 - u) fake, one u ~ U[0, 1) per example or pack.

    If the critic is flat at x, the value is weight target^2 and the gradient is zero. Gulrajani et al. 2017,
    arXiv 1704.00028, eq. 3. With target=0 it is 0-GP, Thanh-Tung et al. 2019, arXiv 1902.03984.

    Args:
      weight: a number, or a function of the step.
      target: the norm that the gradient should have; a number, or a function of the step.

    Raises:
      BadRequest: for a weight or target that is negative or not finite; in `value`, if real and fake differ in
        shape.
    """
    check_weight("weight", weight)
    check_weight("target", target)

    def value(forward, noise, state, step):
        examples, packs = rows(forward.real), len(forward.real_logits)
        u = noise if packs == examples else jnp.repeat(noise[:packs], examples // packs)  # a pack is one point

        def mix(real, fake):
            if real.shape != fake.shape:
                raise BadRequest(
                    f"gradient_penalty() needs real and fake of one shape, not {real.shape} and {fake.shape}."
                )
            part = u.reshape(-1, *[1] * (real.ndim - 1))
            return part * real + (1 - part) * fake

        square = squared_slope(forward.critic_real, jax.tree.map(mix, forward.real, forward.fake))
        return at(weight, step) * (root(square) - at(target, step)) ** 2, state

    def draw(key, batch: Batch):
        return jax.random.uniform(key, (rows(batch),), dtype=jnp.float32)

    return Penalty(value, draw)


def content(weight: Schedule = 1.0) -> Penalty:
    """weight |G(z, c) - x|, averaged over the numbers of an example; for conditions c that nearly determine x.

    It is a penalty of the generator, as in super-resolution or pix2pix (Isola et al. 2017, arXiv 1611.07004, eq. 3).

    Args:
      weight: a number, or a function of the step.

    Raises:
      BadRequest: for a weight that is negative or not finite; in `value`, if real and fake differ in shape.
    """
    check_weight("weight", weight)

    def value(forward, noise, state, step):
        def miss(real, fake):
            if real.shape != fake.shape:
                raise BadRequest(f"content() needs real and fake of one shape, not {real.shape} and {fake.shape}.")
            return jnp.sum(jnp.abs(fake - real).reshape(len(real), -1), -1)

        misses = jax.tree.leaves(jax.tree.map(miss, forward.real, forward.fake))
        numbers_each = sum(leaf[0].size for leaf in jax.tree.leaves(forward.real))
        return at(weight, step) * sum(misses) / numbers_each, state

    return Penalty(value)


def path_length(weight: Schedule = 2.0, *, decay: float = 0.01) -> Penalty:
    """StyleGAN2's regulariser of the generator: weight (|J^T y| - a)^2, with J = dG(z)/dz and y ~ N(0, I) / sqrt(H W).

    a is the state, the moving average of |J^T y|. It already includes the mean of this batch, with the weight `decay`,
    so the value of an example depends on the whole batch. No gradient passes through a. Karras et al. 2020, arXiv
    1912.04958, eq. 4, with z in place of their w. As in their code, y is divided by the root of the number of
    positions, so that one weight suits all resolutions.

    Args:
      weight: a number, or a function of the step.
      decay: in (0, 1].

    Raises:
      BadRequest: for a weight that is negative or not finite, or a decay outside (0, 1]; in `value`, if z is empty.
    """
    check_weight("weight", weight)
    check_decay(decay)

    def draw(key, batch: Batch):
        leaves, tree = jax.tree.flatten(batch.x)
        keys = jax.random.split(key, len(leaves))
        return jax.tree.unflatten(
            tree, [jax.random.normal(k, a.shape, dtype=jnp.float32) for k, a in zip(keys, leaves, strict=True)]
        )

    def value(forward, noise, average, step):
        if forward.z.shape[-1] == 0:
            raise BadRequest("path_length() differentiates in z, and this generator has latent_dim=0: leave it out.")
        _, pull = jax.vjp(forward.generate, forward.z)
        (slope,) = pull(jax.tree.map(lambda y: y / math.sqrt(math.prod(y.shape[1:-1])), noise))
        lengths = root(jnp.sum(slope**2, -1))
        average = average + decay * (jax.lax.stop_gradient(jnp.mean(lengths)) - average)
        return at(weight, step) * (lengths - average) ** 2, average

    return Penalty(value, draw, lambda: jnp.zeros((), dtype=jnp.float32), couples=True)


def lecam(weight: Schedule = 0.3, *, decay: float = 0.01) -> Penalty:
    """weight ((D(x) - a_fake)^2 + (D(G(z)) - a_real)^2), averaged over the logits of an entry. It draws no noise.

    a_real and a_fake are the state: moving averages of the mean real and mean fake logit, which start at 0. A turn uses
    their values from before the turn, without a gradient, and then updates them with weight `decay` for the new value
    (the paper's .99 is the weight of the old value). Tseng et al. 2021, arXiv 2104.03310.

    Args:
      weight: a number, or a function of the step.
      decay: in (0, 1].

    Raises:
      BadRequest: for a weight that is negative or not finite, or a decay outside (0, 1]; in `value`, if real and
        fake logits differ in shape.
    """
    check_weight("weight", weight)
    check_decay(decay)

    def value(forward, noise, averages, step):
        real, fake = forward.real_logits, forward.fake_logits
        if real.shape != fake.shape:
            raise BadRequest(f"lecam() needs real and fake logits of one shape, not {real.shape} and {fake.shape}.")
        squares = (real - averages["fake"]) ** 2 + (fake - averages["real"]) ** 2
        means = {"real": jnp.mean(real), "fake": jnp.mean(fake)}
        new = jax.tree.map(lambda a, mean: a + decay * (mean - a), averages, means)
        return at(weight, step) * jnp.mean(squares.reshape(len(squares), -1), -1), new

    return Penalty(
        value, init=lambda: {"real": jnp.zeros((), dtype=jnp.float32), "fake": jnp.zeros((), dtype=jnp.float32)}
    )


def add(*penalties: Penalty) -> Penalty:
    """The sum of penalties, each with its own noise and state: R3GAN uses `add(r1(1.0), r2(1.0))`.

    Raises:
      BadRequest: if there is no penalty; in `value`, if their values differ in shape.
    """
    if not penalties:
        raise BadRequest("add() needs at least one penalty: to train without one, leave the argument out.")
    draws = any(p.draw is not nothing for p in penalties)

    def draw(key, batch: Batch):
        return draw_each(key, **{str(i): (p.draw, batch) for i, p in enumerate(penalties)})

    def value(forward, noise, state, step):
        parts = [p.value(forward, noise[str(i)] if draws else (), state[i], step) for i, p in enumerate(penalties)]
        shapes = [jnp.shape(part) for part, _ in parts]
        if len(set(shapes)) > 1:
            raise BadRequest(f"add() needs penalties with one number for each entry of the logits, not {shapes}.")
        return sum(part for part, _ in parts), tuple(new for _, new in parts)

    couples = any(p.couples for p in penalties)
    return Penalty(value, draw if draws else nothing, lambda: tuple(p.init() for p in penalties), couples)


def squared_slope(critic: Callable[[Any], Array], x: Any) -> Array:
    """|grad D(x)|^2 summed over all axes of each example or pack, f32[P].

    It differentiates the sum of all logits. If the critic does not couple examples, the part of an entry in this
    gradient is the gradient of its own logits.

    >>> squared_slope(lambda x: x @ jnp.array([3.0, 4.0]), jnp.ones((2, 2))).tolist()
    [25.0, 25.0]
    """
    logits, pull = jax.vjp(critic, x)
    (slope,) = pull(jnp.ones_like(logits))
    squares = [jnp.sum(leaf.reshape(len(logits), -1) ** 2, -1) for leaf in jax.tree.leaves(slope)]
    return jax.tree.reduce(jnp.add, squares)


def root(square: Array) -> Array:
    """The square root, with the gradient 0 (and not NaN) at zero."""
    # Two selects are needed: with one alone the gradient at zero is 0 * inf = NaN.
    flat = square == 0
    return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, square)))
