"""What a run left in its folder: its model, its parameters as arrays, the data that it saw."""

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
    """The model of the run in `out` at its last checkpoint: of the moving average of the params, if one is kept.

    Of a table by name or path it speaks in standardised units: with `mean, std = jaxgen.data.load(NAME_OR_PATH).scale`,
    `model.sample(noise) * std + mean` is in those of the data, as `jaxgen sample --out x.npz` is.

    Raises:
      BadRequest: no run, or one started from Python with something of its own, which `what` then has to name.
      CheckpointCorrupt: a damaged checkpoint.
    """
    _, plan, state = last(files.expanded(out), what)
    return model_of(plan, state)


def export(out: str | os.PathLike, file: str | os.PathLike, *, what: Recipe | Plan | Game | None = None) -> None:
    """Writes the params that `load` would use as named arrays: `critic/head/kernel`, as `.npz`.

    Raises:
      BadRequest: as `load`; a file that cannot be written.
    """
    _, _, state = last(files.expanded(out), what)
    content = io.BytesIO()
    arrays = {name: np.asarray(leaf) for name, leaf in checkpoint.named(evaluation_params(state)).items()}
    np.savez(content, **arrays)  # type: ignore[arg-type]
    files.write_output(Path(file), content.getvalue())


def read_meta(out: Path) -> tuple[int, dict[str, Any]]:
    """The step of the last checkpoint, and what that remembers: {"config", "data"}.

    Raises:
      BadRequest: no run, or `config.json` says otherwise.
      CheckpointCorrupt: a damaged checkpoint.
    """
    # What the checkpoint says is sealed, and is what is used; config.json is there to be read, and must agree.
    settings = folder.read_settings(out)
    step, meta = checkpoint.read_meta(out / "checkpoints")
    if not all(isinstance(meta.get(part), dict) for part in ("config", "data")):
        raise BadRequest(f"the checkpoints in {out} are those of no run: name the folder of one.")
    folder.same_config(settings["config"], meta["config"])
    folder.same_data(f"what {out / 'config.json'} says of the data", settings["data"], meta["data"])
    return step, meta


def job_of(out: Path, meta: dict[str, Any], what: Any, data: Any, replaced: dict[str, Any]) -> Job:
    """What the run of `meta` in `out` needs to go on: its own, and what was handed in again where only Python knows it.

    Raises:
      BadRequest: something that the run was started with and that is not handed in, or the reverse.
    """
    config = meta["config"]
    recorded = config.get("replaced")  # None: the run is of a version that did not write it down
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
    """What `jaxgen.data.load` is told of the data of a run beside their source; of an older run nothing."""
    return {"size": config.get("size"), "labels": config.get("labels")}


def settled_plan(
    meta: dict[str, Any], what: Recipe | Plan | Game | None, replaced: Mapping[str, Any] = MappingProxyType({})
) -> Plan:
    """What the run of `meta` trains: `what` if it is given, else its recipe; with the parts that are `replaced`.

    Raises:
      BadRequest: neither.
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
    """Shapes and dtypes of the state of the run of `meta`; nothing is computed."""
    data, size = meta["data"], plan.batch_size
    x: Any = jax.ShapeDtypeStruct((size, *data["shape"]), np.float32)
    condition = conditions.condition_of(meta["config"]["condition"], tuple(data["shape"]), len(data["classes"]))
    given = conditions.abstract(condition, x, bool(data["classes"]))
    return abstract_state(plan, Batch({name: x for name in plan.domains} if plan.domains else x, given))


def model_of(plan: Plan, state: State) -> Model:
    """The model of a state: of the moving average of the params, if one is kept."""
    return compile_model(plan.game)(evaluation_params(state), state.context.state)


def last(out: Path, what: Recipe | Plan | Game | None = None) -> tuple[dict[str, Any], Plan, State]:
    """What the last checkpoint of the run in `out` remembers ({"config", "data"}), its plan and its state.

    The state of the optimisers is by name, and the optimisers of the plan may be others.

    Raises:
      BadRequest, CheckpointCorrupt: as `load`.
    """
    step, meta = read_meta(out)
    plan, checkpoints = settled_plan(meta, what), out / "checkpoints"
    # As they were written: what a run was trained by is not needed to use what it made.
    opts = checkpoint.leaves_of(checkpoints, step, "opts")
    return meta, plan, checkpoint.restore(checkpoints, abstract(meta, plan)._replace(opts=opts), step=step)[0]


def load_data(out: Path) -> tuple[Data, dict[str, Any]]:
    """The data that the run in `out` was trained on, and the settings of the run, as in `config.json`.

    Raises:
      BadRequest: no run, data that only Python knows, or data that have changed since.
    """
    settings, meta = folder.read_settings(out), read_meta(out)[1]
    source = meta["config"]["data"]
    if source is None:
        raise BadRequest(f"{out} was trained from Python on data of its own: measure run.model there (jaxgen.tasks).")
    data = sources.load(source, room=streams.room(meta["config"]["stream"]), **reading(meta["config"]))
    folder.same_data(source, data.digest, meta["data"]["digest"])
    return streams.sampled(data), settings
