"""Claim 3e: does a comparison on real data choose the side that the textbook recommends?"""

import dataclasses
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from experiments import plots
from experiments.evidence import Claim, Evidence, Picture, Verdict
from jaxgen.comparison.session import compare
from jaxgen.tasks import BASELINE, TASKS, titled

TEXTBOOK = {  # the side that it recommends, by setting
    "image synthesis": "gan",
    "style transfer": "gan",
    "super-resolution": "gan",
    "anomaly detection": "vae",
    "representation learning": "vae",
    "semantic manipulation": "vae",
}
CALLED = {"either": "equal"}
SIDES = {"vae": "vae", "gan": "r3gan"}  # who speaks for a side
DECIDES = {task.setting: task for task in TASKS}


@dataclasses.dataclass(frozen=True)
class Config:
    """A comparison on the embedded digits."""

    seconds_per_model: float = 20.0  # of training, for one model and one seed
    seeds: int = 6


FULL = Config()
QUICK = Config(seconds_per_model=3.0, seeds=3)

ABOUT = """The textbook recommends GANs where realistic images count (synthesis, style transfer, super-resolution) and
VAEs where the latent space counts (anomaly detection, representation learning, semantic manipulation). A comparison
asks the data instead: one VAE and one GAN (R3GAN) are trained for the same time with the same generator network on
1,259 of 1,797 real digits of 8 x 8 pixels, chosen between on 179 and judged on the other 359, and then do each task.
*Image synthesis* is the Frechet distance between samples and real test images, in features of a classifier.
*Super-resolution* is that distance between pairs of a small image of 4 x 4 pixels and what is made of it, and pairs of
the small image and the true one; the VAE is conditional, and the GAN is an SRGAN with an L1 term. *Anomaly detection*
is how well a model that never saw one digit tells that digit from the others (AUROC: 0.5 is guessing, 1 is perfect), by
one score that is fixed beforehand: a VAE's reconstruction probability, the score of f-AnoGAN for a GAN.
*Representation learning* is the accuracy of a linear classifier on a model's features, from 1, 5 and 20 labels a class.

Simple baselines do the same tasks without a generative model: bicubic interpolation, ridge regression, the nearest
training image, the distance to the nearest training images, PCA, an isolation forest, the pixels themselves, a random
network. Each seed draws its own split. A side is chosen where the difference is sure at the 5 % level, corrected for
the number of settings; the sides are equal where its 95 % interval lies within a margin stated beforehand, and
undecided otherwise; where a baseline beats both, neither is chosen."""


def verdict(figures: Mapping[str, Any]) -> Verdict:
    """Supported where each measured setting chooses as the textbook does, not supported where each contradicts it.

    The other side, neither or equal sides contradict; "undecided" does not, and does not agree.
    """
    groups: dict[str, list[str]] = {"As recommended": [], "Against it": [], "Undecided": []}
    agree, against, level = groups.values()
    for setting, row in figures["settings"].items():
        said, chosen = row["textbook"], row["chosen"]
        group = agree if chosen == said else level if chosen == "undecided" else against
        group.append(
            setting if chosen in (said, "undecided") else f"{setting} ({CALLED.get(chosen, chosen)}, not {said})"
        )
    told = [f"{name}: {', '.join(settings)}." for name, settings in groups.items() if settings]
    if not told:
        return Verdict("depends", "No setting was measured.")
    word = "supported" if not against and not level else "not supported" if not agree and not level else "depends"
    return Verdict(word, " ".join(told))


def main(config: Config) -> Evidence:
    """The comparison, and what its report says of the claim."""
    with tempfile.TemporaryDirectory() as folder:
        models, out = tuple(SIDES.values()), Path(folder) / "compare"
        comparison = compare("digits", models=models, seconds=config.seconds_per_model, seeds=config.seeds, out=out)
    return found(comparison.report, config)


def found(report: Mapping[str, Any], config: Config) -> Evidence:
    """The evidence in a report of `jaxgen compare`."""
    figures, seeds = table(report), report["settings"]["seeds"]
    unfinished = [
        f"{name} in {task}"
        for name, tasks in report["budget"].items()
        for task in tasks
        if tasks[task]["still_improving"]
    ]
    claim = Claim(
        "3e",
        "In which setting to select one over the other: a GAN for image synthesis, style transfer and "
        "super-resolution; a VAE for anomaly detection, representation learning and semantic manipulation.",
        verdict(figures),
        "A setting agrees where the side that the textbook recommends is chosen, contradicts where the other side or "
        "neither is, or where both are equal, and is open where it stayed undecided. Supported if every measured "
        "setting agrees, not supported if every one contradicts, else it depends. What is not measured is not counted.",
        f"One small data set, one recipe a side, {config.seconds_per_model:g} s of training each: larger images and "
        f"longer training may answer otherwise.{_listed('Not measured', figures['not_measured'])}"
        f"{_listed('Still improving when time ran out', unfinished)}",
        figures,
        seeds,
    )
    caption = (
        "Means over seeds with their 95 % intervals; diamonds are baselines without a generative model. The choice "
        "rests on the difference of the two models, which has a test of its own."
    )
    pictures = {"settings.png": Picture(caption, draw(report, figures["settings"]))}
    return Evidence("choose", ABOUT, (claim,), pictures, dataclasses.asdict(config))


