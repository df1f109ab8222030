"""Conditions of a run: labels, or reduced images, which the networks get beside the noise."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import BadRequest, as_float
from jaxgen.data import Data


class Condition(NamedTuple):
    """A condition that is computed from an example and its label."""

    form: int | tuple[int, ...]  # for `Spec.condition`: a number of classes, or the shape of an array
    of: Callable[..., Any]  # (x f32[B, ...], label i32[B] or None) -> the condition, leaves [B, ...]; traced


def parse(text: str | None) -> tuple[str, int]:
    """("label", 0), ("small", side) or ("", 0) of "label", "small:SIDE" and None.

    Raises:
      BadRequest: anything else.

    >>> parse("small:4")
    ('small', 4)
    """
    if text is None:
        return "", 0
    name, _, side = text.partition(":")
    if text == "label":
        return "label", 0
    if name == "small" and side.isdecimal() and int(side) > 0:
        return "small", int(side)
    raise BadRequest(f"condition {text!r}: use label, or small:SIDE for images of SIDE pixels a side, such as small:4.")


def condition_of(text: str | None, shape: tuple[int, ...], classes: int) -> Condition | None:
    """The condition that `text` names for examples of `shape` with labels of `classes` classes, 0 without labels.

    Raises:
      BadRequest: as `parse`; labels of data without any; small images of what is no image, or does not shrink evenly.
    """
    kind, side = parse(text)
    if not kind:
        return None
    if kind == "label":
        if not classes:
            raise BadRequest("condition 'label': these data have no labels; leave it out, or bring labels.")
        return Condition(classes, lambda x, label: label)
    if len(shape) != 3:
        raise BadRequest(f"condition {text!r}: only images have small ones, and these data are vectors of {shape[0]}.")
    factor = shape[0] // side
    if side >= shape[0] or shape[0] % side or shape[1] % factor:
        whole = [s for s in range(1, shape[0]) if shape[0] % s == 0 and shape[1] % (shape[0] // s) == 0]
        raise BadRequest(
            f"condition {text!r}: images of {shape[0]}x{shape[1]} shrink evenly to {', '.join(map(str, whole))} rows."
        )
    return Condition((side, shape[1] // factor, shape[2]), lambda x, label: shrunk(x, factor))


def shrunk(x: Any, factor: int) -> Any:
    """Images [B, H, W, C] -> [B, H / factor, W / factor, C]: the mean of each square of factor x factor pixels.

    >>> shrunk(jnp.arange(4.0).reshape(1, 2, 2, 1), 2).ravel()
    Array([1.5], dtype=float32)
    """
    b, h, w, c = x.shape
    return x.reshape(b, h // factor, factor, w // factor, factor, c).mean((2, 4))


def given(condition: Condition, data: Data, n: int, label: int | None = None) -> Any:
    """The conditions of n samples: one label, all labels in turn, or the reduced first test examples in turn.

    Raises:
      BadRequest: a label, and the condition is another.
    """
    if isinstance(condition.form, int):
        return jnp.full(n, label, jnp.int32) if label is not None else jnp.arange(n, dtype=jnp.int32) % condition.form
    if label is not None:
        raise BadRequest("this run is conditioned on small images, not on labels: leave --label out.")
    x = data.test.x if len(data.test.x) else data.train.x
    return condition.of(jnp.asarray(as_float(x[np.arange(n) % len(x)])), None)


def measured(condition: Condition, data: Data, n: int) -> Any:
    """The conditions of n samples that are compared with the test split.

    Labels are as frequent as among the test examples. Small images are those of validation examples, or of training
    examples where there are none: a sample must not be compared with the image that it was made from. Either way they
    are of examples 0, N / n, 2 N / n, ... of the N of their split, rounded down.
    """
    held = data.valid if len(data.valid.x) else data.train
    split = data.test if isinstance(condition.form, int) else held
    at = np.arange(n) * len(split.x) // n
    label = None if split.label is None else jnp.asarray(split.label[at])
    return condition.of(jnp.asarray(as_float(split.x[at])), label)


def abstract(condition: Condition | None, x: jax.ShapeDtypeStruct, labels: bool) -> Any:
    """The shapes of the condition of a batch `x`; nothing is computed."""
    if condition is None:
        return None
    label = jax.ShapeDtypeStruct(x.shape[:1], jnp.int32) if labels else None
    return jax.eval_shape(condition.of, x, label)
