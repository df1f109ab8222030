"""The experiment `image_synthesis`: verdicts on made-up figures, and what it reads from a comparison."""

import comparisons
import pytest

from experiments import answers, image_synthesis, settings


def row(vae, gap, gan=None):
    return {"vae": vae, "gan": gan, "gan_minus_vae": gap}


@pytest.mark.parametrize(
    ("row", "state", "note"),
    [
        (row([0.8, 0.7, 0.9], [0.1, 0.05, 0.2]), answers.AGREES, ""),
        (row([0.8, 0.7, 0.9], [0.1, 0.05, 0.2], [1.2, 1.1, 1.3]), answers.AGREES, "noise counts as sharp"),
        (row([0.8, 0.7, 0.9], [0.1, 0.05, 0.2], [1.0, 0.9, 1.1]), answers.AGREES, ""),
        (row([0.8, 0.7, 1.01], [0.1, 0.05, 0.2]), answers.OPEN, ""),  # perhaps not blurred
        (row([0.8, 0.7, 0.9], [0.1, -0.05, 0.2]), answers.OPEN, ""),  # perhaps no less sharp than the GAN's
        (row([1.2, 1.0, 1.4], [0.1, 0.05, 0.2]), answers.AGAINST, "not blurred"),
        (row([0.8, 0.7, 0.9], [-0.1, -0.2, -0.05]), answers.AGAINST, "GAN's are less sharp"),
        (row([0.8, None, None], [0.1, None, None]), answers.OPEN, ""),  # one seed
        (row(None, None), answers.OPEN, ""),  # no images
    ],
)
def test_blurred(row, state, note):
    # Kills: a mean in place of an interval; the sign of the difference; sharpness of one seed that decides.
    found = image_synthesis.blurred(row)
    assert found[0] == state and note in found[1] and bool(found[1]) == bool(note)


@pytest.mark.parametrize("choose", ["gan", "vae", "undecided"])
def test_what_is_read_from_a_comparison(monkeypatch, choose):
    # Kills: sides swapped; sharpness of another figure; a verdict that does not follow the report's choice.
    monkeypatch.setattr(settings, "measured", lambda *args: comparisons.Measured(sets, ()))
    sets = {"digits": comparisons.found("digits", ("synthesis",), choose=choose)}
    nearer, sharp = image_synthesis.main(comparisons.TINY).claims
    assert nearer.verdict.word == {"gan": "supported", "vae": "not supported", "undecided": "depends"}[choose]
    assert sharp.figures["data"]["digits"]["gan_minus_vae"][0] == pytest.approx(0.2 + 0.002 / 3)
    assert sharp.verdict.word == "supported"  # 0.4 and 0.6 of the sharpness of real images
    further = nearer.figures["further"]["digits"]
    assert further["recall_gan"][0] == pytest.approx(0.6 + 0.005 / 3) and further["frechet_of_the_gaussian"][0] < 0.3
