"""How long a comparison will take: the time of each training, and the seconds of measuring, found before the first."""

import math
from collections.abc import Mapping, Sequence

from jaxgen.comparison import ledger
from jaxgen.comparison.budget import allowed, evaluation_seconds, expected, full_time, passes, too_short
from jaxgen.comparison.console import count, say
from jaxgen.comparison.contender import Contender, Lengths
from jaxgen.comparison.course import (
    BASELINES,
    COMPILE,
    FIRST,
    MODEL,
    PRIOR,
    REPORT,
    SAVE,
    SETTLE,
    SPLIT,
    Course,
    Key,
    Left,
    Piece,
)
from jaxgen.comparison.outcome import trainings
from jaxgen.comparison.settings import Settings
from jaxgen.data import Data
from jaxgen.report.numbers import duration, some
from jaxgen.system.machine import processors
from jaxgen.tasks import Reference, Task
from jaxgen.training.compiled import MOST_COMPILERS

SMALL = 16  # pixels a side: a step on 64 takes about 16 times as long


def planned(seeds: int, models: Sequence[str], tasks: Sequence[Task], seconds: float) -> list[Piece]:
    """What `play_all` does on so many seeds; a model trains for so many seconds on one of them."""
    shares = {training.name: training.share for training in trainings(tasks)}
    whole = sum(shares.values())
    played = [Piece((MODEL, model, name), seconds * shares[name] / whole) for model in models for name in shares]
    return seeds * [Piece((SPLIT,)), *played, Piece((BASELINES,)), Piece((SAVE,))]


def foresee(
    settings: Settings, sides: Mapping[str, str], tasks: Sequence[Task], seeds: int, course: Course
) -> list[Piece]:
    """All that a comparison of models of these sides does, on so many seeds.

    The course gets guesses of what it does beside training and measuring: about the seconds of one core that the digits
    took, with 3 forms of training; a GAN trains an encoder as well. What matters is how many times as long one takes as
    another: the first tell how long the others take here.
    """
    forms = 1 + len({training.form.name for training in trainings(tasks) if training.form is not None})
    compiling = sum(3.4 * forms if own == "vae" else 5.2 * (forms + 1) for own in sides.values())
    side_by_side = min(processors(), MOST_COMPILERS)
    guesses: dict[Key, float] = {(COMPILE,): compiling / side_by_side, (BASELINES,): 3.8, (SAVE,): 0.3, (REPORT,): 3.0}
    pieces = [Piece((SPLIT,)), Piece((COMPILE,))]
    for name, own in sides.items():
        guesses[SETTLE, name] = 2.9 * forms if own == "vae" else 3.7 * forms
        guesses[FIRST, name] = 0.6 * forms if own == "vae" else 0.8 * forms
        pieces += [Piece((SETTLE, name)), Piece((FIRST, name))]
    for key, seconds in guesses.items():
        course.guess(key, seconds, PRIOR)
    played = planned(seeds, list(sides), tasks, full_time(settings.seconds_per_model, tasks))
    return [*pieces, *played, Piece((REPORT,))]


def enough(seconds: float, data: Data) -> str:
    """What gives enough passes through the data, of trainings that would have to take so many seconds.

    >>> from jaxgen.data import load
    >>> enough(11.2, load("digits"))
    '--seconds-per-model 12 or more would do.'
    """
    large = data.kind == "image" and min(data.shape[:2]) > SMALL
    smaller = f", or smaller images, such as --size {SMALL}" if large else ""
    return f"--seconds-per-model {math.ceil(seconds)} or more would do{smaller}."


def settle_lengths(
    settings: Settings,
    contenders: Mapping[str, Contender],
    reference: Reference,
    tasks: Sequence[Task],
    recorded: ledger.Recorded | None,
) -> tuple[dict[str, Lengths], dict[tuple[str, str], float]]:
    """The time of every training, and the seconds that measuring takes, by model and training, where that is known."""
    lengths: dict[str, Lengths] = {}
    measuring: dict[tuple[str, str], float] = {}
    data = reference.data
    seeds = range(settings.seed, settings.seed + settings.seeds)
    for name, contender in contenders.items():
        own = allowed(contender, settings.seconds_per_model, tasks)
        steps = expected(contender, own, tasks) if recorded is None else recorded[name, settings.seed]
        lengths[name] = own
        own_measuring = evaluation_seconds(contender, reference, tasks)
        measuring |= {(name, training): seconds for training, seconds in (own_measuring or {}).items()}
        shown = next(training for training in trainings(tasks) if training.name in steps)  # the main one, if it is run
        examples = shown.examples(data, settings.seed)
        through = passes(contender.of(shown), steps[shown.name].model, examples)
        about = "about " * (recorded is None)
        say(f"{name}: {about}{count(steps)}, {through:,.0f} passes through the data")
        if (longer := too_short(contender, steps, data, trainings(tasks), seeds)) > 1:
            say(f"{name}: too few for a settled answer; {enough(longer * settings.seconds_per_model, data)}")
    return lengths, measuring


def say_duration(settings: Settings, tasks: Sequence[Task], models: int, spent: float, left: Left) -> None:
    """One line: how long all will take. `spent` are the seconds so far."""
    training = full_time(settings.seconds_per_model, tasks) * models
    then = f"{spent:.0f} s to prepare, then {some(settings.seeds, 'seed')} of {training:g} s training and"
    if left.known:
        say(f"expected to take {duration(round(spent + left.seconds))}: {then} measuring")
    else:
        say(f"{then} measuring, which takes minutes for images of this size: the first trainings tell how long")
