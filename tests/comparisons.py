"""Made-up comparisons, in the form of those that `experiments.settings` makes: no test trains for a verdict."""

import functools

import numpy as np

from experiments.extras import SHARPNESS, at
from experiments.regression import NAME as SQUARED
from experiments.settings import SIDES, WORDS, Config, Found, Measured, Part
from jaxgen.comparison.outcome import Outcome
from jaxgen.data import load
from jaxgen.tasks import BASELINE, TASKS
from jaxgen.tasks.manipulate import COLUMNS, ROWS, STRENGTHS
from jaxgen.tasks.task import headline

SEEDS, ALL = 3, tuple(WORDS.values())
TINY = Config({"digits": Part(0.05, ALL), "shapes": Part(0.05, ("manipulation",))}, seeds=SEEDS)
BASES = {
    "synthesise": ("Gaussian of the pixels", "training examples plus noise"),
    "translate": ("unchanged", "linear transport"),
    "restore": ("bicubic", "ridge regression", "nearest training example"),
    "detect anomalies": ("nearest neighbours",),
    "represent": ("raw values", "PCA", "random network", "majority class"),
    "manipulate": ("raw values", "PCA"),
}
loaded = functools.cache(load)


def metrics(task, data):
    """The names of all its figures, with those of `experiments.extras`."""
    more = {"synthesise": [SHARPNESS]}
    more["manipulate"] = [at(what, s) for what in ("changed", "kept") for s in STRENGTHS]
    return [*task.metrics(data), *more.get(task.name, [])]


def figures(who, seed):
    """A figure of someone on a seed: they are in this order, and half of what differs is the seed's."""
    order = {"vae": 0.3, "r3gan": 0.5, SQUARED: 0.4}
    return order.get(who, 0.2) + 0.1 * seed * (1 if who in order else 0.5) + 0.001 * (seed == 1) * len(who)


def pictures(data, seed):
    """Grey images in the places of all that an experiment shows."""
    edited = min(ROWS, len(data.classes))
    counts = {"Samples": 64, "Translations": 16, "Super-resolution": 16, "Edits": edited * COLUMNS}
    return {title: np.full((n, *data.shape), 0.5, np.float32) for title, n in counts.items()} if seed == 0 else {}


def outcome(data, tasks, who, seed, value=figures):
    """What one model reached on one seed."""
    own = {task.name: {m: value(who, seed) for m in metrics(task, data)} for task in tasks}
    return Outcome(own, {}, {}, {}, pictures(data, seed), 1.0, "", {})


def found(name="digits", words=ALL, choose="gan", value=figures):
    """A whole comparison of three seeds; `choose` is its answer, or a function of the setting."""
    data = loaded(name)
    tasks = [task for task in TASKS if WORDS[task.setting] in words and task.servable(data) is None]
    outcomes = {who: {seed: outcome(data, tasks, who, seed, value) for seed in range(SEEDS)} for who in SIDES.values()}
    baselines: dict = {seed: {} for seed in range(SEEDS)}
    for seed in baselines:
        for task in tasks:
            for who in BASES[task.name]:
                named = baselines[seed].setdefault(f"{BASELINE}{who}", {})
                named[task.name] = {m: value(who, seed) for m in metrics(task, data)}
    return Found(data, report(data, tasks, words, choose), outcomes, baselines, 7.0)


def report(data, tasks, words, choose):
    """What the experiments read of a report."""
    by_setting = {task.setting: task for task in tasks}
    advice = []
    for setting in WORDS:
        answer = {"setting": setting, "choose": "not measured", "because": "why"}
        if setting in by_setting:
            gap = {"of": ["r3gan", "vae"], "mean": 0.2, "low": 0.1, "high": 0.3, "p_corrected": 0.01, "why": "better"}
            answer |= {"choose": choose if isinstance(choose, str) else choose(setting), "difference": gap}
        advice.append(answer)
    references = {m: {"reference": 0.4} for task in tasks for m in task.metrics(data)}
    models = {who: {task.name: references for task in tasks} for who in SIDES.values()}
    budget = {
        who: {
            task.name: {"metric": headline(task.metrics(data)), "still_improving": task.name == "represent"}
            for task in tasks
        }
        for who in SIDES.values()
    }
    steps = {"vae": {"0": {"main": 800, "translate": 90}}, "r3gan": {"0": {"main": 90}, "1": {"main": 110}}}
    protocol = {"steps": steps, "seconds_measured": {"vae": 3.0, "r3gan": 3.1}}
    settings = {"settings": list(words), "seeds": SEEDS}
    return {"advice": advice, "models": models, "budget": budget, "protocol": protocol, "settings": settings}


def measured(config, words, home=None):
    """Stands in for `experiments.settings.measured`."""
    sets = {}
    for name, part in config.sets.items():
        own = tuple(word for word in part.words if word in words)
        if own:
            sets[name] = found(name, own)
    return Measured(sets, ("patches: left out.",))


def regressions(sets, config, home=None):
    """Stands in for `experiments.regression.regressions`."""
    task = next(task for task in TASKS if task.name == "restore")
    each = {name: {s: outcome(own.data, [task], SQUARED, s) for s in range(SEEDS)} for name, own in sets.items()}
    return {name: sets[name]._replace(outcomes={SQUARED: by_seed}) for name, by_seed in each.items()}
