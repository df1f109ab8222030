"""The course of the trainings: curves of the losses, and the headline figures at 25, 50 and 100 % of the time."""

from collections.abc import Mapping, Sequence

from jaxgen.report import charts, numbers, sentences
from jaxgen.report.charts import Look
from jaxgen.report.extras import Extras, metric_title, task_names, task_title


def training(curves: Mapping[str, Sequence[Mapping]], looks: Mapping[str, Look]) -> list[dict]:
    """The loss curves of each model, over seconds if every run recorded them, else over steps."""
    runs = [run for seeds in curves.values() for run in seeds]
    timed = bool(runs) and all(len(run.get("seconds", ())) == len(run["step"]) for run in runs)
    along, unit = ("seconds", "training time (s)") if timed else ("step", "steps")
    far = max((run[along][-1] for run in runs if len(run[along])), default=None)
    out = []
    for model, seeds in curves.items():
        drawn = []
        for name in dict.fromkeys(name for run in seeds for name in run["losses"]):
            ends = [run["losses"][name][-1] for run in seeds if run["losses"].get(name)]
            finite = [end for end in ends if numbers.known(end)]
            drawn.append(
                {
                    "name": name,
                    "chart": charts.lines(seeds, name, looks[model], along=along, unit=unit, highest=far),
                    "low": numbers.number(min(finite, default=None)),
                    "high": numbers.number(max(finite, default=None)),
                    "lost": len(ends) - len(finite),
                }
            )
        if drawn:
            out.append({"model": model, "look": looks[model], "seeds": len(seeds), "charts": drawn})
    return out


def budget_groups(budget: Mapping, models: Mapping, extras: Extras, looks: Mapping[str, Look]) -> list[dict]:
    """A group of table rows for each task and metric that was measured during the training."""
    groups = []
    for task in task_names(models, extras):
        title = task_title(task, extras)
        by_model = {model: tasks[task] for model, tasks in budget.items() if task in tasks}
        for metric in dict.fromkeys(entry["metric"] for entry in by_model.values()):
            entries = {model: entry for model, entry in by_model.items() if entry["metric"] == metric}
            called = metric_title(metric, extras.metrics.get(task, {}).get(metric, {}))
            rows = [_course(model, entry, title, called, looks[model]) for model, entry in entries.items()]
            groups.append({"title": title, "metric": called, "rows": rows})
    return groups


def without_encoder(budget: Mapping, extras: Extras) -> list[str]:
    """A sentence for each model that is measured without an encoder during the training, and with one at its end."""
    by = {
        name: [task for task, entry in tasks.items() if entry.get("without_encoder")] for name, tasks in budget.items()
    }
    return [
        f"{name} is measured here without an encoder, because its encoder is trained afterwards; its figures above, on "
        f"{sentences.listing([f'“{task_title(task, extras)}”' for task in tasks])}, are measured with the encoder."
        for name, tasks in by.items()
        if tasks
    ]


def _course(model: str, entry: Mapping, title: str, metric: str, look: Look) -> dict:
    at = [entry["at"].get(share) for share in ("25", "50", "100")]
    texts = [numbers.number(value) for value in at]
    improving, hurried = bool(entry["still_improving"]), bool(entry.get("hurried"))
    return {
        "model": model,
        "look": look,
        "at": texts,
        "end": "still improving" if improving else "too short to tell" if hurried else "no clear gain",
        "improving": improving,
        "spark": charts.spark(at, look, f"{model}, {metric}: {', '.join(texts)}"),
        "sentence": f"{model} was still improving on “{title}” when its time ran out "
        f"({metric} {texts[0]}, {texts[1]}, {texts[2]} at 25, 50 and 100 % of that time).",
    }
