"""The colour and the shape of every model on the page."""

from collections.abc import Mapping

from jaxgen.report.charts import Look
from jaxgen.tasks import BASELINE

COLOURS = {"vae": (0, 4, 6), "gan": (1, 5, 7), "hybrid": (2, 3)}  # by side, classes c0 to c7 of the style sheet
SHAPES = ("circle", "square", "diamond", "triangle")


def looks_of(models: Mapping, sides: Mapping[str, str]) -> dict[str, Look]:
    """A look for each model: a colour of its side if one is free, otherwise any; a grey ring for baselines."""
    looks, free = {}, list(range(8))
    for name in models:
        if name.startswith(BASELINE):
            looks[name] = Look("c-base", "ring")
            continue
        wanted = [c for c in COLOURS.get(sides.get(name, ""), ()) if c in free] or free or [len(looks) % 8]
        free = [c for c in free if c != wanted[0]]
        looks[name] = Look(f"c{wanted[0]}", SHAPES[len(looks) % len(SHAPES)])
    return looks
