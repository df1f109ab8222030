"""What every recipe is tried on, read off the recipe: no table that a new recipe must join."""

import inspect

import jax
import jax.numpy as jnp

from jaxgen.core import Batch
from jaxgen.recipes import Spec, find, wanted

CLASSES = 10
LARGER = {"began": 5}  # numbers that a vector must have where 2 are too few: more than the code of an autoencoder


def says(name: str, words: str) -> bool:
    """Whether the docstring of a recipe has these words; what it refuses must stand there."""
    return words in " ".join((inspect.getdoc(find(name)) or "").split())


def needs(name: str) -> str:
    """What it wants beside examples, as `jaxgen.recipes.wanted` says it: "labels", "small images", "two domains"."""
    return wanted(find(name), (8, 8, 1))


def images_only(name: str) -> bool:
    return says(name, "Images only") or needs(name) == "small images"


def spec_for(name: str, shape: tuple[int, ...], condition=None) -> Spec | None:
    """A spec of small networks that the recipe takes; None if its docstring says that it does not take such data."""
    need = needs(name)
    if (images_only(name) and len(shape) != 3) or (len(shape) == 1 and shape[0] < LARGER.get(name, 1)):
        return None
    if condition is not None and says(name, "Takes no condition"):
        return None
    if need == "small images":
        condition = (shape[0] // 2 or 1, shape[1] // 2 or 1, shape[2])
    elif says(name, "Labels only"):
        condition = condition or CLASSES
    return Spec(shape, condition, width=8, domains=("a", "b") if need == "two domains" else ())


def plainest(name: str) -> tuple[int, ...]:
    """The shape of the plainest data that it takes: points, a short vector, a small image."""
    return (8, 8, 1) if images_only(name) else (LARGER.get(name, 2),)


def batch_for(spec: Spec, lead: tuple[int, ...]) -> Batch:
    """Shapes of batches for `spec` with leading axes `lead`."""
    x = jax.ShapeDtypeStruct((*lead, *spec.shape), jnp.float32)
    given = None
    if isinstance(spec.condition, int):
        given = jax.ShapeDtypeStruct(lead, jnp.int32)
    elif spec.condition is not None:
        given = jax.ShapeDtypeStruct((*lead, *spec.condition), jnp.float32)
    return Batch({name: x for name in spec.domains} if spec.domains else x, given)
