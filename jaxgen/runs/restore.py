"""Reads from the folder of a run its model, its parameters as arrays, and its training data."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import numpy as np

from jaxgen import data as sources
from jaxgen.core import BadRequest, Batch, Game, Model
from jaxgen.data import Data, streams
from jaxgen.recipes import Recipe
from jaxgen.runs import conditions, folder
from jaxgen.runs.conditions import Condition
from jaxgen.runs.config import Job, recipe_plan, settled
from jaxgen.runs.inputs import data_of, plan_of
from jaxgen.system import files
from jaxgen.training import checkpoint
from jaxgen.training.models import compile_model
from jaxgen.training.program import Plan, abstract_state
from jaxgen.training.step import State, evaluation_params


def load(out: str | os.PathLike, *, what: Recipe | Plan | Game | None = None) -> Model:
    """The model of the run in `out` at its last checkpoint, with the moving average of the params if the run has one.

    A model that was trained on a table by name or path samples in standardised units. To convert samples to the units
    of the data: `mean, std = jaxgen.data.load(NAME_OR_PATH).scale`, then `model.sample(noise) * std + mean`;
    `jaxgen sample --out x.npz` does the same.

    Args:
      out: the folder of the run.
      what: the plan, the game or the recipe of a run that was started from Python with one that jaxgen has no name for.

    Raises:
      BadRequest: if `out` is not the folder of a run, or if `what` is needed and is missing.
      CheckpointCorrupt: if the checkpoint is damaged.
    """
    _, plan, state = last(files.expanded(out), what)
    return model_of(plan, state)


def export(out: str | os.PathLike, file: str | os.PathLike, *, what: Recipe | Plan | Game | None = None) -> None:
    """Writes the params that `load` would use to an `.npz` file, with names such as `critic/head/kernel`.

    Raises:
      BadRequest: for the reasons of `load`, or if the file cannot be written.
    """
    _, _, state = last(files.expanded(out), what)
    content = io.BytesIO()
    arrays = {name: np.asarray(leaf) for name, leaf in checkpoint.named(evaluation_params(state)).items()}
    np.savez(content, **arrays)  # type: ignore[arg-type]
    files.write_output(Path(file), content.getvalue())


def read_meta(out: Path) -> tuple[int, dict[str, Any]]:
    """The step of the last checkpoint, and the {"config", "data"} that is stored in it.

    Raises:
      BadRequest: if `out` is not the folder of a run, or if `config.json` and the checkpoint differ.
      CheckpointCorrupt: if the checkpoint is damaged.
    """
    # The checkpoint has a digest, so its values are used; config.json is for readers, and must agree with them.
    settings = folder.read_settings(out)
    step, meta = checkpoint.read_meta(out / "checkpoints")
    if not all(isinstance(meta.get(part), dict) for part in ("config", "data")):
        raise BadRequest(f"the checkpoints in {out} are those of no run: name the folder of one.")
    folder.same_config(settings["config"], meta["config"])
    folder.same_data(f"what {out / 'config.json'} says of the data", settings["data"], meta["data"])
    return step, meta


def job_of(out: Path, meta: dict[str, Any], what: Any, data: Any, replaced: dict[str, Any]) -> Job:
    """The job that continues the run of `meta` in `out`, from its folder and from the Python objects passed again.

    Raises:
      BadRequest: if an object that the run was started with is missing, or if it was started without one that is given.
    """
    config = meta["config"]
    recorded = config.get("replaced")  # None: the run is of a version that did not record it
    needed = [("a plan", what, config["recipe"]), ("data", data, config["data"])]
    needed += [(name, replaced.get(name), None) for name in recorded or ()]
    for name, handed, named in needed:
        if handed is None and named is None:
            raise BadRequest(
                f"this run was started from Python with {name} of its own: go on with {folder.again(out, config)}."
            )
    if recorded is not None and (foreign := [name for name in replaced if name not in recorded]):
        raise BadRequest(f"this run was started with the {foreign[0]} of its plan: leave {foreign[0]} out.")
    read = reading(config) if data is None else {"size": config.get("size")}
    given = data_of(config["data"] if data is None else data, stream=config["stream"], **read)
    return Job(config, settled_plan(meta, what, replaced), given)


def reading(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `jaxgen.data.load` for the data of a run, except their source; None in older runs."""
    return {"size": config.get("size"), "labels": config.get("labels")}


