"""What a reader must know before relying on the figures of a comparison: sentences for the page and the report."""

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

FEWEST_TESTED = 100  # test examples; with fewer, each single one changes a figure noticeably
FEW_SEEDS = (2, 3)  # numbers of seeds whose intervals are wide
UNEQUAL = 1.05  # longest over shortest training; trainings end within half a chunk of steps of their time
OVERTIME = 1.5  # longest training over its intended time
LEAST_REAL = 0.1  # precision and coverage of real data as samples; below it the features are of no use


def limits(
    settings: Settings,
    data: Data,
    contenders: Mapping[str, Contender],
    lengths: Mapping[str, Counts],
    outcomes: Mapping[str, Mapping[int, Outcome]],
    tasks: Sequence[Task],
    floor: Mapping[str, float],
) -> list[str]:
    """All notes, first those that may change the answer.

    Args:
      settings: of the comparison.
      data: of the comparison.
      contenders: by name.
      lengths: the steps of each training, by name of the model.
      outcomes: by name and seed.
      tasks: those that were measured.
      floor: figures of real data, by metric.
    """
    seeds = range(settings.seed, settings.seed + settings.seeds)
    return [
        *_empty(data),
        *_unreal(floor),
        *_hurry(contenders, lengths, data, tasks, seeds),
        *_times({name: _intended(settings, contender, tasks) for name, contender in contenders.items()}, outcomes),
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
    note = "All training examples are identical: there is nothing to learn, and figures and answers have no meaning."
    return [note] if alike(data) else []


def _unreal(floor: Mapping[str, float]) -> list[str]:
    low = {name: floor[name] for name in ("precision", "coverage") if floor.get(name, 1.0) < LEAST_REAL}
    if not low:
        return []
    figures = listing([f"{name} {number(value, 2)}" for name, value in low.items()])
    return [
        f"In this feature space even training examples do not resemble test examples ({figures}; 1 is best): "
        "precision, recall, coverage and the distances say little about the quality of samples."
    ]


def _hurry(
    contenders: Mapping[str, Contender],
    lengths: Mapping[str, Counts],
    data: Data,
    tasks: Sequence[Task],
    seeds: Sequence[int],
) -> list[str]:
    unsettled = {}  # by model; a main training that is too short replaces the note on any other training
    for training in sorted(trainings(tasks), key=lambda training: training == MAIN):
        settings = listing([task.setting for task in tasks if task.training == training])
        for name in hurried(contenders, lengths, data, training, seeds):
            who = f"{name}, trained {training.words}," if training.words else name
            unsettled[name] = ("anything" if training == MAIN else settings, who)
    return [
        f"Too short to decide {what}: {who} went through the training data fewer than {FEWEST_PASSES} times. Choose a "
        "larger --seconds-per-model."
        for what, who in unsettled.values()
    ]


def _intended(settings: Settings, contender: Contender, tasks: Sequence[Task]) -> float:
    """The seconds that all trainings of a model on one seed should take."""
    return sum(sum(seconds) for seconds in allowed(contender, settings.seconds_per_model, tasks).values())


def _times(intended: Mapping[str, float], outcomes: Mapping[str, Mapping[int, Outcome]]) -> list[str]:
    spent = {name: mean_seconds(by_seed) for name, by_seed in outcomes.items()}
    over = [mean / intended[name] for name, mean in spent.items()]
    unequal = max(over) > UNEQUAL * min(over)
    if not unequal and max(over) <= OVERTIME:
        return []
    what = "Training times differ between models" if unequal else "Training took longer than intended"
    times = ", ".join(f"{n} {duration(mean)} of {duration(intended[n])} intended" for n, mean in spent.items())
    return [f"{what}. Time for each seed: {times}."]


def _sizes(tested: int, seeds: int) -> list[str]:
    notes = []
    if tested < FEWEST_TESTED:
        notes.append(
            f"The test split has only {tested} examples: each of them changes the figures, so only large differences "
            "can be detected."
        )
    if seeds in FEW_SEEDS:
        width, usual = (quantile(n - 1) / math.sqrt(n) for n in (seeds, 5))
        notes.append(
            f"Intervals of {seeds} seeds are wide: {width:.1f} standard deviations to each side, compared with "
            f"{usual:.1f} for 5 seeds. They are cut at the bounds of a figure."
        )
    return notes


def _shared(data: Data, outcomes: Mapping[str, Mapping[int, Outcome]], tasks: Sequence[Task]) -> list[str]:
    """Whether intervals include the variation due to the choice of test examples, if all seeds share them."""
    if split_is_drawn(data):
        return []
    grouped = {name for by_seed in outcomes.values() for outcome in by_seed.values() for name in outcome.without}
    counted = [task.setting for task in tasks if task.name in grouped]
    alone = [task.setting for task in tasks if task.name not in grouped]
    note = (
        "The test split is the data's own, and all seeds share it: intervals show the variation over seeds, and other "
        "test examples might give other figures."
    )
    if counted:
        note += (
            f" For {listing(counted)} the interval of the deciding difference includes this variation, measured by "
            f"leaving out each of {GROUPS} groups of test examples in turn. A baseline is assumed to vary as much as "
            "the models, and independently of them."
        )
        note += f" For {listing(alone)} it does not include it." if alone else ""
    return [note]


def _parts(data: Data, tasks: Sequence[Task]) -> list[str]:
    """Which evaluations used only a part of the test examples."""
    shape, tested = data.shape, len(data.test.x)
    whole, stage = most(shape), most(shape, STAGED)
    if tested <= stage:
        return []
    note = f"A fixed random part of the {tested:,} test examples is evaluated: {min(whole, tested):,} after training, "
    note += f"and {stage:,} at the stages during training."
    if DETECT in tasks and most(shape, SCORED) < LIMIT:
        note += f" Anomaly detection scores at most {most(shape, SCORED):,} of them, with {samples_of(shape)} "
        note += "posterior samples each."
    if RESTORE in tasks and most(shape, MANY) < whole:
        note += f" In super-resolution, several results are drawn for {most(shape, MANY):,} small images only."
    return [note]


def _encoders(contenders: Mapping[str, Contender]) -> list[str]:
    return [
        f"There is no encoder in {name}. One is trained on pairs (G(z), z) after each training, within the model's "
        "time. The figures at 25, 50 and 100 % of the time are measured without it."
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
    return [
        f"The sides have different numbers of models: {each}. A side with more models has more chances to lead; its p "
        "value is corrected for that."
    ]


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
                notes.append(
                    f"In “{task.title}”, validation data chose these scores or layers of {name}: {', '.join(counts)}."
                )
    return notes
