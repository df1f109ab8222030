"""All seeds of a comparison: the order in which models are trained, the progress bar, and what a signal leaves."""

import functools
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from jaxgen.comparison.console import say
from jaxgen.comparison.contender import Contender, Lengths
from jaxgen.comparison.forecast import say_rest
from jaxgen.comparison.outcome import Outcome, baselines
from jaxgen.comparison.player import OnRecord, OnTrained, play
from jaxgen.system.allocator import give_back
from jaxgen.system.signals import Interrupted, interruptible
from jaxgen.tasks import Reference, Task
from jaxgen.tasks.groups import Groups, groups_of
from jaxgen.training.sources import arrays
from jaxgen.training.step import State

COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    TimeElapsedColumn(),
    TextColumn("left"),
    TimeRemainingColumn(),
)


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
    known: bool = True,
    on_seed: Callable[[int], None],
    on_trained: Callable[[str, int, State, Sequence[Mapping[str, Any]]], None],
    on_record: OnRecord | None = None,
) -> None:
    """Plays all seeds that are missing in `outcomes`, and adds what was trained to the end.

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
      seconds: about how long one model takes on one seed, measuring counted in; what the models take corrects it.
      known: whether measuring is counted in; if not, a line after the first seed says what is left.
      on_seed: called with each seed that all models and baselines have.
      on_trained: called with (name, seed, state, lines of metrics.jsonl) of each main training.
      on_record: called after each chunk of steps of any training, as by `jaxgen.compare`.
    """
    with Progress(*COLUMNS, console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = _Bar(progress, len(seeds) * len(contenders), seconds)

        def whole_seed(i: int, seed: int) -> None:
            bar.says(f"split of seed {seed}", i * len(contenders))
            reference = references(seed)
            # What the choice of test examples does to the figures is measured once, and taken for all seeds.
            groups = groups_of(reference) if seed == seeds[0] else None
            source = arrays(reference.data.train.x)
            # On the devices once: all programs of a seed share it.
            source = source._replace(resident=jax.device_put(source.resident))
            for j, (name, contender) in enumerate(contenders.items()):
                own = contender.on(reference.data, lambda _: source)
                hooks = functools.partial(on_trained, name, seed), _naming(on_record, name, seed)
                of_seed = reference, groups, lengths(name, seed)
                outcomes[name][seed] = _one(own, name, *of_seed, seed, tasks, bar, *hooks)
                give_back()  # what measuring needed
                bar.done(i * len(contenders) + j + 1)
            if seed not in by_baselines:
                bar.says(f"baselines, seed {seed}")
                by_baselines[seed] = baselines(reference, seed, tasks)
            reference.release()
            on_seed(seed)

        try:
            with interruptible():
                if signals:
                    raise Interrupted(signals.pop())
                every = (*outcomes.values(), by_baselines)
                missing = [i for i, seed in enumerate(seeds) if not all(seed in by_seed for by_seed in every)]
                for i in missing:
                    start = time.perf_counter()
                    whole_seed(i, seeds[i])
                    if not known and i == missing[0]:
                        say_rest(time.perf_counter() - start, len(missing) - 1)
        except Interrupted as interruption:
            signals.insert(0, interruption.signal)


class _Bar:
    """The progress bar, in seconds. What a model takes on a seed is corrected by the mean over those that are done."""

    def __init__(self, progress: Progress, models: int, seconds: float):
        """`models`: how often one model is played on one seed; `seconds` that each takes, about."""
        self._progress, self._models, self._seconds = progress, models, seconds
        self._began, self._played = time.perf_counter(), 0
        self._task = progress.add_task("", total=models * seconds)

    def says(self, text: str, models: int | None = None) -> None:
        """What is done now, and after how many models on one seed each, if that is known."""
        completed = None if models is None else models * self._seconds
        self._progress.update(self._task, description=text, completed=completed)

    def done(self, models: int) -> None:
        """So many models were played on one seed each, one of them since the last call."""
        self._played += 1
        self._seconds = (time.perf_counter() - self._began) / self._played
        self._progress.update(self._task, completed=models * self._seconds, total=self._models * self._seconds)

    def advance(self, seconds: float) -> None:
        """So much longer was trained."""
        self._progress.advance(self._task, seconds)


def _naming(on_record: OnRecord | None, name: str, seed: int) -> OnRecord | None:
    """`on_record` with the name of the model and its seed in each line."""
    return None if on_record is None else lambda line: on_record({"model": name, "seed": seed, **line})


def _one(
    contender: Contender,
    name: str,
    reference: Reference,
    groups: Groups | None,
    lengths: Lengths,
    seed: int,
    tasks: Sequence[Task],
    bar: _Bar,
    on_trained: OnTrained,
    on_record: OnRecord | None,
) -> Outcome:
    """Plays one model on one seed, and says so."""
    bar.says(f"{name}, seed {seed}")
    outcome = play(
        contender,
        reference,
        lengths,
        seed,
        tasks=tasks,
        groups=groups,
        on_seconds=bar.advance,
        on_trained=on_trained,
        on_record=on_record,
    )
    if not sys.stderr.isatty():
        say(f"{name}, seed {seed}: trained {outcome.seconds:.1f} s")
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
