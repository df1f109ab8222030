"""The paper on unrolled GANs, whose generator's loss uses the critic after some further steps."""

from jaxgen.games import unrolled as make_unrolled
from jaxgen.objectives import SATURATING
from jaxgen.recipes.gans import adam, gan_plan
from jaxgen.recipes.spec import Spec, at_least
from jaxgen.training.program import Plan


def unrolled(
    spec: Spec,
    *,
    ahead: int = 5,
    foreseen: float = 0.01,
    latent_dim: int = 16,
    learning_rate: float = 1e-3,
    ema: float = 0.0,
) -> Plan:
    """The minimax loss, with the critic after some further steps in the generator's loss.

    Paper: arXiv 1611.02163
    Departs: the settings of the authors' code for points (Adam 1e-3 and 1e-4, b1 .5, batches of 512), for all data; the
      unrolled steps are of plain gradient descent in place of Adam. The networks are this library's; with them it lost
      modes of ring8 again in long trials, and diverged if the unrolled steps were ten times as large. With networks of
      the paper it keeps more modes than without unrolling: experiments/published_protocols. Not tried on images.

    Args:
      ahead: number of unrolled steps of the critic.
      foreseen: learning rate of these steps.
      learning_rate: of the generator's Adam; the critic's is a tenth of it.
    """
    at_least(1, ahead=ahead)
    at_least(0, foreseen=foreseen)
    plan = gan_plan(spec, latent_dim, learning_rate, (0.5, 0.999), ema, loss=SATURATING)
    optimizers = {**plan.optimizers, **adam(learning_rate / 10, (0.5, 0.999), "critic")}
    game = make_unrolled(plan.game, steps=ahead, rate=foreseen)
    return plan._replace(game=game, optimizers=optimizers, batch_size=512)
