"""Games of two or four parameters with known dynamics, which show how adversarial training converges or diverges."""

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


def _ones(*names):
    return lambda key, x: (dict.fromkeys(names, jnp.ones(())), ())


_PARABOLA = Network(_ones("w1", "w2"), lambda w, state, noise, x: (w["w2"] * x[:, 0] ** 2 + w["w1"] * x[:, 0], state))
_SCALED = Network(_ones("a", "b"), lambda p, state, noise, z: (p["a"] * z + p["b"], state))


def dirac(*, loss: Adversarial = SATURATING, penalty: Penalty | None = None, augment: Pipe | None = None) -> Game:
    """The Dirac-GAN: G(z) = theta, D(x) = psi x, data at 0. Pass batches of zeros, x [B, 1]; z is not used.

    With these losses the critic minimises softplus(theta psi), up to a constant, and the generator its negative. They
    start at theta = psi = 1; the equilibrium is 0. There the eigenvalues of the field are -gamma/2 +-
    sqrt(gamma^2 - 1)/2 with the penalty r1(gamma), and +-i/2 without, so that the flow circles and simultaneous steps
    diverge. Mescheder et al. 2018, arXiv 1801.04406; their psi has the opposite sign.

    Args:
      loss: what each player minimises.
      penalty: added to the critic's loss.
      augment: augmentation of the critic's inputs. instance_noise(s) changes the eigenvalues to
        -s^2/4 +- sqrt(s^4/4 - 1)/2, as r1(s^2 / 2) does, if the noise has mean 0 and variance 1.

    Returns:
      A game with the players "critic", psi f32[], and "generator", theta f32[].

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
    """The Dirac-GAN with unclipped Wasserstein losses: the critic minimises theta psi, the generator -theta psi.

    Players, start, equilibrium and batches are those of `dirac`. The eigenvalues of the field are +-i everywhere, and
    -gamma/2 +- sqrt(gamma^2/4 - 1) with the penalty r1(gamma).
    """
    return dirac(loss=WASSERSTEIN, penalty=penalty)


def lq(*, loss: Adversarial = WASSERSTEIN, penalty: Penalty | None = None) -> Game:
    """The LQ-GAN: a linear generator G(z) = a z + b and a quadratic critic D(x) = w2 x^2 + w1 x; x and z are [B, 1].

    With unclipped Wasserstein losses the objective of both is w2 (E G^2 - E x^2) + w1 (E G - E x), so only mean and
    mean square matter. For data of mean m and standard deviation s and z ~ N(0, 1) the equilibria are w1 = w2 = 0,
    b = m, a = s or -s. There the eigenvalues of the field are +-i sigma, with sigma the two singular values of the
    Jacobian of these moments in (a, b), [[2 s, 2 m], [0, 1]], and -gamma sigma^2/2 +- sqrt(gamma^2 sigma^4/4 -
    sigma^2) with the penalty r1(gamma), because the critic's damping is gamma [[4 (s^2 + m^2), 2 m], [2 m, 1]], the
    square of that matrix. So it is the bilinear game at two speeds. All four parameters start at 1.

    On a batch, m and s are replaced by the moments of the batch and of the z drawn for it. For the values above, pass
    the examples m - s and m + s, and set z to -1 and 1.

    Nagarajan & Kolter 2017, arXiv 1706.04156.

    Args:
      loss: what each player minimises.
      penalty: added to the critic's loss.

    Returns:
      A game with the players "critic", {"w1", "w2"}, and "generator", {"a", "b"}, f32[] each.
    """
    return gan(_SCALED, _PARABOLA, latent_dim=1, loss=loss, penalty=penalty)
