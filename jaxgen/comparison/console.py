"""The output of a comparison: lines on stderr while it runs, and the answer on stdout at its end."""

import sys
from collections.abc import Mapping, Sequence

from jaxgen.comparison.contender import Counts
from jaxgen.comparison.outcome import trainings
from jaxgen.comparison.verdict import ONE_SEED
from jaxgen.data import Data
from jaxgen.report import headline
from jaxgen.report.answer import called, verdict
from jaxgen.report.sentences import listing, sentence
from jaxgen.tasks import SETTINGS, TASKS

LEFT_OUT = "It was not requested."  # the reason for a setting that `--settings` does not name


def say(line: str) -> None:
    """Prints a line to stderr, to keep stdout for the answer."""
    print(line, file=sys.stderr, flush=True)


def say_data(data: Data, unserved: Mapping[str, str]) -> None:
    """Prints what was loaded, how it was processed, and which tasks it cannot serve.

    If the data are no images, tasks that need images are not mentioned.
    """
    sizes = ", ".join(f"{len(split.x):,} {name}" for name, split in data.splits.items())
    say(f"{data.name}: {data.kind} {' x '.join(map(str, data.shape))}; {sizes}")
    for note in data.notes:
        say(f"{data.name}: {note}")
    of_images = {setting.name for setting in SETTINGS if setting.needs_images}
    left: dict[str, list[str]] = {}
    for task in TASKS:
        reason = unserved.get(task.name, LEFT_OUT)
        if reason != LEFT_OUT and (data.kind == "image" or task.setting not in of_images):
            left.setdefault(reason, []).append(called(task.setting, data.kind))
    for reason, settings in left.items():
        say(f"not measured: {listing(settings)}. {reason if reason.startswith(data.name) else sentence(reason)}")


def print_answer(advice: Sequence[Mapping[str, str]], kind: str) -> None:
    """Prints the headline, then a line for each setting that has an answer, without repeating the headline's reason."""
    print(headline(advice, kind))
    for answer in advice:
        if choice := verdict(answer):
            reason = answer["because"].removeprefix(ONE_SEED).strip()
            print(f"  {called(answer['setting'], kind)}: {choice}. {reason}")


def count(lengths: Counts) -> str:
    """The steps of one model in words, for each of its trainings that has any."""
    parts = [
        f"{lengths[training.name].model:,} {training.words or 'steps a seed'}"
        for training in trainings(TASKS)
        if training.name in lengths and lengths[training.name].model
    ]
    if encoders := sum(steps.encoder for steps in lengths.values()):
        parts.append(f"{encoders:,} of encoders")
    return ", ".join(parts)
