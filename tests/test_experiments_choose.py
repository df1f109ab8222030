"""The experiment `choose`: its verdict on made-up answers, and what it reads from comparisons."""

import comparisons
import pytest

from experiments import (
    answers,
    choose,
    image_synthesis,
    manipulation,
    representation,
    settings,
    style_transfer,
    super_resolution,
)
from experiments.settings import FULL, Config, Measured, Part
from jaxgen.comparison.verdict import WHY
from jaxgen.tasks import SETTINGS


def states(**chosen):
    return {
        name.replace("_", " "): answers.choice({"textbook": said, "chosen": side, "why": ""})
        for name, (said, side) in chosen.items()
    }


@pytest.mark.parametrize(
    ("states", "word", "says"),
    [
        (states(synthesis=("GAN", "GAN"), anomalies=("VAE", "VAE")), "supported", "As claimed: synthesis, anomalies."),
        (states(synthesis=("GAN", "VAE"), anomalies=("VAE", "GAN")), "not supported", "synthesis (VAE, not GAN), anom"),
        (states(anomalies=("VAE", "neither")), "not supported", "Against it: anomalies (neither, not VAE)."),
        (states(anomalies=("VAE", "equal")), "not supported", "Against it: anomalies (equal, not VAE)."),
        (states(synthesis=("GAN", "GAN"), anomalies=("VAE", "neither")), "depends", "As claimed: synthesis. Against"),
        (states(synthesis=("GAN", "GAN"), anomalies=("VAE", "undecided")), "depends", "Open: anomalies."),
        (states(synthesis=("GAN", "VAE"), anomalies=("VAE", "undecided")), "depends", "Against it: synthesis (VAE"),
        (states(anomalies=("VAE", "undecided")), "depends", "Open: anomalies."),
        (states(anomalies=("VAE", "not measured")), "depends", "Open: anomalies (not measured)."),
        ({}, "depends", "No setting was measured."),
    ],
)
def test_verdict(states, word, says):
    # Kills: "undecided" that agrees or contradicts; equal sides, or "neither", that does not contradict; support out of
    # nothing measured.
    found = choose.verdict(states)
    assert found.word == word and says in found.because


def test_an_open_answer_says_why():
    # Kills: a reason that is left out, or that stands beside a choice.
    own = {"textbook": "GAN", "chosen": "undecided", "why": "too few passes through the data"}
    assert answers.choice(own) == (answers.OPEN, "too few passes through the data")
    assert answers.choice({**own, "chosen": "GAN"}) == (answers.AGREES, "")
    assert set(answers.WHY) == set(WHY) - {"one side", "one side here", "no figures", "one seed", "several"}


def test_intervals_end_where_figures_do():
    # Kills: an accuracy of 1.1 on the page.
    found = comparisons.found("digits", ("representation",), value=lambda who, seed: (1.0, 0.9, 0.99)[seed])
    mean, low, high = answers.shown(found, "represent", "accuracy", "vae")
    assert mean == pytest.approx(2.89 / 3) and low < 0.9 and high == 1.0
    assert answers.spread(answers.values(found, "represent", "accuracy", "vae"))[2] > 1


def test_the_textbook_speaks_of_every_setting():
    # Kills: a setting of the comparison that falls out.
    assert list(choose.TEXTBOOK) == [setting.name for setting in SETTINGS]


def test_what_is_read_from_comparisons():
    # Kills: sides swapped; another difference than the report's; a setting that was not asked for counted; a data set
    # that is left out and not named.
    words = ("synthesis", "anomalies")
    chosen = {"image synthesis": "gan", "anomaly detection": "neither"}
    own = comparisons.found("digits", words, choose=chosen.get)
    (claim,) = choose.evidence_of(Measured({"digits": own}, ("patches: left out.",)), FULL).claims
    row = claim.figures["figures_on_digits"]["image synthesis"]
    assert (row["textbook"], row["chosen"], row["gan_minus_vae"]) == ("GAN", "GAN", [0.2, 0.1, 0.3])
    assert row["vae"][0] == pytest.approx(0.401) and row["gan"][0] == pytest.approx(0.6 + 0.005 / 3)
    assert row["metric"] == "Frechet distance, lower is better" and row["real_data"] == 0.4
    assert row["best_baseline"] == "Gaussian of the pixels" and row["of_that_baseline"][0] < row["vae"][0]
    assert claim.figures["chosen"] == {
        "image synthesis": {"textbook": "GAN", "digits": "GAN"},
        "anomaly detection": {"textbook": "VAE", "digits": "neither"},
    }
    assert claim.figures["steps"] == {
        "digits, main training": {"vae": 800, "gan": 100},
        "digits, style transfer": {"vae": 90, "gan": 0},
    }
    assert claim.figures["seconds"]["digits"] == {"vae_a_seed": 3.0, "gan_a_seed": 3.1, "whole_comparison": 7.0}
    assert row["why"] == "the difference is sure"
    assert "patches: left out." in claim.limits and claim.verdict.word == "depends"
    assert claim.practice == choose.PRACTICE["depends"]


@pytest.mark.parametrize("module", [settings, manipulation], ids=["all", "edits"])
def test_every_form_has_something_for_every_experiment(module):
    # Kills: a word that no setting has; a data set of which the page says nothing; a setting that its data cannot
    # serve; full runs of fewer than six seeds; a quick form without a setting of the full one.
    for config in (module.FULL, module.QUICK):
        for name, part in config.sets.items():
            assert part.words and set(part.words) <= set(settings.WORDS.values()) and part.seconds > 0
            assert name in settings.TOLD
    assert module.FULL.seeds >= 6 > module.QUICK.seeds >= 2
    full, quick = ({w for part in c.sets.values() for w in part.words} for c in (settings.FULL, module.QUICK))
    assert full == set(settings.WORDS.values()) and (quick == full or quick == {"manipulation"})
    for name in ("digits", "shapes", "cancer"):
        data = comparisons.loaded(name)
        tasks = {settings.WORDS[setting]: answers.TASK[setting] for setting in settings.WORDS}
        assert all(tasks[word].servable(data) is None for word in FULL.sets[name].words)


@pytest.mark.slow
def test_a_real_comparison(tmp_path):
    # Kills: a report that has another shape than the made-up one; a comparison that is made twice; one of other data
    # that is read; a seed that is trained again; a figure that no experiment finds.
    config = Config({"digits": Part(0.05, tuple(settings.WORDS.values()))}, seeds=2)
    (claim,) = choose.main(config, tmp_path).claims
    assert set(claim.figures["figures_on_digits"]) == set(choose.TEXTBOOK)
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    for module in (image_synthesis, super_resolution, style_transfer, representation, manipulation):
        evidence = module.main(config, tmp_path)
        tables = [t for claim in evidence.claims for t in claim.figures.values()]
        rows = [row for t in tables for row in t.values()]
        assert rows and all(cell is not None for row in rows for key, cell in row.items() if key in ("vae", "gan"))
        assert all(len(picture.png) < 300_000 for picture in evidence.pictures.values())
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
