"""A job played: compiled, in memory or into its folder, from a state to its end."""

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxgen.core import BadRequest, Model
from jaxgen.data import Data, streams
from jaxgen.runs import folder, progress, recorder, samples
from jaxgen.runs.config import Job
from jaxgen.runs.inputs import source_for
from jaxgen.runs.restore import condition_for
from jaxgen.system import files, hosts
from jaxgen.system.bar import busy
from jaxgen.system.signals import stoppable
from jaxgen.training import checkpoint
from jaxgen.training.devices import default_mesh
from jaxgen.training.forms import FORMS
from jaxgen.training.loop import default_chunk, train
from jaxgen.training.models import compile_model
from jaxgen.training.program import Plan, Program, compile_loop, run_keys
from jaxgen.training.step import State, evaluation_params

Record = Callable[[dict[str, Any]], object]


class Run(NamedTuple):
    """What training leaves behind."""

    model: Model  # of the moving average of the params, if one is kept, and of the state as it is
    state: State
    history: list[dict[str, Any]]  # the lines of metrics.jsonl: means over each chunk of steps
    plan: Plan
    data: Data
    config: dict[str, Any]  # as in config.json

    def __repr__(self) -> str:
        """One line: the arrays would be thousands."""
        what = self.config["recipe"] or "/".join(self.state.params)
        count = sum(leaf.size for leaf in jax.tree.leaves(self.state.params))
        return f"Run({what} on {self.data.name}, steps={self.config['steps']}, params={count})"


def begin(
    job: Job, out: str | os.PathLike | None, quiet: bool, checkpoint_seconds: float, on_record: Record | None
) -> Run:
    """A new run: compiled, its folder made if there is one, and played to its end."""
    quiet = quiet or not hosts.writes()
    program = compiled(job, job.config["steps"], quiet)
    if not quiet:
        for note in job.data.notes:
            print(f"{job.data.name}: {note}", file=sys.stderr)
    state = program.init(run_keys(job.config["seed"]).init)
    if out is None:
        return proceed(job, program, state, [], quiet, on_record)
    if bad := checkpoint.not_finite(state):
        raise BadRequest(f"the first state is not finite: look at the initialisation of {bad}.")
    out = Path(out)
    with stoppable() as caught, folder.held(out, new=True):
        if hosts.writes():
            files.write_json(out / "config.json", folder.describe(job.config, job.data, program))
            samples.write_data_picture(out, job.data)
            checkpoint.save(out / "checkpoints", 0, hosts.local(state), meta_of(job))
        return proceed(job, program, state, [], quiet, on_record, (out, caught, checkpoint_seconds))


def proceed(
    job: Job,
    program: Program,
    state: State,
    history: list,
    quiet: bool,
    on_record: Record | None,
    written: tuple | None = None,
) -> Run:
    """Plays on from `state` to the end, with metrics, pictures and checkpoints if `written` names a folder for them."""
    steps, keys, bind = job.config["steps"], run_keys(job.config["seed"]), compile_model(job.plan.game)

    def model(state):
        return bind(evaluation_params(state), state.context.state)

    write = None
    if written is not None:
        start, picture = int(state.context.step), samples.recurring(job.data, condition_for(job.config, job.data), keys)
        write = recorder.writer(*written, steps=steps, start=start, meta=meta_of(job), model=model, picture=picture)
    skipped, seconds = int(state.skipped), recorder.seconds_of(history)
    with progress.shown(steps, quiet=quiet) as show:
        for chunk in train(program, state, keys, steps=steps):
            state, seconds = chunk.state, seconds + chunk.seconds
            history.append(recorder.record(chunk, seconds=seconds, seed=job.config["seed"]))
            show(history[-1])
            if on_record is not None:
                _hand_over(on_record, history[-1], state, write, job.config, written)
            if write is not None:
                write(state, history[-1])
    if not quiet and (skipped := int(state.skipped) - skipped):
        print(f"in {skipped} steps a turn was not finite and moved nothing: lower the learning rate.", file=sys.stderr)
    if written is not None:
        hosts.agreed(0)  # the last checkpoint is there before any process ends
    state = hosts.local(state)
    return Run(model(state), state, history, job.plan, job.data, job.config)


def _hand_over(
    on_record: Record, line: dict[str, Any], state: State, write: Callable | None, config: dict, written: tuple | None
) -> None:
    """Calls `on_record`. What it raises ends the run, after a checkpoint, with a note of whose exception it is."""
    try:
        on_record(dict(line))
    except BaseException as error:
        kept = "The run has no folder (out=...), so nothing is saved."
        if write is not None and written is not None:
            saved = write(state, line, ends=True)
            kept = f"Step {saved} is saved. Go on with: {folder.again(Path(written[0]), config)}"
        error.add_note(f"on_record raised this, after step {line['step']}. {kept}")
        raise


def compiled(job: Job, steps: int, quiet: bool) -> Program:
    """The program of a job, in chunks of at most `steps` steps."""
    stream = job.config["stream"]
    source = source_for(job.plan, job.data, condition_for(job.config, job.data), stream=stream)
    if stream and not quiet:
        print(streams.explained(job.data), file=sys.stderr)
    chunk = min(default_chunk(job.data.shape), steps)
    with contextlib.nullcontext() if quiet else busy("compiling"):
        program = compile_loop(job.plan, source, chunk=chunk, mesh=default_mesh())
    if program.form == "unrolled" and not quiet:
        print(FORMS[program.form], file=sys.stderr)
    return program


def prolonged(out: Path, job: Job, settings: dict[str, Any], step: int, steps: int) -> Job:
    """`job` with another end, which its folder says from here on.

    Raises:
      BadRequest: an end that it is past.
    """
    if steps < step:
        raise BadRequest(f"this run has played {step} steps, and --steps {steps} is fewer: name a later step.")
    config = {**job.config, "steps": steps}
    job = job._replace(config=config)
    if not hosts.writes():
        return job
    checkpoint.rewrite_meta(out / "checkpoints", step, meta_of(job))
    files.write_json(out / "config.json", {**settings, "config": config})
    return job


def meta_of(job: Job) -> dict[str, Any]:
    """What a checkpoint of a job remembers beside its arrays."""
    return {"config": job.config, "data": folder.summary(job.data)}
