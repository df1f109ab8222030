"""Games of two numbers, of which everything is known: how adversarial training converges, circles or diverges."""

import jax.numpy as jnp

from jaxgen.core import Game, Network
from jaxgen.games.gan import gan
from jaxgen.games.observation import VECTORS
from jaxgen.objectives import NO_AUGMENT, NO_PENALTY, SATURATING, WASSERSTEIN, Adversarial, Augment, Penalty


def _one(key, x):
    return jnp.ones(())


_LINE = Network(_one, lambda psi, x: psi * x[:, 0])
_POINT = Network(_one, lambda theta, z: jnp.broadcast_to(theta, z.shape))


def dirac(*, loss: Adversarial = SATURATING, penalty: Penalty = NO_PENALTY, augment: Augment = NO_AUGMENT) -> Game:
    """The Dirac-GAN: G(z) = theta, D(x) = psi x, data at 0: hand it batches of zeros, x [B, 1]. The noise is idle.

    With these losses the critic minimises softplus(theta psi), up to a constant, and the generator its negative. They
    start at theta = psi = 1 and would meet at 0, where the field has the eigenvalues -gamma/2 +- sqrt(gamma^2 - 1)/2
    with the penalty r1(gamma), and +-i/2 without: the flow circles, simultaneous steps diverge.
    Mescheder et al. 2018, arXiv 1801.04406; their psi has the other sign.

    Args:
      loss: what each player minimises.
      penalty: added to the critic's loss.
      augment: what the critic is shown; instance_noise(s) moves the eigenvalues to -s^2/4 +- sqrt(s^4/4 - 1)/2, where
        the noise has mean 0 and variance 1.

    Returns:
      A game of the players "critic", psi f32[], and "generator", theta f32[].

    >>> import jax, jax.numpy as jnp, optax
    >>> from jaxgen import Batch, make_step
    >>> step = make_step(dirac(), dict.fromkeys(("critic", "generator"), optax.sgd(0.2)), (("critic", "generator"),))
    >>> batches = Batch(jnp.zeros((1, 1, 1)))  # one turn, one example, one number
    >>> state = step.init(jax.random.key(0), jax.tree.map(lambda a: a[0], batches))
    >>> state, _ = step.update(state, jax.random.key(0), batches)
    >>> print(f"theta {state.params['generator']:.4f}, psi {state.params['critic']:.4f}")
    theta 1.1462, psi 0.8538
    """
    return gan(_POINT, _LINE, latent_dim=1, observation=VECTORS, loss=loss, penalty=penalty, augment=augment)


def bilinear() -> Game:
    """The critic minimises theta psi, the generator -theta psi: the Dirac-GAN with Wasserstein losses, unclipped.

    Players, start, equilibrium and batches are those of `dirac`; the field has the eigenvalues +-i everywhere.
    """
    return dirac(loss=WASSERSTEIN)
