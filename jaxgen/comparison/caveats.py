"""What a reader must know before leaning on the figures of a comparison: sentences for the page and the report."""

import math
from collections.abc import Mapping, Sequence

from jaxgen.comparison.budget import FEWEST_PASSES, alike, allowed, hurried, mean_seconds
from jaxgen.comparison.contender import Contender, Counts
from jaxgen.comparison.outcome import Outcome, trainings
from jaxgen.comparison.settings import Settings
from jaxgen.comparison.statistics import quantile
from jaxgen.data import Data
from jaxgen.report.numbers import duration, number, some
from jaxgen.report.sentences import listing
from jaxgen.tasks import DETECT, MAIN, RESTORE, Task
from jaxgen.tasks.detect import samples_of
from jaxgen.tasks.evaluation import LIMIT, STAGED, most
from jaxgen.tasks.groups import GROUPS
from jaxgen.tasks.restore import MANY
from jaxgen.tasks.task import split_is_drawn
from jaxgen.tasks.unseen import SCORED

FEWEST_TESTED = 100  # test examples; with fewer each of them moves a figure
FEW_SEEDS = (2, 3)  # that give intervals, and wide ones
UNEQUAL = 1.05  # the longest training over the shortest: each ends within half a chunk of steps of its time
OVERTIME = 1.5  # the longest training over the time that was meant
LEAST_REAL = 0.1  # precision and coverage of real data as samples; below it features tell nothing


def limits(
    settings: Settings,
    data: Data,
    contenders: Mapping[str, Contender],
    lengths: Mapping[str, Counts],
    outcomes: Mapping[str, Mapping[int, Outcome]],
    tasks: Sequence[Task],
    floor: Mapping[str, float],
) -> list[str]:
    """All of them, first what may change the answer.

    Args:
      settings: of the comparison.
      data: what was trained on.
      contenders: by name.
      lengths: by name.
      outcomes: by name and seed.
      tasks: those that were measured.
      floor: figures of real data, by metric.
    """
    seeds = range(settings.seed, settings.seed + settings.seeds)
    return [
        *_empty(data),
        *_unreal(floor),
        *_hurry(contenders, lengths, data, tasks, seeds),
        *_times({name: _meant(settings, own, tasks) for name, own in contenders.items()}, outcomes),
        *_sizes(len(data.test.x), settings.seeds),
        *_shared(data, outcomes, tasks),
        *_parts(data, tasks),
        *_encoders(contenders),
        *_left_out(contenders, tasks),
        *_search(contenders),
        *(note for task in tasks for note in task.notes(data, seeds)),
        *_choices(outcomes, tasks),
        *(
            f"Seed {seed} of {name} failed: {outcome.failed}"
            for name, by_seed in outcomes.items()
            for seed, outcome in by_seed.items()
            if outcome.failed
        ),
    ]


def _empty(data: Data) -> list[str]:
    note = "All training examples are alike: there is nothing to learn, and neither figures nor answers mean anything."
    return [note] if alike(data) else []


def _unreal(floor: Mapping[str, float]) -> list[str]:
    low = {name: floor[name] for name in ("precision", "coverage") if floor.get(name, 1.0) < LEAST_REAL}
    if not low:
        return []
    figures = listing([f"{name} {number(value, 2)}" for name, value in low.items()])
    return [
        f"In this feature space training examples do not pass for test examples ({figures}, where 1 is best): "
        "precision, recall, coverage and the distances say little of how real samples are."
    ]


def _hurry(
    contenders: Mapping[str, Contender],
    lengths: Mapping[str, Counts],
    data: Data,
    tasks: Sequence[Task],
    seeds: Sequence[int],
) -> list[str]:
    unsettled = {}  # by model; where the main training is too short, nothing else need be said
    for training in sorted(trainings(tasks), key=lambda training: training == MAIN):
        settings = listing([task.setting for task in tasks if task.training == training])
        for name in hurried(contenders, lengths, data, training, seeds):
            who = f"{name}, trained {training.words}," if training.words else name
            unsettled[name] = ("anything" if training == MAIN else settings, who)
    return [
        f"Too short to settle {what}: {who} went through the training data fewer than {FEWEST_PASSES} times. Give it "
        "more --seconds-per-model."
        for what, who in unsettled.values()
    ]


def _meant(settings: Settings, contender: Contender, tasks: Sequence[Task]) -> float:
    """The seconds of one seed."""
    return sum(sum(own) for own in allowed(contender, settings.seconds_per_model, tasks).values())


