"""Games of two numbers, of which everything is known: how adversarial training converges, circles or diverges."""

import jax.numpy as jnp

from jaxgen.core import Game, Network
from jaxgen.games.gan import gan
from jaxgen.nets.augmentation import Pipe, augmented
from jaxgen.objectives.adversarial import SATURATING, WASSERSTEIN, Adversarial
from jaxgen.objectives.penalties import Penalty


def _one(key, x):
    return jnp.ones(()), ()


_LINE = Network(_one, lambda psi, state, noise, x: (psi * x[:, 0], state))
_POINT = Network(_one, lambda theta, state, noise, z: (jnp.broadcast_to(theta, z.shape), state))


def dirac(*, loss: Adversarial = SATURATING, penalty: Penalty | None = None, augment: Pipe | None = None) -> Game:
    """The Dirac-GAN: G(z) = theta, D(x) = psi x, data at 0: hand it batches of zeros, x [B, 1]. z is not used.

    With these losses the critic minimises softplus(theta psi), up to a constant, and the generator its negative. They
    start at theta = psi = 1 and would meet at 0, where the field has the eigenvalues -gamma/2 +- sqrt(gamma^2 - 1)/2
    with the penalty r1(gamma), and +-i/2 without: the flow circles, simultaneous steps diverge.
    Mescheder et al. 2018, arXiv 1801.04406; their psi has the other sign.

    Args:
      loss: what each player minimises.
      penalty: added to the critic's loss.
      augment: what the critic sees examples through; instance_noise(s) moves the eigenvalues to
        -s^2/4 +- sqrt(s^4/4 - 1)/2, as r1(s^2 / 2) does, where the noise has mean 0 and variance 1.

    Returns:
      A game of the players "critic", psi f32[], and "generator", theta f32[].

    >>> import jax, jax.numpy as jnp
    >>> from jaxgen.core import Batch, Context
    >>> game, batch = dirac(), Batch(jnp.zeros((1, 1)))
    >>> params, state = game.init(jax.random.key(0), batch)
    >>> noise = game.draw(jax.random.key(1), batch)
    >>> slope = {name: jax.grad(lambda p: loss(p, noise, batch, Context(0, state))[0])(params)[name]
    ...          for name, loss in game.losses.items()}
    >>> print({name: round(float(value), 4) for name, value in slope.items()})  # sigmoid(1) = 0.7311
    {'critic': 0.7311, 'generator': -0.7311}
    """
    critic = _LINE if augment is None else augmented(_LINE, augment)
    return gan(_POINT, critic, latent_dim=1, loss=loss, penalty=penalty)


def bilinear(*, penalty: Penalty | None = None) -> Game:
    """The critic minimises theta psi, the generator -theta psi: the Dirac-GAN with Wasserstein losses, unclipped.

    Players, start, equilibrium and batches are those of `dirac`; the field has the eigenvalues +-i everywhere, and
    -gamma/2 +- sqrt(gamma^2/4 - 1) with the penalty r1(gamma).
    """
    return dirac(loss=WASSERSTEIN, penalty=penalty)
