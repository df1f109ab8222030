"""Papers on GANs of labelled examples whose critic does not get the label as a plain input."""

from jaxgen.core import BadRequest
from jaxgen.games import acgan as make_acgan
from jaxgen.nets.readouts import projected
from jaxgen.nets.wrappers import spectral
from jaxgen.objectives import HINGE
from jaxgen.recipes.gans import ALTERNATING, FIVE_TO_ONE, adam, average, gan_plan
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.training.program import Plan


def projection(spec: Spec, *, latent_dim: int = 16, learning_rate: float = 2e-4, ema: float = 0.0) -> Plan:
    """The label is projected on the critic's features; hinge loss, spectral norm, five critic turns to one.

    Paper: arXiv 1802.05637
    Departs: the generator is modulated by the label without batch normalisation; batches of 64 for all turns, whereas
      the authors' generator has twice the batch of their critic; a constant rate of Adam in place of one that falls to
      0. Labels only.
    """
    classes = _classes("projection", spec)
    critic = spectral(projected(spec._replace(condition=None).critic(), classes), exclude=())
    plan = gan_plan(spec, latent_dim, learning_rate, (0.0, 0.9), ema, turns=FIVE_TO_ONE, loss=HINGE, critic=critic)
    return plan._replace(batch_size=64)


def acgan(
    spec: Spec,
    *,
    weight: float = 1.0,
    latent_dim: int = 16,
    learning_rate: float = 2e-4,
    ema: float = 0.0,
) -> Plan:
    """The critic does not see the label but predicts it, for both real and fake examples.

    Paper: arXiv 1610.09585
    Departs: Adam (2e-4, b1 .5) for all data; no dropout, noise or batch normalisation. Labels only.

    Args:
      weight: of the classifier.
    """
    classes = _classes("acgan", spec)
    nets = spec.generator(), spec._replace(condition=None).critic()
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=learning_rate)
    game = make_acgan(*nets, classes=classes, latent_dim=latent_dim, weight=weight)
    return Plan(game, adam(learning_rate, (0.5, 0.999), "critic", "generator"), ALTERNATING, average(ema))


def _classes(name: str, spec: Spec) -> int:
    """How many there are; refuses a spec without labels."""
    if not isinstance(spec.condition, int):
        raise BadRequest(f"{name} learns from labels: give it --condition label.")
    return spec.condition
