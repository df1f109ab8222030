"""Claims 1a, 1b and 1c: a cut sample, samples of the right law, and gradients that flow."""

import dataclasses

from experiments.evidence import Evidence
from experiments.reparametrization import cut, fit, gradient


@dataclasses.dataclass(frozen=True)
class Config:
    """Sizes of the three parts."""

    cut_sample: cut.Config = cut.Config()
    goodness: fit.Config = fit.Config()
    gradients: gradient.Config = gradient.Config()


FULL = Config()
QUICK = Config(cut.Config(seeds=3, steps=300), fit.Config(seeds=20), gradient.Config(seeds=3, repeats=4000))

ABOUT = """A VAE maps an image to a distribution over codes z, draws a code, and decodes it. Training needs the gradient
of the loss in the encoder's weights, and the draw stands in between. Drawing z "directly" gives a number that has no
derivative. The reparametrization trick draws a standard noise eps instead, which depends on nothing, and computes
z = mu + sigma eps from it, which is an ordinary formula: its derivative in mu is 1 and in sigma it is eps.

Three claims are measured: that a direct draw leaves the encoder without a gradient (1a), that the formula gives samples
of the wanted distribution (1b), and that with it the gradient is right (1c), beside the other known way to
differentiate through a draw, the score function (REINFORCE, here with a leave-one-out baseline)."""


def main(config: Config) -> Evidence:
    """The three parts one after the other."""
    claims, pictures = [], {}
    for part, size in ((cut, config.cut_sample), (fit, config.goodness), (gradient, config.gradients)):
        results, part_pictures = part.main(size)
        claims += results
        pictures |= part_pictures
    return Evidence("reparametrization", ABOUT, tuple(claims), pictures, dataclasses.asdict(config))
