"""The experiment `representation`: verdicts on made-up figures, and what it reads from a small real comparison."""

import comparisons
import pytest

from experiments import answers, representation, settings
from experiments.settings import Config, Part


@pytest.mark.parametrize(
    ("gap", "state", "note"),
    [
        ([0.1, 0.05, 0.2], answers.AGREES, ""),
        ([0.1, -0.05, 0.2], answers.OPEN, ""),
        ([-0.1, -0.2, -0.05], answers.AGAINST, "PCA is better"),
        (None, answers.OPEN, ""),
    ],
)
def test_pays(gap, state, note):
    # Kills: a sign; a mean in place of an interval.
    assert representation.pays({"vae_minus_baseline": gap, "best_baseline": "PCA"}) == (state, note)


def test_the_best_baseline_learned_nothing(monkeypatch):
    # Kills: the majority class, or the worst baseline, as what a code must beat; sides swapped.
    def value(who, seed):
        return {"vae": 0.9, "r3gan": 0.8, "PCA": 0.85, "majority class": 0.99}.get(who, 0.1) + 0.001 * seed

    sets = {"digits": comparisons.found("digits", ("representation",), choose="vae", value=value)}
    monkeypatch.setattr(settings, "measured", lambda *args: comparisons.Measured(sets, ()))
    chosen, worth = representation.main(comparisons.TINY).claims
    row = worth.figures["data"]["digits"]
    assert row["best_baseline"] == "PCA" and row["vae_minus_baseline"][0] == pytest.approx(0.05)
    assert chosen.verdict.word == "supported" == worth.verdict.word
    lines = worth.figures["accuracy_on_digits"]
    assert set(lines) == {"VAE", "GAN", "raw values", "PCA", "random network"}
    assert lines["VAE"]["1_label"][0] == pytest.approx(0.901) and set(lines["GAN"]) >= {"5_labels", "20_labels"}
    assert "GAN in representation learning on digits" in chosen.limits


@pytest.mark.slow
def test_a_small_real_comparison(tmp_path):
    # Kills: a report of another shape than the made-up one; a comparison that is made a second time; settings that
    # nobody asked for.
    config = Config({"cancer": Part(0.02, ("representation",))}, seeds=2)
    evidence = representation.main(config, tmp_path)
    row = evidence.claims[0].figures["data"]["cancer"]
    assert 0 < row["vae"][0] <= 1 and 0 < row["gan"][0] <= 1 and row["chosen"] and evidence.comparisons > 0
    (kept,) = tmp_path.glob("*/report.json")
    before = kept.read_bytes()
    assert representation.main(config, tmp_path).claims == evidence.claims and kept.read_bytes() == before
