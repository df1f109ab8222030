"""VAE and GAN objectives in JAX, and one command that answers: VAE or GAN?

Names are imported when they are first asked for, so `import jaxgen` costs nothing and imports no JAX.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jaxgen import comparison as comparison
    from jaxgen import data as data
    from jaxgen import games as games
    from jaxgen import latents as latents
    from jaxgen import nets as nets
    from jaxgen import objectives as objectives
    from jaxgen import recipes as recipes
    from jaxgen import runs as runs
    from jaxgen import testing as testing
    from jaxgen.comparison.result import Comparison as Comparison
    from jaxgen.comparison.session import compare as compare
    from jaxgen.core import Aux as Aux
    from jaxgen.core import BadRequest as BadRequest
    from jaxgen.core import Batch as Batch
    from jaxgen.core import Context as Context
    from jaxgen.core import Game as Game
    from jaxgen.core import Model as Model
    from jaxgen.core import Network as Network
    from jaxgen.nets.adapters import network as network
    from jaxgen.runs.restore import load as load
    from jaxgen.runs.run import Run as Run
    from jaxgen.runs.run import fit as fit
    from jaxgen.runs.run import resume as resume
    from jaxgen.system.signals import Stopped as Stopped
    from jaxgen.training.checkpoint import CheckpointCorrupt as CheckpointCorrupt
    from jaxgen.training.loop import Diverged as Diverged
    from jaxgen.training.program import Plan as Plan
    from jaxgen.training.step import Ema as Ema
    from jaxgen.training.step import make_step as make_step

    __version__: str

_ROOMS = ("comparison", "data", "games", "latents", "nets", "objectives", "recipes", "runs", "testing")
_HOMES = {
    **dict.fromkeys(("Aux", "BadRequest", "Batch", "Context", "Game", "Model", "Network"), "jaxgen.core"),
    **dict.fromkeys(("Run", "fit", "resume"), "jaxgen.runs.run"),
    "Comparison": "jaxgen.comparison.result",
    "compare": "jaxgen.comparison.session",
    "load": "jaxgen.runs.restore",
    "network": "jaxgen.nets.adapters",
    "Plan": "jaxgen.training.program",
    **dict.fromkeys(("Ema", "make_step"), "jaxgen.training.step"),
    "Diverged": "jaxgen.training.loop",
    "Stopped": "jaxgen.system.signals",
    "CheckpointCorrupt": "jaxgen.training.checkpoint",
}

__all__ = [
    "Aux",
    "BadRequest",
    "Batch",
    "CheckpointCorrupt",
    "Context",
    "Comparison",
    "Diverged",
    "Ema",
    "Game",
    "Model",
    "Network",
    "Plan",
    "Run",
    "Stopped",
    "__version__",
    "compare",
    "comparison",
    "data",
    "fit",
    "games",
    "latents",
    "load",
    "make_step",
    "nets",
    "network",
    "objectives",
    "recipes",
    "resume",
    "runs",
    "testing",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"jaxgen.{name}")  # which also sets the attribute
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
    elif name == "__version__":
        from importlib.metadata import version

        value = version("jaxgen")
    else:
        raise AttributeError(f"module 'jaxgen' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
