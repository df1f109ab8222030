"""From comparisons to the tables of a claim, and to its verdict over several data sets."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.evidence import Verdict
from experiments.settings import SIDES, TOLD, WORDS, Config, Found, Measured
from jaxgen.comparison.statistics import difference, interval, within
from jaxgen.tasks import BASELINE, TASKS, titled
from jaxgen.tasks.task import headline

TEXTBOOK = {  # the side that it recommends, by setting
    "image synthesis": "gan",
    "style transfer": "gan",
    "super-resolution": "gan",
    "anomaly detection": "vae",
    "representation learning": "vae",
    "semantic manipulation": "vae",
}
TASK = {task.setting: task for task in TASKS}
CALLED = {"either": "equal", "vae": "VAE", "gan": "GAN"}
AGREES, AGAINST, OPEN = "As claimed", "Against it", "Open"
State = tuple[str, str]  # one of these, and what a reader should know of it, or ""
Spread = list[float | None]  # [mean, low, high], the ends of its 95 % interval

WHY = {  # the answer's own reasons, in short
    "better": "the difference is sure",
    "baseline": "a baseline is better than both",
    "equal": "within the margin",
    "overlap": "the interval of the difference holds zero",
    "correction": "not sure over all settings together",
    "closing": "the lead was closing",
    "barred": "the leader copies training examples",
    "hurried": "too few passes through the data",
}
RULE = (
    "Supported if every data set agrees, not supported if every one contradicts, else it depends. A data set agrees "
    "where `jaxgen compare` chooses the side that the textbook recommends, contradicts where it chooses the other, "
    "calls both equal or finds a baseline without a generative model better than both (neither), and is open where it "
    "stays undecided."
)
FAIR = (
    "One VAE and one GAN (R3GAN) are trained for the same time with the same generator network, on the same examples, "
    "and are judged on examples that neither has seen. Each seed draws its own split of the data into 70 % that is "
    "trained on, 10 % that is chosen by and 20 % that is judged on."
)
ONE_RECIPE = (
    "Small images, one recipe a side and short training, of which a busy machine makes fewer steps (a table of choose "
    "counts them): larger images and longer training may answer otherwise."
)


def values(results: Found, task: str, metric: str, name: str) -> dict[int, float]:
    """A figure of a model, or of a baseline by its name on the page, by seed; only what is finite."""
    if name in results.outcomes:
        by_seed = {seed: outcome.figures.get(task, {}).get(metric) for seed, outcome in results.outcomes[name].items()}
    else:
        full = f"{BASELINE}{name}"
        by_seed = {s: by_name.get(full, {}).get(task, {}).get(metric) for s, by_name in results.baselines.items()}
    return {seed: value for seed, value in by_seed.items() if value is not None and math.isfinite(value)}


def baselines_of(results: Found, task: str) -> list[str]:
    """The names of the baselines of a task."""
    names = dict.fromkeys(name for by_name in results.baselines.values() for name in by_name if by_name[name].get(task))
    return [name.removeprefix(BASELINE) for name in names]


def spread(by_seed: Mapping[int, float]) -> Spread | None:
    """Mean and 95 % interval over seeds, None where there is no figure.

    >>> [round(x, 3) for x in spread({0: 1.0, 1: 2.0, 2: 3.0})]
    [2.0, -0.484, 4.484]
    """
    if not by_seed:
        return None
    return [value if math.isfinite(value) else None for value in interval(list(by_seed.values()))[:3]]


def shown(results: Found, task: str, metric: str, name: str) -> Spread | None:
    """`spread` of a figure of a model or of a baseline, cut where the figure must end."""
    (about,) = [row.metrics(results.data).get(metric) for row in TASKS if row.name == task]
    entries = values(results, task, metric, name)
    if not entries:
        return None
    cut = within(interval(list(entries.values())), about.bounds if about else None)
    return [value if math.isfinite(value) else None for value in cut[:3]]


def gap(a: Mapping[int, float], b: Mapping[int, float]) -> Spread | None:
    """Mean of a minus b over the seeds that both have, with its interval.

    >>> [round(x, 3) for x in gap({0: 2.0, 1: 3.0, 2: 4.0}, {0: 1.0, 1: 2.5, 2: 2.0})]
    [1.167, -0.731, 3.064]
    """
    results = difference(a, b)
    if not results.n:
        return None
    return [value if math.isfinite(value) else None for value in (results.mean, results.low, results.high)]


def above(one: Spread | None, than: float = 0.0) -> bool:
    """Whether the whole interval is above a number.

    >>> above([2.0, 1.0, 3.0]), above([2.0, -1.0, 3.0]), above(None), above([2.0, None, None])
    (True, False, False, False)
    """
    return one is not None and one[1] is not None and one[1] > than


def below(one: Spread | None, than: float = 0.0) -> bool:
    """Whether the whole interval is below a number."""
    return one is not None and one[2] is not None and one[2] < than


def row(results: Found, setting: str) -> dict[str, Any]:
    """What a comparison answers for a setting, and the figures that the answer rests on."""
    task, (answer,) = TASK[setting], [one for one in results.report["advice"] if one["setting"] == setting]
    metrics = task.metrics(results.data)
    metric = headline(metrics)
    up = bool(metrics[metric].higher_is_better)
    vae, gan = (shown(results, task.name, metric, name) for name in SIDES.values())
    tested = answer.get("difference", {})
    others = {name: values(results, task.name, metric, name) for name in baselines_of(results, task.name)}
    means = {name: math.fsum(entries.values()) / len(entries) for name, entries in others.items() if entries}
    best = (max if up else min)(means, key=means.__getitem__) if means else None
    return {
        "textbook": CALLED[TEXTBOOK[setting]],
        "chosen": CALLED.get(answer["choose"], answer["choose"]),
        "why": WHY.get(tested.get("why", ""), ""),
        "metric": f"{titled(task, metric)}, {'higher' if up else 'lower'} is better",
        "vae": vae,
        "gan": gan,
        "gan_minus_vae": _tested(tested),
        "p_corrected": tested.get("p_corrected"),
        "best_baseline": best,
        "of_that_baseline": shown(results, task.name, metric, best) if best else None,
        "real_data": floor(results, task.name, metric),
    }


def _tested(tested: Mapping[str, Any]) -> Spread | None:
    """The report's own difference, GAN minus VAE."""
    if not tested:
        return None
    assert tested["of"] == [SIDES["gan"], SIDES["vae"]]
    return [tested[name] for name in ("mean", "low", "high")]


