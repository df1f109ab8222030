"""Augmentation of a critic's inputs, real and fake; the generator's gradient passes through the augmentation."""

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
    """A differentiable augmentation of examples."""

    draw: Callable[..., Any]  # (key, x) -> noise; reads the shape of x only
    apply: Callable[..., Any]  # (x, noise, p f32[]) -> x; strength p from 0, which changes nothing, to 1


def augmented(
    critic: Any, pipe: Pipe, *, p: float = 1.0, adapt: Callable[[Array, Array], Array] | None = None
) -> Network:
    """A critic whose inputs are augmented by a pipe in training; with noise None they are not augmented.

    In `gan`, real and fake examples have separate noise, both losses use the augmented examples, and a penalty
    differentiates critic and pipe together at the raw example. A condition is not augmented. Zhao et al. 2020, arXiv
    2006.10738.

    Args:
      critic: network (x, ...) -> logits.
      pipe: such as `diffaugment()` or `instance_noise(0.1)`.
      p: strength or probability of the augmentation, in [0, 1]; the state holds it under "p".
      adapt: (p, logits) -> the next p. A game updates p once for each turn of the critic, with the logits of real
        examples. A network does not know the step, so a strength that fades over 10,000 turns is
        `adapt=lambda p, logits: jnp.maximum(p - 1e-4, 0.0)`.

    Raises:
      BadRequest: for a p outside [0, 1].
    """
    if not 0 <= p <= 1:
        raise BadRequest(f"p, the strength of an augmentation, must be from 0 to 1, not {p}.")

    def moved(state, logits, examples):
        return state if adapt is None else {"p": jnp.asarray(adapt(state["p"], logits), jnp.float32)}

    return _augmented(critic, pipe, {"p": p}, moved)


def ada(critic: Any, pipe: Pipe, *, target: float = 0.6, images: float = 500_000, interval: int = 4) -> Network:
    """`augmented` with a p that starts at 0 and follows r, the mean sign of the logits of real examples.

    After every `interval` turns of the critic, p changes by the number of their examples / `images`: it rises if r over
    these turns is above `target`, a sign of overfitting, and falls if it is below, within [0, 1]. So p can go from 0 to
    1 in `images` examples. Karras et al. 2020, arXiv 2006.06676, section 3; they clamp p at 0 only, but p > 1 has the
    same effect as p = 1. With M micro-batches each one counts its own examples only, so use `images` / M. Use
    `ada(packed(critic, m), pipe)`, because inside `packed` it would count packs, and p would change m times too slowly.

    Args:
      critic: network (x, ...) -> logits, positive for real.
      pipe: an augmentation whose operations each have the probability p, such as `diffaugment()`.
      target: of r, in (-1, 1).
      images: number of examples in which p can go from 0 to 1.
      interval: turns of the critic between changes of p.

    Raises:
      BadRequest: for a target outside (-1, 1), or images or an interval that are not positive.
    """
    if not -1 < target < 1:
        raise BadRequest(f"the target of ada(), a mean sign, must be between -1 and 1, not {target}.")
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
    """An augmented critic; `moved(state, logits, examples)` computes the state of the pipe after a call."""
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
    """x + p std e, e ~ N(0, I): the distributions of real and fake overlap, so the critic's gradient does not vanish.

    `std` is in units of x. Near the equilibrium of a Dirac-GAN it has the effect of r1(std^2 / 2). Sonderby et al.
    2017, arXiv 1610.04490; Arjovsky and Bottou 2017, arXiv 1701.04862. To make it fade, use `adapt` of `augmented`.

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
    """Colour, translation and cutout of images f32[B, H, W, C]; each of the five operations has the probability p.

    Zhao et al. 2020, arXiv 2006.10738, section 3.2, "DiffAugment" with all three policies, in the order and with the
    sizes of their code. Their images are in [-1, 1]; the defaults are the equivalent sizes for images in [0, 1].

    Args:
      brightness: adds U(-brightness, brightness), one number for an image.
      saturation: multiplies the differences of channels from their mean by U(1 - saturation, 1 + saturation).
      contrast: multiplies the differences of pixels from the mean of the image by U(1 - contrast, 1 + contrast).
      translation: shifts by up to this share of height and width, in whole pixels.
      cutout: cuts a hole with this share of height and width, whose centre is uniform in the image.
      fill: the value outside the image and in a hole. The paper's is mid-grey.

    Raises:
      BadRequest: for a size that is negative or not finite, or a translation or cutout above 1; in `draw`, if x is not
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
            "on": dict(zip(_OPERATIONS, on, strict=True)),  # f32[B] in [0, 1); the operation is done if it is below p
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
    """Each image shifted by a uniform number of whole pixels in -reach ... reach."""
    _, h, w, c = x.shape
    reach_h, reach_w = int(h * part + 0.5), int(w * part + 0.5)
    padded = jnp.pad(x, ((0, 0), (reach_h, reach_h), (reach_w, reach_w), (0, 0)), constant_values=fill)

    def start(u, reach):
        return jnp.where(on, jnp.floor(u * (2 * reach + 1)).astype(jnp.int32), reach)

    def crop(image, row, column):
        return jax.lax.dynamic_slice(image, (row, column, jnp.zeros_like(row)), (h, w, c))

    return jax.vmap(crop)(padded, start(down, reach_h), start(right, reach_w))


def _holed(x: Array, on: Array, row: Array, column: Array, part: float, fill: float) -> Array:
    """Cuts a hole whose centre is uniform in the image; parts of the hole may lie outside the image."""
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