def _times(meant: Mapping[str, float], outcomes: Mapping[str, Mapping[int, Outcome]]) -> list[str]:
    spent = {name: mean_seconds(by_seed) for name, by_seed in outcomes.items()}
    over = [mean / meant[name] for name, mean in spent.items()]
    unequal = max(over) > UNEQUAL * min(over)
    if not unequal and max(over) <= OVERTIME:
        return []
    what = "equal" if unequal else "those that were meant"
    times = ", ".join(
        f"{n} trained {duration(mean)} where {duration(meant[n])} were meant" for n, mean in spent.items()
    )
    return [f"The times of a seed are not {what}: {times}."]


def _sizes(tested: int, seeds: int) -> list[str]:
    notes = []
    if tested < FEWEST_TESTED:
        notes.append(
            f"The test split holds {tested} examples: each of them moves the figures, and only large differences show."
        )
    if seeds in FEW_SEEDS:
        here, usual = (quantile(n - 1) / math.sqrt(n) for n in (seeds, 5))
        notes.append(
            f"Intervals of {seeds} seeds are wide, {here:.1f} standard deviations to each side where 5 seeds give "
            f"{usual:.1f}, and are cut where a figure must end."
        )
    return notes


def _shared(data: Data, outcomes: Mapping[str, Mapping[int, Outcome]], tasks: Sequence[Task]) -> list[str]:
    """What intervals say of the choice of test examples, if all seeds share them."""
    if split_is_drawn(data):
        return []
    grouped = {name for by_seed in outcomes.values() for outcome in by_seed.values() for name in outcome.without}
    counted = [task.setting for task in tasks if task.name in grouped]
    alone = [task.setting for task in tasks if task.name not in grouped]
    said = (
        "The test split is the data's own, and all seeds share it: intervals are over seeds, and other test examples "
    )
    said += "might give other figures."
    if counted:
        said += (
            f" The deciding difference of {listing(counted)} counts that in, by leaving out each of {GROUPS} groups of "
        )
        said += "test examples; a baseline is taken to vary as much as the models, and independently."
        said += f" That of {listing(alone)} does not." if alone else ""
    return [said]


def _parts(data: Data, tasks: Sequence[Task]) -> list[str]:
    """What was looked at in part."""
    shape, tested = data.shape, len(data.test.x)
    whole, stage = most(shape), most(shape, STAGED)
    if tested <= stage:
        return []
    said = f"Of {tested:,} test examples a fixed random part is looked at: {min(whole, tested):,}, and {stage:,} at a "
    said += "stage of a training."
    if DETECT in tasks and most(shape, SCORED) < LIMIT:
        said += f" Anomalies are told on {most(shape, SCORED):,} at most, by {samples_of(shape)} samples of each."
    if RESTORE in tasks and most(shape, MANY) < whole:
        said += f" Of super-resolution {most(shape, MANY):,} small images have all their results."
    return [said]


def _encoders(contenders: Mapping[str, Contender]) -> list[str]:
    return [
        f"No encoder of its own: {name}. One is trained afterwards on (G(z), z), inside its time. "
        "Its stages are read without it."
        for name, contender in contenders.items()
        if contender.inverter is not None
    ]


def _search(contenders: Mapping[str, Contender]) -> list[str]:
    counts: dict[str, int] = {}
    for contender in contenders.values():
        counts[contender.side] = counts.get(contender.side, 0) + 1
    if len(set(counts.values())) < 2:
        return []
    each = listing([f"{some(n, 'model')} of side {side}" for side, n in counts.items()])
    return [f"The search is not equal: {each}. The side with more has more chances, which its p value pays for."]


def _left_out(contenders: Mapping[str, Contender], tasks: Sequence[Task]) -> list[str]:
    return [
        f"Not trained for {task.setting}: {name}. {contender.forms[task.training.form.name]}"
        for task in tasks
        for name, contender in contenders.items()
        if task.training.form is not None and not contender.plays(task.training)
    ]


def _choices(outcomes: Mapping[str, Mapping[int, Outcome]], tasks: Sequence[Task]) -> list[str]:
    notes = []
    for name, by_seed in outcomes.items():
        for task in tasks:
            chosen = [outcome.chosen[task.name] for outcome in by_seed.values() if outcome.chosen.get(task.name)]
            counts = [f"{one} ({chosen.count(one)} of {some(len(chosen), 'seed')})" for one in dict.fromkeys(chosen)]
            if counts:
                notes.append(f"Chosen on validation data in “{task.name}”, of {name}: {', '.join(counts)}.")
    return notes
