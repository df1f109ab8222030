"""Critics that see changed examples, real and fake alike; the generator's gradient passes through the change."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Network, draw_each
from jaxgen.nets.adapters import network
from jaxgen.nets.calls import together, with_both
from jaxgen.nets.wrappers import wrapped


class Pipe(NamedTuple):
    """A differentiable change of examples."""

    draw: Callable[..., Any]  # (key, x) -> noise; reads the shape of x only
    apply: Callable[..., Any]  # (x, noise, p f32[]) -> x; p is how much: at 0 nothing is changed, at 1 all of it is


def augmented(
    critic: Any, pipe: Pipe, *, p: float = 1.0, adapt: Callable[[Array, Array], Array] | None = None
) -> Network:
    """A critic that sees examples through a pipe while it is trained; with noise None it sees them as they are.

    In `gan`, real and fake examples have noise of their own, both losses see the pipe, and a penalty differentiates
    critic and pipe together at the raw example. A condition is left as it is. Zhao et al. 2020, arXiv 2006.10738.

    Args:
      critic: network (x, ...) -> logits.
      pipe: such as `diffaugment()` or `instance_noise(0.1)`.
      p: how much of the change, in [0, 1]; it is in the state, under "p".
      adapt: (p, logits) -> the next p. In a game it is kept after a call on real examples, once for each turn of the
        critic. A network does not know the step, so this is how a change fades: over 10,000 turns by
        `adapt=lambda p, logits: jnp.maximum(p - 1e-4, 0.0)`.

    Raises:
      BadRequest: for a p outside [0, 1].
    """
    if not 0 <= p <= 1:
        raise BadRequest(f"p is how much of an augmentation is done, from 0 to 1, not {p}.")

    def moved(state, logits, examples):
        return state if adapt is None else {"p": jnp.asarray(adapt(state["p"], logits), jnp.float32)}

    return _augmented(critic, pipe, {"p": p}, moved)


def ada(critic: Any, pipe: Pipe, *, target: float = 0.6, images: float = 500_000, interval: int = 4) -> Network:
    """`augmented` with a p that starts at 0 and follows r, the mean sign of the logits of real examples.

    After every `interval` critic's turns p moves by their number of examples / `images`, up if r over these turns is
    above `target` (the critic knows the real examples too well) and down if it is below, within [0, 1]. So it can go
    from 0 to 1 in `images` examples. Karras et al. 2020, arXiv 2006.06676, section 3; they clamp p at 0 only, and what
    p > 1 does there is no more than p = 1. In M micro-batches each part counts its own examples: give `images` / M.
    With packs `ada` goes outside, `ada(packed(critic, m), pipe)`: inside, it would count packs, and p move m times too
    slowly.

    Args:
      critic: network (x, ...) -> logits, of which zero is undecided.
      pipe: whose operations are done with probability p each, such as `diffaugment()`.
      target: of r, in (-1, 1).
      images: examples that take p from 0 to 1.
      interval: critic's turns between moves of p.

    Raises:
      BadRequest: for a target outside (-1, 1), or images or an interval that are not positive.
    """
    if not -1 < target < 1:
        raise BadRequest(f"the target of ada() is a mean sign, between -1 and 1, not {target}.")
    if not images > 0 or not interval >= 1:
        raise BadRequest(f"ada() needs images > 0 and an interval of at least 1, not {images=}, {interval=}.")

    def moved(state, logits, examples):
        signs, turns = state["signs"] + jnp.mean(jnp.sign(logits)), state["turns"] + 1
        by = jnp.sign(signs / turns - target) * turns * examples / images
        due = turns >= interval
        return {
            "p": jnp.where(due, jnp.clip(state["p"] + by, 0.0, 1.0), state["p"]),
            "signs": jnp.where(due, 0.0, signs),
            "turns": jnp.where(due, 0.0, turns),
        }

    return _augmented(critic, pipe, {"p": 0.0, "signs": 0.0, "turns": 0.0}, moved)


def _augmented(critic: Any, pipe: Pipe, start: dict[str, float], moved: Callable[..., dict[str, Array]]) -> Network:
    """`moved(state, logits, examples)` is the state of the pipe after a call."""
    critic = network(critic)

    def init(key, x, *others):
        params, state = critic.init(key, x, *others)
        return params, {"net": state, **{name: jnp.full((), value, jnp.float32) for name, value in start.items()}}

    def draw(key, x, *others):
        return draw_each(key, pipe=(pipe.draw, x), net=(critic.draw, x, *others))

    def wrap(call, moved=moved):
        def apply(params, state, noise, x, *others):
            if noise is None:
                return call(params, state["net"], None, x, *others)[0], state
            before = {name: state[name] for name in start}
            changed = pipe.apply(x, noise["pipe"], before["p"])
            changed = jax.tree.map(lambda a, b: a.astype(b.dtype), changed, x)  # p is float32 in any case
            y, inner = call(params, state["net"], noise["net"], changed, *others)
            examples = len(jax.tree.leaves(x)[0])
            return y, {"net": inner, **jax.lax.stop_gradient(moved(before, y, examples))}

        return apply

    features = critic.features and wrap(critic.features, lambda state, y, examples: state)
    net, both = wrapped(critic, wrap, init=init, draw=draw, features=features), together(critic)
    return with_both(net, both and wrap(both, lambda state, pair, examples: moved(state, pair[0], examples)))


def instance_noise(std: float) -> Pipe:
    """x + p std e, e ~ N(0, I): noise makes the laws of real and fake overlap, so the critic's slope does not vanish.

    `std` is in units of x. Near the equilibrium of a Dirac-GAN it acts like r1(std^2 / 2). Sonderby et al. 2017,
    arXiv 1610.04490; Arjovsky and Bottou 2017, arXiv 1701.04862. Let it fade by `adapt` of `augmented`.

    Raises:
      BadRequest: for a std that is negative, not finite, or a function.
    """
    if callable(std):
        raise BadRequest("std must be a number: a network does not know the step, so fade it by augmented(adapt=...).")
    _check("std", std)

    def draw(key, x):
        leaves, tree = jax.tree.flatten(x)
        keys = jax.random.split(key, len(leaves)) if len(leaves) > 1 else [key]
        return jax.tree.unflatten(
            tree, [jax.random.normal(k, a.shape, dtype=jnp.float32) for k, a in zip(keys, leaves, strict=True)]
        )

    return Pipe(draw, lambda x, noise, p: jax.tree.map(lambda a, e: a + p * std * e, x, noise))


_AMOUNTS = ("brightness", "saturation", "contrast", "down", "right", "hole_row", "hole_column")
_OPERATIONS = ("brightness", "saturation", "contrast", "translation", "cutout")


def diffaugment(
    *,
    brightness: float = 0.25,
    saturation: float = 1.0,
    contrast: float = 0.5,
    translation: float = 0.125,
    cutout: float = 0.5,
    fill: float = 0.5,
) -> Pipe:
    """Colour, translation and cutout of images f32[B, H, W, C], each of the five operations with probability p.

    Zhao et al. 2020, arXiv 2006.10738, section 3.2, "DiffAugment" with all three of its policies, in the order and with
    the sizes of their code. They have images in [-1, 1]; the defaults are the same changes of images in [0, 1].

    Args:
      brightness: adds U(-brightness, brightness), one number for an image.
      saturation: stretches the channels away from their mean by U(1 - saturation, 1 + saturation).
      contrast: stretches the image away from its mean by U(1 - contrast, 1 + contrast).
      translation: shifts by up to this part of height and width, in whole pixels.
      cutout: cuts a hole of this part of height and width, whose middle is anywhere in the image.
      fill: what comes in from outside, and what a hole is filled with. The paper's is mid-grey.

    Raises:
      BadRequest: for a size that is negative or not finite, or a translation or cutout above 1; by `draw`, if x is not
        [B, H, W, C].
    """
    for name, size in (("brightness", brightness), ("saturation", saturation), ("contrast", contrast)):
        _check(name, size)
    _check("translation", translation, 1)
    _check("cutout", cutout, 1)

    def draw(key, x):
        shape = getattr(x, "shape", None)
        if shape is None or len(shape) != 4:
            raise BadRequest(f"diffaugment() changes images [B, H, W, C], not {shape}: use instance_noise().")
        on, amounts = jnp.split(
            jax.random.uniform(key, (len(_OPERATIONS) + len(_AMOUNTS), x.shape[0]), dtype=jnp.float32), [5]
        )
        return {
            "on": dict(zip(_OPERATIONS, on, strict=True)),  # f32[B] in [0, 1); done where it is below p
            "amount": dict(zip(_AMOUNTS, amounts, strict=True)),  # f32[B] in [0, 1)
        }

    def apply(x, noise, p):
        on = {name: u < p for name, u in noise["on"].items()}
        amount = noise["amount"]

        def around(name, centre, size):
            change = jnp.where(on[name], size * (2 * amount[name] - 1), 0.0)
            return centre + change.reshape(-1, 1, 1, 1)

        if brightness:
            x = x + around("brightness", 0.0, brightness)
        if saturation:
            grey = jnp.mean(x, -1, keepdims=True)
            x = grey + (x - grey) * around("saturation", 1.0, saturation)
        if contrast:
            mean = jnp.mean(x, (1, 2, 3), keepdims=True)
            x = mean + (x - mean) * around("contrast", 1.0, contrast)
        x = _shifted(x, on["translation"], amount["down"], amount["right"], translation, fill)
        return _holed(x, on["cutout"], amount["hole_row"], amount["hole_column"], cutout, fill)

    return Pipe(draw, apply)


def _shifted(x: Array, on: Array, down: Array, right: Array, part: float, fill: float) -> Array:
    """Each image moved by a whole number of pixels in -reach ... reach, uniformly."""
    _, h, w, c = x.shape
    reach_h, reach_w = int(h * part + 0.5), int(w * part + 0.5)
    padded = jnp.pad(x, ((0, 0), (reach_h, reach_h), (reach_w, reach_w), (0, 0)), constant_values=fill)

    def start(u, reach):
        return jnp.where(on, jnp.floor(u * (2 * reach + 1)).astype(jnp.int32), reach)

    def crop(image, row, column):
        return jax.lax.dynamic_slice(image, (row, column, jnp.zeros_like(row)), (h, w, c))

    return jax.vmap(crop)(padded, start(down, reach_h), start(right, reach_w))


def _holed(x: Array, on: Array, row: Array, column: Array, part: float, fill: float) -> Array:
    """A hole whose middle is uniform over the image; what is outside of it is lost."""
    _, h, w, _ = x.shape

    def inside(u, side):
        size = int(side * part + 0.5)
        first = jnp.floor(u * (side + 1 - size % 2)).astype(jnp.int32) - size // 2
        offset = jnp.arange(side).reshape(1, -1) - first.reshape(-1, 1)
        return (offset >= 0) & (offset < size)

    hole = inside(row, h).reshape(-1, h, 1, 1) & inside(column, w).reshape(-1, 1, w, 1) & on.reshape(-1, 1, 1, 1)
    return jnp.where(hole, fill, x)


def _check(name: str, size: float, most: float = math.inf) -> None:
    if not 0 <= size <= most or size == math.inf:
        top = "" if most == math.inf else f" and at most {most}"
        raise BadRequest(f"{name} must be a finite number of at least 0{top}, not {size}.")