def settled_plan(
    meta: dict[str, Any], what: Recipe | Plan | Game | None, replaced: Mapping[str, Any] = MappingProxyType({})
) -> Plan:
    """The plan of the run of `meta`: of `what` if it is given, else of its recipe, with the `replaced` parts.

    Raises:
      BadRequest: if `what` is None and the run has no named recipe.
    """
    config = meta["config"]
    if isinstance(what, Plan | Game):
        return settled(plan_of(what)._replace(**replaced), config, config["batch_size"])[0]
    recipe = what if what is not None else config["recipe"]
    if recipe is None:
        raise BadRequest(
            "this run was started from Python with a plan of its own: use jaxgen.load(DIR, what=...) in Python."
        )
    plan = recipe_plan({**config, "recipe": recipe}, meta["data"])
    return settled(plan._replace(**replaced), config, config["batch_size"])[0]


def condition_for(config: Mapping[str, Any], data: Data) -> Condition | None:
    """The condition of a run with this configuration on `data`."""
    classes = len(data.classes) if data.train.label is not None else 0
    return conditions.condition_of(config["condition"], data.shape, classes)


def abstract(meta: dict[str, Any], plan: Plan) -> State:
    """The shapes and dtypes of the state of the run of `meta`, without computing it."""
    data, size = meta["data"], plan.batch_size
    x: Any = jax.ShapeDtypeStruct((size, *data["shape"]), np.float32)
    condition = conditions.condition_of(meta["config"]["condition"], tuple(data["shape"]), len(data["classes"]))
    given = conditions.abstract(condition, x, bool(data["classes"]))
    return abstract_state(plan, Batch({name: x for name in plan.domains} if plan.domains else x, given))


def model_of(plan: Plan, state: State) -> Model:
    """The model of a state, with the moving average of the params if the state has one."""
    return compile_model(plan.game)(evaluation_params(state), state.context.state)


def last(out: Path, what: Recipe | Plan | Game | None = None) -> tuple[dict[str, Any], Plan, State]:
    """The {"config", "data"} of the last checkpoint of the run in `out`, its plan and its state.

    The state of the optimisers is a dict of arrays by name, because the plan may have other optimisers than the run.

    Raises:
      BadRequest, CheckpointCorrupt: for the reasons of `load`.
    """
    step, meta = read_meta(out)
    plan, checkpoints = settled_plan(meta, what), out / "checkpoints"
    # The arrays as they were written: the optimisers of a run are not needed to use its model.
    opts = checkpoint.leaves_of(checkpoints, step, "opts")
    return meta, plan, checkpoint.restore(checkpoints, abstract(meta, plan)._replace(opts=opts), step=step)[0]


def load_data(out: Path) -> tuple[Data, dict[str, Any]]:
    """The data that the run in `out` was trained on, and the settings of the run, as in `config.json`.

    Raises:
      BadRequest: if `out` is not the folder of a run, if the data were a Python object, or if they have changed.
    """
    settings, meta = folder.read_settings(out), read_meta(out)[1]
    source = meta["config"]["data"]
    if source is None:
        raise BadRequest(f"{out} was trained from Python on data of its own: measure run.model there (jaxgen.tasks).")
    data = sources.load(source, room=streams.room(meta["config"]["stream"]), **reading(meta["config"]))
    folder.same_data(source, data.digest, meta["data"]["digest"])
    return streams.sampled(data), settings