def _listed(what: str, names: Iterable[str]) -> str:
    return f" {what}: {', '.join(names)}." if names else ""


def table(report: Mapping[str, Any]) -> dict[str, Any]:
    """Figures by setting; the difference is GAN minus VAE, as the report tests it."""
    measured, baselines, missing = {}, {}, {}
    for answer in report["advice"]:
        setting = answer["setting"]
        if "difference" not in answer:
            missing[setting] = {"textbook": TEXTBOOK[setting], "because": answer["because"]}
            continue
        task = DECIDES[setting]
        metric = report["budget"][SIDES["vae"]][task.name]["metric"]
        figures = {name: tasks.get(task.name, {}) for name, tasks in report["models"].items()}
        cells = {name: by_metric[metric] for name, by_metric in figures.items() if metric in by_metric}
        vae, gan = (cells[name] for name in SIDES.values())
        gap = answer["difference"]
        assert gap["of"] == [SIDES["gan"], SIDES["vae"]]
        measured[setting] = {
            "textbook": TEXTBOOK[setting],
            "chosen": answer["choose"],
            "metric": f"{titled(task, metric)}, {'higher' if vae['higher_is_better'] else 'lower'} is better",
            "vae": vae["mean"],
            "gan": gan["mean"],
            "gan_minus_vae": gap["mean"],
            "low": gap["low"],
            "high": gap["high"],
            "p_corrected": gap["p_corrected"],
            "margin": gap["margin"],
        }
        for name, cell in cells.items():
            if name.startswith(BASELINE):
                low, high = cell["ci95"]
                key = f"{setting}: {name.removeprefix(BASELINE)}"
                baselines[key] = {"mean": cell["mean"], "low": low, "high": high}
    protocol = report["protocol"]
    training = {
        side: {"steps": _steps(protocol["steps"][name]), "seconds_a_seed": protocol["seconds_measured"][name]}
        for side, name in SIDES.items()
    }
    return {"settings": measured, "baselines": baselines, "training": training, "not_measured": missing}


def _steps(by_seed: Mapping[str, Mapping[str, int]]) -> int:
    """Of the main training, averaged over seeds."""
    return round(sum(steps["main"] for steps in by_seed.values()) / len(by_seed))


def draw(report: Mapping[str, Any], settings: Mapping[str, Any]) -> bytes:
    """A panel for each measured setting: both models, then the baselines."""
    heights = [len(_shown(report, setting)) for setting in settings]
    picture, axes = plots.figure(
        "GAN or VAE?",
        1.2 + sum(0.95 + 0.34 * n for n in heights),
        len(heights),
        gridspec_kw={"height_ratios": [n + 0.6 for n in heights]},
    )
    for panel, (setting, row) in zip(axes[:, 0], settings.items(), strict=True):
        cells = _shown(report, setting)
        for at, (name, cell) in enumerate(cells.items()):
            colour = {"VAE": plots.BLUE, "GAN": plots.ORANGE}.get(name, plots.FAINT)
            if None not in cell["ci95"]:
                panel.plot(cell["ci95"], [at, at], color=colour, linewidth=2)
            mark = "o" if name in ("VAE", "GAN") else "D"
            panel.plot(cell["mean"], at, mark, color=colour, markersize=9 if mark == "o" else 7)
        if (ceiling := cells["VAE"]["reference"]) is not None:
            panel.axvline(ceiling, color=plots.INK, linewidth=1.2, linestyle="--")
            plots.label(panel, ceiling, 0.5, "  real images", plots.INK)
        if all(cell["mean"] <= 1 for cell in cells.values()):  # a share: its interval may pass 1, the axis does not
            panel.set_xlim(right=min(panel.get_xlim()[1], 1.01))
        panel.set_yticks(range(len(cells)), cells)
        panel.tick_params(axis="y", length=0)
        panel.set_ylim(len(cells) - 0.4, -0.6)
        panel.set_xlabel(row["metric"])
        panel.set_title(
            f"{setting}: the textbook says {_side(row['textbook'])}, the digits {_side(row['chosen'])}",
            fontweight="bold",
            loc="left",
        )
    return plots.png(picture)


def _shown(report: Mapping[str, Any], setting: str) -> dict[str, Mapping[str, Any]]:
    """Cells by what the picture calls them, of those with a mean."""
    task = DECIDES[setting].name
    metric = report["budget"][SIDES["vae"]][task]["metric"]
    names = {model: side.upper() for side, model in SIDES.items()}
    cells = {
        names.get(name, name.removeprefix(BASELINE)): tasks.get(task, {}).get(metric)
        for name, tasks in report["models"].items()
    }
    return {name: cell for name, cell in cells.items() if cell and cell["mean"] is not None}


def _side(choice: str) -> str:
    return choice.upper() if choice in SIDES else CALLED.get(choice, choice)
