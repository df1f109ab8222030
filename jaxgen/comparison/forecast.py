"""How long a comparison will take: the time of each training, and the seconds of measuring, found before the first."""

import math
from collections.abc import Mapping, Sequence

from jaxgen.comparison import ledger
from jaxgen.comparison.budget import allowed, evaluation_seconds, expected, full_time, passes, too_short
from jaxgen.comparison.console import count, say
from jaxgen.comparison.contender import Contender, Lengths
from jaxgen.comparison.outcome import trainings
from jaxgen.comparison.settings import Settings
from jaxgen.data import Data
from jaxgen.report.numbers import duration, some
from jaxgen.tasks import Reference, Task

SMALL = 16  # pixels a side: a step on 64 takes about 16 times as long


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
) -> tuple[dict[str, Lengths], float | None]:
    """The time of every training, and the seconds that measuring one seed of all models takes, if that is known."""
    lengths: dict[str, Lengths] = {}
    measuring: float | None = 0.0
    data = reference.data
    seeds = range(settings.seed, settings.seed + settings.seeds)
    for name, contender in contenders.items():
        own = allowed(contender, settings.seconds_per_model, tasks)
        steps = expected(contender, own, tasks) if recorded is None else recorded[name, settings.seed]
        lengths[name] = own
        own_measuring = evaluation_seconds(contender, reference, tasks)
        measuring = None if measuring is None or own_measuring is None else measuring + own_measuring
        shown = next(training for training in trainings(tasks) if training.name in steps)  # the main one, if it is run
        examples = shown.examples(data, settings.seed)
        through = passes(contender.of(shown), steps[shown.name].model, examples)
        about = "about " * (recorded is None)
        say(f"{name}: {about}{count(steps)}, {through:,.0f} passes through the data")
        if (longer := too_short(contender, steps, data, trainings(tasks), seeds)) > 1:
            say(f"{name}: too few for a settled answer; {enough(longer * settings.seconds_per_model, data)}")
    return lengths, measuring


def say_duration(settings: Settings, tasks: Sequence[Task], models: int, spent: float, measuring: float | None) -> None:
    """One line: how long all will take. `spent` are the seconds so far, `measuring` those of a seed if it is known."""
    training = full_time(settings.seconds_per_model, tasks) * models
    then = f"{spent:.0f} s to prepare, then {some(settings.seeds, 'seed')} of {training:g} s training and "
    if measuring is None:
        say(f"{then}measuring, which takes minutes for images of this size: the first seed tells how long")
        return
    total = duration(round(spent + settings.seeds * (training + measuring)))
    say(f"expected to take {total}: {then}{measuring:.0f} s measuring")


def say_rest(seconds: float, seeds: int) -> None:
    """One line after the first seed, if its time was not known before: `seconds` it took, `seeds` are left."""
    took = f"the first seed took {duration(round(seconds))}, measuring counted in"
    say(f"{took}; about {duration(round(seconds * seeds))} to go" if seeds else took)
