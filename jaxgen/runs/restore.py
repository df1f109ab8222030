"""What a run left in its folder: its model, its parameters as arrays, the data that it saw."""

import io
import os
from pathlib import Path
from typing import Any

import numpy as np

from jaxgen import data as sources
from jaxgen.core import BadRequest, Game, Model
from jaxgen.data import Data
from jaxgen.recipes import Recipe
from jaxgen.runs import folder
from jaxgen.runs.config import recipe_plan
from jaxgen.runs.inputs import plan_of
from jaxgen.system import files
from jaxgen.training import checkpoint
from jaxgen.training.models import compile_model
from jaxgen.training.program import Plan, abstract_state
from jaxgen.training.step import State, evaluation_params


def load(out: str | os.PathLike, *, what: Plan | Game | Recipe | None = None) -> Model:
    """The model of the run in `out` at its last checkpoint: of the moving average of the params, where there is one.

    Of a table by name or path it speaks in standardised units: with `mean, std = jaxgen.data.load(NAME_OR_PATH).scale`,
    `model.sample(noise) * std + mean` is in those of the data, as `jaxgen sample --out x.npz` is.

    Raises:
      BadRequest: no run, or one started from Python with something of its own, which `what` then has to name.
      CheckpointCorrupt: a damaged checkpoint.
    """
    _, plan, state = last(Path(out), what)
    return model_of(plan, state)


def export(out: str | os.PathLike, file: str | os.PathLike, *, what: Plan | Game | Recipe | None = None) -> None:
    """Writes the params that `load` would use as named arrays: `critic/params/Dense_0/kernel`, as `.npz`.

    Raises:
      BadRequest: as `load`; a file that cannot be written.
    """
    _, _, state = last(Path(out), what)
    content = io.BytesIO()
    arrays = {name: np.asarray(leaf) for name, leaf in checkpoint.named(evaluation_params(state)).items()}
    np.savez(content, **arrays)  # type: ignore[arg-type]
    files.write_output(Path(file), content.getvalue())


def read_meta(out: Path) -> tuple[int, dict[str, Any]]:
    """The round of the last checkpoint, and what that remembers: {"config", "data"}.

    Raises:
      BadRequest: no run, or `config.json` says otherwise.
      CheckpointCorrupt: a damaged checkpoint.
    """
    # What the checkpoint says is sealed, and is what is used; config.json is there to be read, and must agree.
    settings = folder.read_settings(out)
    round, meta = checkpoint.read_meta(out / "checkpoints")
    folder.same_config(settings["config"], meta["config"])
    folder.same_data(f"what {out / 'config.json'} says of the data", settings["data"], meta["data"])
    return round, meta


def settled_plan(meta: dict[str, Any], what: Plan | Game | Recipe | None) -> Plan:
    """What the run of `meta` trains: `what` where given, else its recipe.

    Raises:
      BadRequest: neither.
    """
    config, shape = meta["config"], tuple(meta["data"]["shape"])
    if what is not None:
        return plan_of(what, shape)
    if config["recipe"] is None:
        raise BadRequest(
            "this run was started from Python with a plan of its own: use jaxgen.load(DIR, what=...) in Python."
        )
    return recipe_plan(config, shape)


def abstract(meta: dict[str, Any], plan: Plan) -> State:
    """Shapes and dtypes of the state of the run of `meta`."""
    return abstract_state(plan, tuple(meta["data"]["shape"]), meta["data"]["labels"], meta["config"]["batch_size"])


def model_of(plan: Plan, state: State) -> Model:
    """The model of a state: of the moving average of the params, where there is one."""
    return compile_model(plan.game)(evaluation_params(state), state.memo.carry)


def last(out: Path, what: Plan | Game | Recipe | None = None) -> tuple[dict[str, Any], Plan, State]:
    """What the last checkpoint of the run in `out` remembers ({"config", "data"}), its plan and its state.

    Raises:
      BadRequest, CheckpointCorrupt: as `load`.
    """
    round, meta = read_meta(out)
    plan = settled_plan(meta, what)
    return meta, plan, checkpoint.restore(out / "checkpoints", abstract(meta, plan), round=round)[0]


def load_data(out: Path) -> tuple[Data, dict[str, Any]]:
    """The data that the run in `out` was trained on, and the settings of the run, as in `config.json`.

    Raises:
      BadRequest: no run, data that only Python knows, or data that have changed since.
    """
    settings = folder.read_settings(out)
    source = settings["config"]["data"]
    if source is None:
        raise BadRequest(f"{out} was trained from Python on data of its own: measure run.model there (jaxgen.tasks).")
    data = sources.load(source)
    folder.same_data(source, data.digest, settings["data"]["digest"])
    return data, settings
