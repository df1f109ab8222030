"""All seeds of a comparison: the order in which models are trained, the progress bar, and what a signal leaves."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from jaxgen.comparison.console import say
from jaxgen.comparison.contender import Contender, Lengths, play
from jaxgen.comparison.outcome import Outcome, baselines
from jaxgen.system.signals import Interrupted, interruptible
from jaxgen.tasks import Reference, Task
from jaxgen.training.sources import Source, arrays


def play_all(
    seeds: Sequence[int],
    contenders: Mapping[str, Contender],
    references: Callable[[int], Reference],
    lengths: Callable[[str, int], Lengths],
    tasks: Sequence[Task],
    by_baselines: dict[int, Any],
    signals: list[int],
) -> dict[str, dict[int, Outcome]]:
    """Outcomes by name and seed, of all that was trained to the end.

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
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    outcomes: dict[str, dict[int, Outcome]] = {name: {} for name in contenders}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )

    def one(seed: int, name: str, reference: Reference, source: Source, bar: Progress, task: TaskID) -> None:
        bar.update(task, description=f"{name}, seed {seed}")
        outcome = play(contenders[name].on(source), reference, lengths(name, seed), seed, tasks=tasks)
        outcomes[name][seed] = outcome
        bar.advance(task)
        if not sys.stderr.isatty():
            say(f"{name}, seed {seed}: trained {outcome.seconds:.1f} s")
        if outcome.failed:
            say(f"{name}, seed {seed} failed: {outcome.failed}")

    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=len(seeds) * len(contenders))
        try:
            with interruptible():
                if signals:
                    raise Interrupted(signals.pop())
                for seed in seeds:
                    bar.update(task, description=f"split of seed {seed}")
                    reference = references(seed)
                    # On the devices once: all programs of a seed share it.
                    source = arrays(jax.device_put(reference.data.train.x))
                    for name in contenders:
                        one(seed, name, reference, source, bar, task)
                    if seed not in by_baselines:
                        bar.update(task, description=f"baselines, seed {seed}")
                        by_baselines[seed] = baselines(reference, seed, tasks)
        except Interrupted as interruption:
            signals.insert(0, interruption.signal)
    return outcomes


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
