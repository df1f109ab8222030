"""Papers on GANs of labelled examples, whose critic learns of the label in another way than as an input."""

from jaxgen.core import BadRequest
from jaxgen.nets.readouts import projected
from jaxgen.nets.wrappers import spectral
from jaxgen.objectives import HINGE
from jaxgen.recipes.gans import FIVE_TO_ONE, gan_plan
from jaxgen.recipes.spec import Spec
from jaxgen.training.program import Plan


def projection(spec: Spec, *, latent_dim: int = 16, learning_rate: float = 2e-4, ema: float = 0.0) -> Plan:
    """The label is projected on the critic's features; hinge loss, spectral norm, five critic turns to one.

    Paper: arXiv 1802.05637
    Departs: the generator is modulated by the label without batch normalisation; one batch of 64 for all turns, where
      the authors' generator has twice the batch of their critic. Labels only.
    """
    classes = _classes("projection", spec)
    critic = spectral(projected(spec._replace(condition=None).critic(), classes), exclude=())
    plan = gan_plan(spec, latent_dim, learning_rate, (0.0, 0.9), ema, turns=FIVE_TO_ONE, loss=HINGE, critic=critic)
    return plan._replace(batch_size=64)


def _classes(name: str, spec: Spec) -> int:
    """How many there are; refuses a spec without labels."""
    if not isinstance(spec.condition, int):
        raise BadRequest(f"{name} learns from labels: give it --condition label.")
    return spec.condition
