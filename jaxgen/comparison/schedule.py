"""All seeds of a comparison: the order in which models are trained, and what a signal leaves."""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax

from jaxgen.comparison.console import say
from jaxgen.comparison.contender import Contender, Lengths
from jaxgen.comparison.course import BASELINES, FIRST, MODEL, SAVE, SPLIT, Course
from jaxgen.comparison.forecast import planned
from jaxgen.comparison.outcome import Outcome, baselines
from jaxgen.comparison.player import OnRecord, OnTrained, play
from jaxgen.system.allocator import give_back
from jaxgen.system.bar import drawn, seen
from jaxgen.system.signals import Interrupted, interruptible, unbroken
from jaxgen.tasks import Reference, Task, Training
from jaxgen.tasks.groups import Groups, groups_of
from jaxgen.training.sources import arrays
from jaxgen.training.step import State


def play_all(
    seeds: Sequence[int],
    contenders: Mapping[str, Contender],
    references: Callable[[int], Reference],
    lengths: Callable[[str, int], Lengths],
    tasks: Sequence[Task],
    by_baselines: dict[int, Any],
    signals: list[int],
    *,
    outcomes: dict[str, dict[int, Outcome]],
    seconds: float,
    course: Course | None = None,
    on_seed: Callable[[int], None],
    on_trained: Callable[[str, int, State, Sequence[Mapping[str, Any]]], None],
    on_record: OnRecord | None = None,
) -> None:
    """Plays all seeds that are missing in `outcomes`, and adds those that all models were trained on to the end.

    A signal ends the training during which it arrives.

    Args:
      seeds: in the order in which they are played; all models play one before the next begins.
      contenders: by name.
      references: seed -> what models of that seed are trained on and measured against.
      lengths: (name, seed) -> what that model plays on that seed.
      tasks: those that are measured.
      by_baselines: seed -> figures of the baselines; those of seeds that are missing are added.
      signals: becomes [the signal that ended a training, ...]. The caller collects those of the time before and after
        (`jaxgen.system.signals.stoppable`), and one that is there already means that nothing is trained.
      outcomes: by name and seed.
      seconds: that one model trains on one seed.
      course: with what is `planned` of the missing seeds; by default one of its own.
      on_seed: called with each seed that all models and baselines have.
      on_trained: called with (name, seed, state, lines of metrics.jsonl) of each main training.
      on_record: called after each chunk of steps of any training, as by `jaxgen.compare`.
    """
    every = (*outcomes.values(), by_baselines)
    missing = [seed for seed in seeds if not all(seed in by_seed for by_seed in every)]
    if course is None:
        course = Course()
        course.add(planned(len(missing), list(contenders), tasks, seconds))

    def whole_seed(seed: int) -> None:
        heading = f"seed {seed} ({seeds.index(seed) + 1} of {len(seeds)})"
        # The first split was made already, or is the only one.
        with course.at((SPLIT,), f"{heading}: split of the data", usual=seed != seeds[0]):
            reference = references(seed)
            # What the choice of test examples does to the figures is measured once, and taken for all seeds.
            groups = groups_of(reference) if seed == seeds[0] else None
            source = arrays(reference.data.train.x)
            # On the devices once: all programs of a seed share it.
            source = source._replace(resident=jax.device_put(source.resident))
        played = {}
        for name, contender in contenders.items():
            own = contender.on(reference.data, lambda _: source)
            hooks = functools.partial(on_trained, name, seed), _naming(on_record, name, seed)
            of_seed = reference, groups, lengths(name, seed)
            played[name] = _one(own, name, *of_seed, seed, heading, tasks, course, *hooks)
            give_back()  # what measuring needed
        figures = by_baselines.get(seed)
        if figures is None:
            with course.at((BASELINES,), f"{heading}: baselines"):
                figures = baselines(reference, seed, tasks)
        reference.release()
        if struck:  # a library swallowed the exception: what was computed since may not be whole
            raise Interrupted(struck[0])
        # What is reported as measured is on the disk, so that the comparison can be resumed.
        with course.at((SAVE,), f"{heading}: saving"), unbroken():
            for name, outcome in played.items():
                outcomes[name][seed] = outcome
            by_baselines[seed] = figures
            on_seed(seed)

    try:
        with drawn(course.rows), interruptible() as struck:
            if signals:
                raise Interrupted(signals.pop())
            for seed in missing:
                whole_seed(seed)
    except Interrupted as interruption:
        signals.insert(0, interruption.signal)
    except Exception:
        if not struck:
            raise
        signals.insert(0, struck[0])


def _naming(on_record: OnRecord | None, name: str, seed: int) -> OnRecord | None:
    """`on_record` with the name of the model in each line. What it raises ends the comparison, with a note of that."""
    if on_record is None:
        return None

    def named(line: dict[str, Any]) -> None:
        try:
            on_record({"model": name, **line})
        except BaseException as error:
            error.add_note(
                f"on_record raised this, in the training of {name} on seed {seed}, after step {line['step']}."
            )
            raise

    return named


def _one(
    contender: Contender,
    name: str,
    reference: Reference,
    groups: Groups | None,
    lengths: Lengths,
    seed: int,
    heading: str,
    tasks: Sequence[Task],
    course: Course,
    on_trained: OnTrained,
    on_record: OnRecord | None,
) -> Outcome:
    """Plays one model on one seed, and says so."""

    def during(training: Training) -> AbstractContextManager:
        return course.at((MODEL, name, training.name), f"{heading}: {name}, {training.title}")

    outcome = play(
        contender,
        reference,
        lengths,
        seed,
        tasks=tasks,
        groups=groups,
        during=during,
        on_seconds=course.trained,
        on_trained=on_trained,
        on_record=on_record,
    )
    course.skip((FIRST, name))
    if not seen():
        say(f"{name}, seed {seed}: trained {outcome.seconds:.1f} s; {course.left()}")
    if outcome.failed:
        say(f"{name}, seed {seed} failed: {outcome.failed}")
    return outcome


def whole(
    outcomes: Mapping[str, Mapping[int, Outcome]], by_baselines: Mapping[int, Any]
) -> tuple[dict[str, dict[int, Outcome]], dict[int, Any]]:
    """Both without the seeds that not all have, so that all models and baselines are read on the same seeds.

    >>> whole({"vae": {0: "a", 1: "b"}, "gan": {0: "c"}}, {0: "d", 1: "e"})
    ({'vae': {0: 'a'}, 'gan': {0: 'c'}}, {0: 'd'})
    """
    done = [seed for seed in by_baselines if all(seed in by_seed for by_seed in outcomes.values())]
    kept = {name: {seed: by_seed[seed] for seed in done} for name, by_seed in outcomes.items()}
    return kept, {seed: by_baselines[seed] for seed in done}
