"""Papers on GANs from whose examples a code can be read."""

from typing import Any

from jaxgen.games import infogan as make_infogan
from jaxgen.recipes.gans import ALTERNATING, adam, average
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.training.program import Plan


def infogan(
    spec: Spec,
    *,
    categories: int = 10,
    numbers: int = 2,
    weight: float = 1.0,
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
    ema: float = 0.0,
) -> Plan:
    """A code that the critic can read off: one of several categories, and numbers.

    Paper: arXiv 1606.03657
    Departs: the settings of the authors' code for MNIST (Adam 1e-3 for the generator, 2e-4 for the critic, b1 .5), for
      all data; the code is read by one layer where theirs has two; normal noise where theirs is uniform.

    Args:
      categories: of the code, each as probable; 0: none.
      numbers: of the code, uniform in (-1, 1).
      weight: of the information, in nats.
      latent_dim: numbers beside the code.
      learning_rate: of the generator's Adam; the critic's is a fifth of it.
    """
    at_least(1, latent_dim=latent_dim)
    at_least(0, learning_rate=learning_rate)
    sizes: dict[str, Any] = {"latent_dim": latent_dim, "categories": categories, "numbers": numbers}
    game = make_infogan(spec.generator(), spec.critic(), weight=weight, **sizes)
    optimizers = adam(learning_rate, (0.5, 0.999), "generator") | adam(learning_rate / 5, (0.5, 0.999), "critic")
    return Plan(game, optimizers, ALTERNATING, average(ema))
