"""One model on one seed: its trainings, ended by the clock or after recorded steps, and the measurements after each."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from jaxgen.comparison.contender import Contender, Lengths, Seconds, Steps, evaluated, with_trained
from jaxgen.comparison.outcome import STAGES, Outcome, draw_pictures, empty, measure, measure_without, trainings
from jaxgen.core import Model
from jaxgen.data import Data
from jaxgen.runs.recorder import record
from jaxgen.tasks import MAIN, Reference, Task, Training
from jaxgen.tasks.groups import Groups
from jaxgen.training.loop import Chunk, Diverged, train
from jaxgen.training.pool import Rows
from jaxgen.training.program import Keys, Program, seed_key
from jaxgen.training.sources import positions
from jaxgen.training.step import State

OnTrained = Callable[[State, Sequence[Mapping[str, Any]]], None]
OnRecord = Callable[[dict[str, Any]], object]


def play(
    contender: Contender,
    reference: Reference,
    lengths: Lengths,
    seed: int,
    *,
    tasks: Sequence[Task],
    groups: Groups | None = None,
    during: Callable[[Training], contextlib.AbstractContextManager] = lambda training: contextlib.nullcontext(),
    on_seconds: Callable[[float], None] = lambda seconds: None,
    on_trained: OnTrained = lambda state, records: None,
    on_record: OnRecord | None = None,
) -> Outcome:
    """Trains and measures one model on one seed. If a training diverges, its tasks have no figures but a reason.

    Args:
      contender: the model, with its programs on the data of the seed.
      reference: what it is measured against, for these data.
      lengths: the steps or seconds of each training.
      seed: the seed of all random numbers.
      tasks: those that are measured.
      groups: groups of test examples; headline figures are measured again without each of them.
      during: training -> a context manager, held during the training and the measurements after it.
      on_seconds: called with the seconds of training since the last call.
      on_trained: called with the state after the main training and its records, as in `metrics.jsonl`.
      on_record: called after each chunk of steps with its record, its training, and its part: "model" or "encoder".
    """
    outcome, seconds, failed = empty(), 0.0, []

    def one(training: Training) -> float:
        data = reference.formed(training.form)
        trainee = contender if training.form is None else contender.of(training).on(data)

        def at_stage(model: Model, stage: str | None):
            measure(outcome, model, training, reference, seed, tasks, stage)
            if stage is None and groups is not None:
                measure_without(outcome, model, training, groups, seed, tasks)

        def on_chunk(part: str, chunk: Chunk):
            on_seconds(chunk.seconds)
            if on_record is not None:
                line = record(chunk, seconds=played.spent, seed=seed)
                on_record({"training": training.name, "part": part, **line})

        played = _Played(lengths[training.name], on_chunk)
        keeping = on_trained if training == MAIN else None
        try:
            trained = _train(trainee, data, training, played, seed, at_stage, keeping)
        except Diverged as error:
            failed.append(f"{training.title}: {error}")
            return played.spent
        finally:
            outcome.steps[training.name] = played.steps
        failed.extend(trained.failures)
        draw_pictures(outcome, trained.model, training, reference, seed)
        if training == MAIN:
            outcome.curve.update(seed=seed, **trained.curve)
        return trained.seconds

    for training in trainings(tasks):
        if contender.plays(training):
            with during(training):
                seconds += one(training)
    return outcome._replace(seconds=seconds, failed="; ".join(failed))


class _Trained(NamedTuple):
    model: Model
    curve: dict[str, Any]
    seconds: float
    failures: list[str]


class _Played:
    """The progress of a training towards its number of steps or its time."""

    def __init__(self, length: Steps | Seconds, on_chunk: Callable[[str, Chunk], None] = lambda part, chunk: None):
        """`length`: the recorded steps to repeat, or the time to train for."""
        self.length, self.steps, self._due, self._on_chunk = length, Steps(), list(STAGES[:-1]), on_chunk
        self.spent = 0.0  # seconds of all its parts

    def chunks(self, part: str, program: Program, state: State, keys: Keys, fetch: Any) -> Iterator[Chunk]:
        """The chunks of `part`, "model" or "encoder"."""
        end = getattr(self.length, part)
        timed, spent = isinstance(self.length, Seconds), 0.0
        for chunk in train(program, state, keys, steps=None if timed else end, fetch=fetch):
            spent += chunk.seconds
            self.spent += chunk.seconds
            self._on_chunk(part, chunk)
            self.steps = Steps(**{**self.steps._asdict(), part: chunk.step})
            yield chunk
            if timed and spent + chunk.seconds / 2 >= end:
                return

    def stages(self, seconds: float) -> list[str]:
        """The stages that the model has reached after `seconds` and that were not measured yet."""
        reached = []
        while self._due:
            length, at = self.length, len(STAGES) - 1 - len(self._due)
            if isinstance(length, Seconds):
                late = seconds >= length.model * int(self._due[0]) / 100
            else:
                late = at < len(length.stages) and self.steps.model >= length.stages[at]
            if not late:
                break
            reached.append(self._due.pop(0))
            self.steps = self.steps._replace(stages=(*self.steps.stages, self.steps.model))
        return reached


def _train(
    contender: Contender,
    data: Data,
    training: Training,
    played: _Played,
    seed: int,
    measure: Callable[[Model, str | None], None],
    on_trained: OnTrained | None = None,
) -> _Trained:
    """One training. It calls `measure(model, stage)` at each stage, and with None at the end, outside the timed part.

    Stages are measured without the encoder that is trained afterwards, so that they can be compared with each other.
    """
    x = data.train.x
    rows = None
    if training.keep is not None:
        rows = positions(x if isinstance(x, Rows) else len(x), subset=training.keep(data, seed))
    keys, failures = training_keys(seed, training.streams[0]), []
    state, seconds, curve, records = contender.program.init(keys.init), 0.0, [], []
    for chunk in played.chunks("model", contender.program, state, keys, rows):
        seconds, state = seconds + chunk.seconds, chunk.state
        curve.append((chunk.step, seconds, {f"{turn} loss": info["loss"] for turn, info in chunk.info.items()}))
        records.append(record(chunk, seconds=seconds, seed=seed))
        for stage in played.stages(seconds):
            measure(contender.model(*evaluated(state)), stage)
    model = contender.model(*evaluated(state))
    measure(model, STAGES[-1])
    if on_trained is not None:
        on_trained(state, records)
    if contender.inverter is not None:
        keys = training_keys(seed, training.streams[1])
        inverting = with_trained(contender.inverter, contender.inverter.init(keys.init), state)
        try:
            for chunk in played.chunks("encoder", contender.inverter, inverting, keys, rows):
                seconds, inverting = seconds + chunk.seconds, chunk.state
            model = contender.inverse(*evaluated(inverting))
        except Diverged as error:  # the GAN itself did not diverge
            failures.append(f"its encoder: {error}")
    measure(model, None)
    return _Trained(model, _thin(curve), seconds, failures)


def training_keys(seed: int, stream: int) -> Keys:
    """The keys of one random stream of a seed. No key, and no key of a step, occurs in two streams."""
    base = jax.random.fold_in(seed_key(seed), len(Keys._fields) + stream)
    return Keys(*(jax.random.fold_in(base, i) for i in range(len(Keys._fields))))


def _thin(curve: list, most: int = 120) -> dict[str, Any]:
    keep = curve[:: max(1, len(curve) // most)]
    losses = {name: [losses[name] for *_, losses in keep] for name in keep[0][2]} if keep else {}
    return {"step": [n for n, *_ in keep], "seconds": [round(s, 3) for _, s, _ in keep], "losses": losses}
