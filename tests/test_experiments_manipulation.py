"""The experiment `manipulation`: verdicts on made-up figures, and what it reads from a comparison."""

import comparisons
import pytest

from experiments import answers, manipulation, settings

UP, DOWN, FLAT = [0.1, 0.05, 0.2], [-0.1, -0.2, -0.05], [0.1, -0.05, 0.2]


@pytest.mark.parametrize(
    ("gaps", "state", "note"),
    [
        ((UP, UP, UP), answers.AGREES, ""),
        ((UP, UP, FLAT), answers.OPEN, "ahead in a, b"),
        ((UP, DOWN, FLAT), answers.OPEN, "ahead in a; behind in b"),
        ((DOWN, FLAT, FLAT), answers.AGAINST, "behind in a"),
        ((FLAT, FLAT, FLAT), answers.OPEN, ""),
        ((UP, UP, None), answers.OPEN, "ahead in a, b"),
    ],
)
def test_structured(gaps, state, note):
    # Kills: one figure that speaks for all; a figure that was not measured counted; a sign.
    rows = {name: {"vae_minus_gan": gap} for name, gap in zip("abc", gaps, strict=True)}
    assert manipulation.structured(rows) == (state, note)


def test_what_is_read_from_a_comparison(monkeypatch):
    # Kills: structure of data whose factors nobody knows; curves of one strength, or with their axes swapped; a sign.
    monkeypatch.setattr(settings, "measured", comparisons.measured)
    edits, structure = manipulation.main(comparisons.TINY).claims
    assert list(edits.figures["data"]) == ["digits", "shapes"] and edits.verdict.word == "not supported"
    assert list(structure.figures) == ["structure_of_shapes"] and structure.verdict.word == "not supported"
    row = structure.figures["structure_of_shapes"]["disentanglement (DCI)"]
    assert row["vae_minus_gan"][0] == pytest.approx(-0.2 - 0.002 / 3)

    def value(who, seed):
        return 0.5

    found = comparisons.found("digits", ("manipulation",), value=value)
    for outcome in found.outcomes["vae"].values():
        outcome.figures["manipulate"]["extra: kept at 2"] = 0.25
    curves = manipulation.by_strength(found)
    assert list(curves) == ["VAE", "GAN", "raw values", "PCA"] and len(curves["VAE"]) == len(manipulation.STRENGTHS)
    assert curves["VAE"][4] == (0.25, 0.5) and curves["GAN"][4] == (0.5, 0.5)


def test_without_factors(monkeypatch):
    # Kills: support out of nothing measured.
    sets = {"digits": comparisons.found("digits", ("manipulation",))}
    monkeypatch.setattr(settings, "measured", lambda *args: comparisons.Measured(sets, ()))
    assert manipulation.main(comparisons.TINY).claims[1].verdict.because.startswith("No data set here has factors")
