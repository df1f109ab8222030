"""Writes a state that a comparison has trained as the folder of a run."""

import functools
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxgen import recipes
from jaxgen.data import Data
from jaxgen.recipes import Recipe
from jaxgen.runs import folder, recorder, samples
from jaxgen.runs.config import Job
from jaxgen.runs.play import meta_of
from jaxgen.system import files
from jaxgen.training import checkpoint
from jaxgen.training.program import Plan
from jaxgen.training.step import State


def keep(
    out: Path,
    recipe: Recipe,
    plan: Plan,
    state: State,
    records: Sequence[Mapping[str, Any]],
    *,
    source: str | None,
    size: int | None = None,
    labels: str | None = None,
    data: Data,
    seed: int,
) -> None:
    """Writes `state` as the run that would have trained it, with its last checkpoint at the step that it has reached.

    `jaxgen.load`, `jaxgen sample` and `jaxgen evaluate` use it; `jaxgen train --resume OUT --steps N` goes on from it,
    in the order and with the noise of a run of that seed. `records` are its lines of `metrics.jsonl`. A state
    that is not finite is not written.
    """
    if checkpoint.not_finite(state):
        return
    name = recipes.name_of(recipe)
    row = recipe.func if isinstance(recipe, functools.partial) and not recipe.args else recipe  # else a row as it is
    config: dict[str, Any] = {
        "recipe": name if recipes.RECIPES.get(name) is row else None,
        "data": source,
        "size": size,
        "labels": labels,
        "steps": int(state.context.step),
        "seed": seed,
        "batch_size": plan.batch_size,
        "condition": None,
        "domains": [],
        "precision": "float32",
        "micro_batches": plan.micro,
        "remat": False,
        "stream": False,
        "options": recipes.defaults(recipe),
        "replaced": [],
    }
    job = Job(config, plan, data)
    shutil.rmtree(out, ignore_errors=True)  # of a seed that is played again
    out.mkdir(parents=True)
    samples.write_data_picture(out, data)
    for line in records:
        recorder.append(out / "metrics.jsonl", dict(line))
    files.write_json(out / "config.json", folder.describe(config, data, None))
    checkpoint.save(out / "checkpoints", config["steps"], state, meta_of(job))
