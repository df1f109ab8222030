"""The time of each training of a seed, how many steps it allows, and whether these are enough for an answer."""

import math
import statistics
import time
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from jaxgen.comparison.contender import Contender, Counts, Seconds, Steps, evaluated, with_trained
from jaxgen.comparison.course import compile_seconds
from jaxgen.comparison.outcome import STAGES, Outcome, empty, measure, trainings
from jaxgen.core import Model, player
from jaxgen.data import Data
from jaxgen.tasks import MAIN, TASKS, Reference, Task, Training
from jaxgen.tasks.evaluation import large
from jaxgen.training.loop import train
from jaxgen.training.program import Program, run_keys
from jaxgen.training.step import State

ENCODER_SHARE = 1 / 6  # of the time of each training, if an encoder must be trained afterwards
FEWEST_PASSES = 10
LONG = 2.0  # seconds after which no further dispatch is timed


def allowed(contender: Contender, seconds: float, tasks: Sequence[Task]) -> dict[str, Seconds]:
    """The time of each training that the model can do on a seed: a share of `seconds`, the time of the main training.

    It does not depend on which other trainings there are.
    """
    each = {}
    for training in trainings(tasks):
        if contender.plays(training):
            encoder = 0.0 if contender.of(training).inverter is None else ENCODER_SHARE
            allotted = seconds * training.share
            each[training.name] = Seconds(allotted * (1 - encoder), allotted * encoder)
    return each


def full_time(seconds: float, tasks: Sequence[Task]) -> float:
    """The time of all trainings of one model on one seed: `seconds` for the main one, and a share of it for others."""
    return seconds * sum(training.share for training in trainings(tasks))


def expected(contender: Contender, lengths: Mapping[str, Seconds], tasks: Sequence[Task]) -> dict[str, Steps]:
    """Approximately how many steps fit into these times, found by timing a few dispatches of each program."""
    speeds: dict[str, tuple[float, float]] = {}
    steps = {}
    for training in trainings(tasks):
        if training.name in lengths:
            form = "" if training.form is None else training.form.name
            if form not in speeds:
                speeds[form] = _speeds(contender.of(training))
            each, inverting = speeds[form]
            seconds = lengths[training.name]
            steps[training.name] = Steps(round(seconds.model / each), round(seconds.encoder / inverting))
    return steps


def _speeds(contender: Contender) -> tuple[float, float]:
    """(seconds of a step of the model, seconds of a step of the encoder that is trained afterwards)."""
    each, inverting = _seconds_per_step(contender.program, None), math.inf
    if contender.inverter is not None:
        inverting = _seconds_per_step(contender.inverter, contender.program.init(run_keys(0).init))
    return each, inverting


def fewest(by_seed: Mapping[int, Outcome]) -> dict[str, Steps]:
    """For each training of a model, the steps on the seed that had the fewest steps of the model.

    Failed seeds are left out, because one that diverged early was not short of time; {} if all seeds failed.
    """
    done = [outcome for outcome in by_seed.values() if not outcome.failed]
    names = dict.fromkeys(name for outcome in done for name in outcome.steps)
    return {name: min(outcome.steps[name] for outcome in done if name in outcome.steps) for name in names}


def _seconds_per_step(program: Program, trained: State | None) -> float:
    keys = run_keys(0)
    state = program.init(keys.init)
    if trained is not None:
        state = with_trained(program, state, trained)
    times, spent = [], 0.0
    for chunk in train(program, state, keys, steps=4 * program.chunk):
        times.append(chunk.seconds / chunk.steps)
        spent += chunk.seconds
        if len(times) > 1 and spent > LONG:
            break
    return statistics.median(times[1:])


def evaluation_seconds(contender: Contender, reference: Reference, tasks: Sequence[Task]) -> dict[str, float] | None:
    """The seconds that the measurements of one model on a seed take, by training, timed on untrained models.

    It also compiles them. Measurements are timed twice, because the first time includes what is done once. If the first
    takes over 10 s without compilation, there is no second. One stage is timed in place of all. None for images so
    large that tasks use only part of them at a stage: there one more measurement would take as long as a training, so
    the time is taken from the first seed.
    """
    if large(reference.data.shape):
        return None
    models = {}
    for training in trainings(tasks):
        if contender.plays(training):
            models[training.name] = _untrained(contender.of(training))
    for _ in range(2):
        seconds, scratch = dict.fromkeys(models, 0.0), empty()
        for training in trainings(tasks):
            if training.name in models:
                model, with_encoder = models[training.name]
                for times, timed_model, stage in ((len(STAGES), model, STAGES[0]), (1, with_encoder, None)):
                    began, compiling = time.perf_counter(), compile_seconds()
                    measure(scratch, timed_model, training, reference, 0, tasks, stage)
                    compiling = compile_seconds() - compiling
                    seconds[training.name] += times * max(time.perf_counter() - began - compiling, 0.0)
        if sum(seconds.values()) > 10:
            break
    return seconds


