"""The experiment `style_transfer`: verdicts on made-up figures, and what it reads from a comparison."""

import comparisons
import pytest

from experiments import answers, settings, style_transfer


@pytest.mark.parametrize(
    ("gan", "real", "state"),
    [
        ([3.0, 2.5, 3.9], 2.0, answers.AGREES),
        ([3.0, 2.5, 4.1], 2.0, answers.OPEN),
        ([5.0, 4.1, 5.9], 2.0, answers.AGAINST),
        ([3.0, None, None], 2.0, answers.OPEN),
        (None, 2.0, answers.OPEN),
    ],
)
def test_looks_so(gan, real, state):
    # Kills: a mean in place of an interval; another multiple than twice the figure of real images.
    found = style_transfer.looks_so({"gan": gan, "real_data": real})
    assert found[0] == state and found[1]


@pytest.mark.parametrize(
    ("unchanged", "transport", "state", "note"),
    [
        ([0.1, 0.05, 0.15], [0.02, 0.01, 0.03], answers.AGREES, ""),
        ([0.1, 0.05, 0.15], [0.02, -0.01, 0.05], answers.OPEN, ""),
        ([0.1, 0.05, 0.15], [-0.02, -0.03, -0.01], answers.AGAINST, "linear transport is nearer"),
        ([-0.1, -0.15, -0.05], [-0.02, -0.03, -0.01], answers.AGAINST, "both are nearer"),
        (None, None, answers.OPEN, ""),
    ],
)
def test_finds_them(unchanged, transport, state, note):
    # Kills: one of the two ways left out; a sign.
    found = style_transfer.finds_them({"unchanged_minus_gan": unchanged, "linear_transport_minus_gan": transport})
    assert found == (state, note)


def test_what_is_read_from_a_comparison(monkeypatch):
    # Kills: the VAE's figures as the GAN's; a difference the other way round; a row without the style.
    monkeypatch.setattr(settings, "measured", comparisons.measured)
    chosen, look, pairs = style_transfer.main(comparisons.TINY).claims
    assert list(chosen.figures["data"]) == ["digits: thick"] and chosen.verdict.word == "supported"
    own = pairs.figures["data"]["digits: thick"]
    assert own["gan"][0] == pytest.approx(0.6 + 0.005 / 3)
    assert own["unchanged_minus_gan"][0] == pytest.approx(0.25 + 0.003 - 0.6 - 0.005 / 3)
    assert pairs.verdict.word == "not supported" and "both are nearer" in pairs.verdict.because
    row = look.figures["data"]["digits: thick"]
    assert row["real_data"] == 0.4 and row["vae"][0] < row["gan"][0] and look.verdict.word == "depends"
    assert set(pairs.figures["ways_of_digits: thick"]) == {"VAE", "GAN", "unchanged", "linear transport"}
