"""All seeds of a comparison: who trains when, what is told meanwhile, and what a signal leaves of it."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgen.comparison.console import say
from jaxgen.comparison.contender import Contender, Rounds, play
from jaxgen.comparison.measures import Outcome, baselines
from jaxgen.data import Data
from jaxgen.metrics.features import Features
from jaxgen.system.signals import Interrupted, interruptible


def play_all(
    seeds: Sequence[int],
    entrants: Mapping[str, Contender],
    data: Data,
    features: Features,
    rounds: Mapping[str, Rounds],
    tasks: tuple[str, ...],
    simple: dict[int, Any],
    held: list[int],
) -> dict[str, dict[int, Outcome]]:
    """Outcomes by name and seed, of what was trained to the end; fills in `simple`, the baselines by seed.

    A signal cuts the training short that it strikes, and becomes the first of `held`; whoever calls holds the signals
    of the time before and after (`training.signals.stoppable`).
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    outcomes: dict[str, dict[int, Outcome]] = {name: {} for name in entrants}
    words = TextColumn("{task.description}")
    columns = (words, BarColumn(), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())

    def one(seed: int, name: str, bar: Progress, task: TaskID) -> None:
        bar.update(task, description=f"{name}, seed {seed}")
        outcome = play(entrants[name], data, features, rounds[name], seed, tasks=tasks)
        outcomes[name][seed] = outcome
        bar.advance(task)
        if not sys.stderr.isatty():
            say(f"{name}, seed {seed}: trained {outcome.seconds:.1f} s")
        if outcome.failed:
            say(f"{name}, seed {seed} failed: {outcome.failed}")

    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=len(seeds) * len(entrants))
        try:
            with interruptible():
                if held:
                    raise Interrupted(held.pop())
                for seed in seeds:
                    for name in entrants:
                        one(seed, name, bar, task)
                    if seed not in simple:
                        bar.update(task, description=f"baselines, seed {seed}")
                        simple[seed] = baselines(data, seed, tasks)
        except Interrupted as struck:
            held.insert(0, struck.signal)
    return outcomes


def whole(
    outcomes: Mapping[str, Mapping[int, Outcome]], simple: Mapping[int, Any]
) -> tuple[dict[str, dict[int, Outcome]], dict[int, Any]]:
    """Both without the seeds that only some have: every model is told by the same seeds as its rivals.

    >>> whole({"vae": {0: "a", 1: "b"}, "gan": {0: "c"}}, {0: "d", 1: "e"})
    ({'vae': {0: 'a'}, 'gan': {0: 'c'}}, {0: 'd'})
    """
    done = [seed for seed in simple if all(seed in by_seed for by_seed in outcomes.values())]
    kept = {name: {seed: by_seed[seed] for seed in done} for name, by_seed in outcomes.items()}
    return kept, {seed: simple[seed] for seed in done}
