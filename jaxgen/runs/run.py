"""A run: a plan trained on data, in memory, or in a folder that it can be resumed from."""

import dataclasses
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from jaxgen import recipes
from jaxgen.core import BadRequest, Game, Model
from jaxgen.data import Data
from jaxgen.nets import DENSE_LIMIT, keep_freed_memory
from jaxgen.recipes import Recipe
from jaxgen.runs import folder, progress, recorder, samples
from jaxgen.runs.config import Config, Job, check_whole, filled, recipe_plan
from jaxgen.runs.inputs import data_of, plan_of, source_of
from jaxgen.runs.restore import abstract, model_of, read_meta, settled_plan
from jaxgen.system import files
from jaxgen.system.lock import owned
from jaxgen.system.machine import changes
from jaxgen.system.signals import stoppable
from jaxgen.training import checkpoint
from jaxgen.training.devices import default_mesh
from jaxgen.training.loop import Diverged, default_chunk
from jaxgen.training.loop import train as play
from jaxgen.training.models import compile_model
from jaxgen.training.program import FORMS, Plan, Program, compile_loop, run_keys
from jaxgen.training.step import PATIENCE, State, evaluation_params

__all__ = ["Config", "Run", "fit", "resume", "train"]

SECONDS = 30.0  # between checkpoints


class Run(NamedTuple):
    """What training leaves behind."""

    model: Model  # of the moving average of the params, where there is one
    state: State
    history: list[dict[str, Any]]  # the lines of metrics.jsonl: means over each chunk of rounds
    plan: Plan
    data: Data
    config: dict[str, Any]  # as in config.json

    def __repr__(self) -> str:
        """One line: the arrays would be thousands."""
        what = self.config["recipe"] or "/".join(self.state.params)
        count = sum(leaf.size for leaf in jax.tree.leaves(self.state.params))
        return f"Run({what} on {self.data.name}, rounds={self.config['steps']}, params={count})"


def fit(
    what: Recipe | str | Plan | Game,
    data: str | os.PathLike | Data | np.ndarray | tuple[np.ndarray, np.ndarray],
    *,
    rounds: int,
    seed: int = 0,
    out: str | os.PathLike | None = None,
    batch_size: int | None = None,
    optimizers: Mapping[str, optax.GradientTransformation] | None = None,
    turns: tuple[tuple[str, ...], ...] | None = None,
    rule: Callable | None = None,
    quiet: bool = True,
) -> Run:
    """Trains `what` on `data` for `rounds` rounds.

    Args:
      what: a recipe or its name, a plan, or a game. A game gets Adam(1e-3) for each player and one turn for each of its
        losses, in their order, unless told.
      data: a name, a path, a `Data`, an array [N, ...], or (x, label) of two. An array is read as in a file, and all
        of it trained on; floats are taken as they are, but for images beyond 0 to 1: their pixels are rounded. A
        table by name or path is standardised, and `run.model` speaks in those units: with `mean, std = run.data.scale`,
        `run.model.sample(noise) * std + mean` is in those of the data, as `jaxgen sample --out x.npz` is.
      rounds: how many to play.
      seed: makes the keys of init, data order, noise and evaluation.
      out: a new folder to write to; with one, SIGINT and SIGTERM end in a checkpoint and `Stopped`.
      batch_size: by default the recipe's, else 128, and no more than there are examples.
      optimizers: by player, in place of the plan's.
      turns: in place of the plan's, each a tuple: `(("critic",), ("generator",))`.
      rule: the update rule in place of the plan's, such as `jaxgen.objectives.extragradient`.
      quiet: no progress on stderr.

    Raises:
      BadRequest: whatever cannot be, before anything is computed or written.
      Diverged: ten rounds in a row were not finite.
    """
    check_whole("rounds", rounds, least=1)
    check_whole("seed", seed, least=0)
    check_whole("batch_size", batch_size, least=1)
    if out is not None:
        folder.check_new(Path(out))
    if rule is not None and not callable(rule):
        raise BadRequest(f"rule={rule!r}: pass a function, such as jaxgen.objectives.extragradient.")
    what = recipes.find(what) if isinstance(what, str) else what
    found = data_of(data)
    plan = plan_of(what, found.shape)
    asked = {"optimizers": optimizers, "turns": turns, "rule": rule}
    own: dict[str, Any] = {name: value for name, value in asked.items() if value is not None}
    plan = plan._replace(**own)
    row = what if isinstance(what, Recipe) else None
    known = row is not None and recipes.RECIPES.get(row.name) is row and not own
    config = {
        "recipe": row.name if row is not None and known else None,
        "data": source_of(data) if isinstance(data, str | os.PathLike) else None,
        "steps": rounds,
        "seed": seed,
        "batch_size": batch_size,
    }
    job = Job(filled(config, row, found), plan, found)
    return _begin(job, out, quiet=quiet, checkpoint_seconds=SECONDS)


