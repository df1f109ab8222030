"""The experiment `choose`: its verdict on made-up figures, and what it reads from a report."""

import pytest

from experiments import choose
from jaxgen.comparison.result import Comparison
from jaxgen.tasks import SETTINGS


def settings(**chosen):
    rows = {name.replace("_", " "): side for name, side in chosen.items()}
    return {"settings": {name: {"textbook": choose.TEXTBOOK[name], "chosen": side} for name, side in rows.items()}}


@pytest.mark.parametrize(
    ("figures", "word", "says"),
    [
        (
            settings(image_synthesis="gan", anomaly_detection="vae"),
            "supported",
            "As recommended: image synthesis, anom",
        ),
        (settings(image_synthesis="vae", anomaly_detection="gan"), "not supported", "synthesis (vae, not gan), anom"),
        (settings(anomaly_detection="neither"), "not supported", "Against it: anomaly detection (neither, not vae)."),
        (settings(image_synthesis="gan", anomaly_detection="neither"), "depends", "recommended: image synthesis. Ag"),
        (settings(image_synthesis="gan", anomaly_detection="undecided"), "depends", "Undecided: anomaly detection."),
        (settings(image_synthesis="vae", anomaly_detection="undecided"), "depends", "Against it: image synthesis (vae"),
        (
            settings(image_synthesis="gan", anomaly_detection="either"),
            "depends",
            "Against it: anomaly detection (equal",
        ),
        (settings(anomaly_detection="undecided"), "depends", "Undecided"),
        (settings(), "depends", "No setting was measured."),
    ],
)
def test_verdict(figures, word, says):
    # Kills: "undecided" that agrees or contradicts; equal sides, or "neither", that does not contradict; support out of
    # nothing measured.
    found = choose.verdict(figures)
    assert found.word == word and says in found.because


def test_the_textbook_speaks_of_every_setting():
    # Kills: a setting of the comparison that falls out.
    assert list(choose.TEXTBOOK) == [setting.name for setting in SETTINGS]


def cell(*values, up=True, reference=None):
    mean = sum(values) / len(values)
    seeds = {str(i): value for i, value in enumerate(values)}
    return {"mean": mean, "ci95": [mean - 1, mean + 1], "reference": reference, "higher_is_better": up, "values": seeds}


def report():
    """What `compare` writes, of two seeds; the last value of the VAE's distances is lost."""
    rows = {
        "vae": {"synthesise": {"frechet": cell(5.0, 7.0, up=False, reference=0.5)}, "detect anomalies": {}},
        "r3gan": {"synthesise": {"frechet": cell(2.0, 3.0, up=False, reference=0.5)}, "detect anomalies": {}},
        "baseline: PCA": {"detect anomalies": {}},
    }
    for at, tasks in enumerate(rows.values()):
        tasks["detect anomalies"]["auroc"] = cell(0.75 + at / 8, 0.5 + at / 8)
    lost = rows["vae"]["synthesise"]["frechet"]
    lost["values"]["2"], rows["r3gan"]["synthesise"]["frechet"]["values"]["2"] = None, 90.0
    budget = {"synthesise": {"metric": "frechet", "still_improving": True}}
    budget |= {"detect anomalies": {"metric": "auroc", "still_improving": False}}
    chosen = {"image synthesis": "gan", "anomaly detection": "neither"}
    advice: list[dict] = [
        {"setting": s, "choose": chosen.get(s, "not measured"), "because": "why"} for s in choose.TEXTBOOK
    ]
    for answer in advice:
        if answer["setting"] in chosen:
            gap = {"of": ["r3gan", "vae"], "mean": -3.5, "low": -9.8, "high": 2.8, "p_corrected": 0.09, "margin": 0.5}
            answer["difference"] = gap
    return {
        "models": rows,
        "advice": advice,
        "budget": {"vae": {k: {**v, "still_improving": False} for k, v in budget.items()}, "r3gan": budget},
        "protocol": {
            "steps": {"vae": {"0": {"main": 800}}, "r3gan": {"0": {"main": 90}, "1": {"main": 110}}},
            "seconds_measured": {"vae": 3.0, "r3gan": 3.1},
        },
        "settings": {"seeds": 2},
    }


def compare(data, *, models, seconds, seeds, out) -> Comparison:
    """Stands in for `jaxgen.compare`: the made-up report."""
    assert data == "digits" and models == ("vae", "r3gan") and seconds > 0 and seeds > 1 and not out.exists()
    return Comparison(report(), out)


def test_what_is_read_from_a_report():
    # Kills: sides swapped; another difference than the report's; a setting that was not measured counted.
    found = choose.found(report(), choose.QUICK)
    figures, claim = found.claims[0].figures, found.claims[0]
    row = figures["settings"]["image synthesis"]
    assert (row["textbook"], row["chosen"], row["vae"], row["gan"]) == ("gan", "gan", 6.0, 2.5)
    assert (row["gan_minus_vae"], row["low"], row["high"], row["p_corrected"]) == (-3.5, -9.8, 2.8, 0.09)
    assert row["metric"] == "Frechet distance, lower is better"
    assert list(figures["settings"]) == ["image synthesis", "anomaly detection"]
    assert figures["baselines"] == {"anomaly detection: PCA": {"mean": 0.875, "low": -0.125, "high": 1.875}}
    assert figures["not_measured"]["style transfer"] == {"textbook": "gan", "because": "why"}
    assert figures["training"]["gan"] == {"steps": 100, "seconds_a_seed": 3.1}
    assert "Not measured: style transfer, super-resolution, rep" in claim.limits and "r3gan in synth" in claim.limits
    assert claim.seeds == 2 and claim.verdict.word == "depends"


@pytest.mark.slow
def test_a_real_comparison():
    # Kills: a report that has another shape than the made-up one; other seeds or seconds than asked for.
    found = choose.main(choose.Config(seconds_per_model=0.05, seeds=2))
    assert set(found.claims[0].figures["settings"]) <= set(choose.TEXTBOOK)
    assert found.claims[0].seeds == 2 and len(found.pictures["settings.png"].png) < 300_000