def _untrained(contender: Contender) -> tuple[Model, Model]:
    """(the untrained model, the same model with its encoder if one is trained afterwards)."""
    state = contender.program.init(run_keys(0).init)
    model = contender.model(*evaluated(state))
    if contender.inverter is None:
        return model, model
    inverting = with_trained(contender.inverter, contender.inverter.init(run_keys(0).init), state)
    return model, contender.inverse(*evaluated(inverting))


def passes(contender: Contender, steps: int, examples: int) -> float:
    """How often a training of `steps` steps goes through the `examples` training examples.

    It counts the examples of the player with the most turns in a step; if there are domains, each turn has a batch of
    every domain. With fewer than 10 passes no verdict is given.
    """
    turns = max(Counter(player(name) for turn in contender.plan.turns for name in turn).values())
    return steps * turns * contender.program.shape[1] * max(1, len(contender.plan.domains)) / examples


def hurried(
    contenders: Mapping[str, Contender],
    lengths: Mapping[str, Counts],
    data: Data,
    training: Training,
    seeds: Sequence[int],
) -> list[str]:
    """The models that went through the data of a training fewer than 10 times on some seed.

    [] if all examples are the same, because more time would teach the models nothing.
    """
    if alike(data):
        return []
    examples = max(training.examples(data, seed) for seed in seeds)
    return [
        name
        for name, contender in contenders.items()
        if training.name in lengths[name]
        and passes(contender.of(training), lengths[name][training.name].model, examples) < FEWEST_PASSES
    ]


def too_short(
    contender: Contender, steps: Counts, data: Data, trainings: Sequence[Training], seeds: Sequence[int]
) -> float:
    """By which factor the trainings of a model should be longer to give an answer; 1 if they are long enough."""
    if alike(data):
        return 1.0
    counts = [
        passes(contender.of(training), steps[training.name].model, max(training.examples(data, seed) for seed in seeds))
        for training in trainings
        if training.name in steps
    ]
    return max([1.0, *(FEWEST_PASSES / max(through, 1e-3) for through in counts)])


def alike(data: Data) -> bool:
    """Whether all training examples are identical."""
    return all(np.array_equal(x, data.train.x[0]) for x in data.train.x)  # ends at the first that differs


def mean_seconds(by_seed: Mapping[int, Outcome]) -> float:
    """The seconds of training, averaged over seeds."""
    return sum(outcome.seconds for outcome in by_seed.values()) / len(by_seed)


def flat(lengths: Counts) -> dict[str, int]:
    """The steps of all trainings in one dict, as in report.json: "main", "encoder", "detect", "detect_encoder", ...

    A training that was not done has 0 steps.

    >>> [flat({"main": Steps(8, 4)})[name] for name in ("main", "encoder", "detect")]
    [8, 4, 0]
    """
    by_key: dict[str, int] = {}
    for training in trainings(TASKS):
        steps = lengths.get(training.name, Steps())
        by_key |= {training.name: steps.model, _encoder_of(training): steps.encoder}
    return by_key


def unflat(lengths: Mapping[str, int], stages: Mapping[str, Sequence[int]]) -> dict[str, Steps]:
    """The inverse of `flat`, with the steps of the stages by training.

    Raises:
      KeyError: if a number of steps is missing.
    """
    return {
        name: Steps(lengths[name], lengths[_encoder_of(training)], tuple(stages.get(name, ())))
        for training in trainings(TASKS)
        for name in (training.name,)
    }


def lengths_in_words() -> dict[str, str]:
    """For each key of `flat`, words that follow the number of steps and say what it counts."""
    words: dict[str, str] = {}
    for training in trainings(TASKS):
        words |= {training.name: training.words, _encoder_of(training): f"of an encoder {training.words}".rstrip()}
    return words


def _encoder_of(training: Training) -> str:
    return "encoder" if training == MAIN else f"{training.name}_encoder"