def train(config: Config, out: str | os.PathLike, *, checkpoint_seconds: float = SECONDS) -> Run:
    """Trains what `config` asks for into the new folder `out`, with progress on stderr.

    A checkpoint is written at round 0, at the end, on SIGINT and SIGTERM, and between chunks of rounds once
    `checkpoint_seconds` have passed since the last.

    Raises:
      BadRequest: whatever cannot be, before anything is computed or written.
      Diverged: ten rounds in a row were not finite; the last finite checkpoint is there.
      Stopped: by a signal; a checkpoint is there.
    """
    folder.check_new(Path(out))
    found = data_of(config.data)
    asked = {**dataclasses.asdict(config), "data": source_of(config.data)}
    whole = filled(asked, recipes.find(config.recipe), found)
    job = Job(whole, recipe_plan(whole, found.shape), found)
    return _begin(job, out, quiet=False, checkpoint_seconds=checkpoint_seconds)


def resume(
    out: str | os.PathLike,
    *,
    what: Plan | Game | Recipe | None = None,
    data: Data | np.ndarray | tuple[np.ndarray, np.ndarray] | None = None,
    checkpoint_seconds: float = SECONDS,
) -> Run:
    """Goes on with the run in `out` from its last checkpoint, bit for bit; says on stderr where.

    Args:
      out: the folder of the run.
      what: what it trains, where it was started from Python with something of its own.
      data: its data, where it was started from Python with arrays or a `Data`.
      checkpoint_seconds: as for `train`.

    Raises:
      BadRequest: no run; a checkpoint of another configuration or of other data.
      CheckpointCorrupt: a damaged checkpoint.
      Diverged, Stopped: as for `train`.
    """
    out = Path(out)
    settings = folder.read_settings(out)
    with owned(out, new=False), stoppable() as caught:
        round, meta = read_meta(out)
        job = _job(out, meta, what, data)
        folder.same_data(job.config["data"] or "the data given", folder.summary(job.data), meta["data"])
        state, _ = checkpoint.restore(out / "checkpoints", abstract(meta, job.plan), round=round)
        if int(state.streak) >= PATIENCE:
            raise Diverged(f"this run diverged by round {round} and cannot go on: start another.")
        if changed := changes(settings):
            print(f"bits may differ from an unbroken run: {', '.join(changed)}", file=sys.stderr)
        print(f"resumed at {round}", file=sys.stderr, flush=True)
        history = recorder.keep_until(out / "metrics.jsonl", round)
        left = job.config["steps"] - round
        if not left:
            return Run(model_of(job.plan, state), state, history, job.plan, job.data, job.config)
        program = _compile(job, left, quiet=False)
        return _play(job, program, program.place(state), history, False, (out, caught, checkpoint_seconds))


def _begin(job: Job, out: str | os.PathLike | None, *, quiet: bool, checkpoint_seconds: float) -> Run:
    program = _compile(job, job.config["steps"], quiet)
    if not quiet:
        for note in job.data.notes:
            print(f"{job.data.name}: {note}", file=sys.stderr)
    state = program.init(run_keys(job.config["seed"]).init)
    if out is None:
        return _play(job, program, state, [], quiet)
    if bad := checkpoint.not_finite(state):
        raise BadRequest(f"the first state is not finite: look at the initialisation of {bad}.")
    out = Path(out)
    with owned(out, new=True), stoppable() as caught:
        files.write_json(out / "config.json", folder.describe(job.config, job.data, program))
        samples.write_data_picture(out, job.data)
        checkpoint.save(out / "checkpoints", 0, state, _meta(job))
        return _play(job, program, state, [], quiet, (out, caught, checkpoint_seconds))


def _play(job: Job, program: Program, state: State, history: list, quiet: bool, written: tuple | None = None) -> Run:
    rounds, keys, bind = job.config["steps"], run_keys(job.config["seed"]), compile_model(job.plan.game)

    def model(state):
        return bind(evaluation_params(state), state.memo.carry)

    write = None
    if written is not None:
        start, meta = int(state.memo.round), _meta(job)
        write = recorder.writer(*written, job.data, rounds, start, meta, model, keys.evaluation)  # type: ignore[call-arg]
    skipped = int(state.skipped)
    with progress.shown(rounds, quiet=quiet) as show:
        for chunk in play(program, state, keys, rounds=rounds):
            state = chunk.state
            history.append(recorder.record(chunk))
            show(history[-1])
            if write is not None:
                write(state, history[-1])
    if not quiet and (skipped := int(state.skipped) - skipped):
        print(f"{skipped} rounds were not finite and changed nothing: lower the learning rate.", file=sys.stderr)
    return Run(model(state), state, history, job.plan, job.data, job.config)


def _compile(job: Job, rounds: int, quiet: bool) -> Program:
    train, size = job.data.train, job.config["batch_size"]
    chunk = min(default_chunk(job.data.shape), rounds)
    if not quiet and math.prod(job.data.shape) > DENSE_LIMIT:  # a program whose networks convolve
        keep_freed_memory()
    program = compile_loop(job.plan, train.x, train.label, batch_size=size, chunk=chunk, mesh=default_mesh())
    if program.form == "unrolled" and not quiet:
        print(FORMS[program.form], file=sys.stderr)
    return program


def _meta(job: Job) -> dict[str, Any]:
    return {"config": job.config, "data": folder.summary(job.data)}


def _job(out: Path, meta: dict[str, Any], what: Any, data: Any) -> Job:
    config = meta["config"]
    for own, given, named in (("a plan", what, config["recipe"]), ("data", data, config["data"])):
        if given is None and named is None:
            raise BadRequest(
                f"this run was started from Python with {own} of its own: go on with {folder.again(out, config)}."
            )
    return Job(config, settled_plan(meta, what), data_of(config["data"] if data is None else data))