def floor(results: Found, task: str, metric: str) -> float | None:
    """The figure of real data, as the task measures it on the first split; None where they have none."""
    cells = [tasks.get(task, {}).get(metric) for tasks in results.report["models"].values()]
    return next((cell["reference"] for cell in cells if cell), None)


def choice(entry: Mapping[str, Any]) -> State:
    """What a row of `row` says of the textbook's recommendation."""
    state, chosen = entry["textbook"], entry["chosen"]
    if chosen == state:
        return AGREES, ""
    if chosen in ("undecided", "not measured"):
        return OPEN, entry["why"] or (chosen if chosen != "undecided" else "")
    return AGAINST, f"{chosen}, not {state}"


def verdict(states: Mapping[str, State], nothing: str = "Nothing was measured.") -> Verdict:
    """Supported where all agree, not supported where all contradict, else it depends."""
    groups: dict[str, list[str]] = {state: [] for state in (AGREES, AGAINST, OPEN)}
    for name, (state, note) in states.items():
        groups[state].append(f"{name} ({note})" if note else name)
    if not states:
        return Verdict("depends", nothing)
    text = " ".join(f"{state}: {', '.join(names)}." for state, names in groups.items() if names)
    whole = [state for state in (AGREES, AGAINST) if len(groups[state]) == len(states)]
    word = {AGREES: "supported", AGAINST: "not supported"}.get(whole[0] if whole else OPEN, "depends")
    return Verdict(word, text)


def limits(measured: Measured, settings: Sequence[str]) -> str:
    """What every experiment on the choice must say of itself: what is left out, and what had not finished."""
    unfinished = [
        f"{side.upper()} in {setting} on {name}"
        for name, results in measured.sets.items()
        for setting in settings
        for side, model in SIDES.items()
        if results.report["budget"][model].get(TASK[setting].name, {}).get("still_improving")
    ]
    clauses = [ONE_RECIPE, *measured.skipped]
    if unfinished:
        clauses.append(f"Still improving when time ran out: {', '.join(unfinished)}.")
    return " ".join(clauses)


def about(measured: Measured, config: Config, settings: Sequence[str]) -> str:
    """The data sets of these settings, and the time of training on each."""
    words = [WORDS[setting] for setting in settings]
    clauses = [
        f"{TOLD[name]} ({config.sets[name].seconds:g} s)"
        for name in measured.sets
        if set(words) & set(config.sets[name].words)
    ]
    each = "; ".join(clauses)
    return f"Data, with the seconds of the main training of one model on one seed: {each}. Seeds: {config.seeds}."
