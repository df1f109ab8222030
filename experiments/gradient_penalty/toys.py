"""Games of two numbers under every remedy: the rate near the equilibrium, and where runs from afar end."""

import cmath
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments import two_numbers
from experiments.gradient_penalty.ways import Config, Way, toy
from experiments.two_numbers import FAR, TAIL
from jaxgen.games import gan
from jaxgen.objectives import SATURATING, WASSERSTEIN, Adversarial
from jaxgen.training.dynamics import fitted_log_rate
from jaxgen.training.step import make_step

GAMES = {
    "Dirac-GAN": (SATURATING, 0.5),
    "bilinear game": (WASSERSTEIN, 1.0),
}  # loss, and the turning |lambda| without R1
NEAR = 1e-8  # the distance of near starts: what grows stays small enough for all of the fit
SETTLE, UNTIL = 100, 900  # the steps of the fit of a rate


def closed_rate(turning: float, damping: float, step: float) -> complex:
    """The largest eigenvalue of one step, both players at once: 1 + h (-g/2 +- sqrt(g^2/4 - w^2)).

    Mescheder et al. 2018, arXiv 1801.04406, for R1 of weight g; w is the turning of the game without it.

    >>> round(abs(closed_rate(0.5, 0.3, 0.2)), 5), round(abs(closed_rate(1.0, 0.0, 0.2)), 5)
    (0.97468, 1.0198)
    """
    root = cmath.sqrt(damping**2 / 4 - turning**2)
    return max((1 + step * (-damping / 2 + sign * root) for sign in (1, -1)), key=abs)


def measure(name: str, game: str, config: Config) -> tuple[dict[str, float | None], np.ndarray]:
    """(a row, a path from afar): the rate beside its closed form, and how far from the data the generator ends."""
    loss, turning = GAMES[game]
    entry = toy(name, config)
    paths = simulate(entry, loss, config)  # [starts near, then far, T + 1, 2]
    near, far = np.split(paths, 2)
    row: dict[str, float | None] = {"log_rate_by_the_formula": None, "log_rate": None, "largest_difference": None}
    if entry.damping is not None:
        eigenvalue = closed_rate(turning, entry.damping, config.toy_rate)
        rates = [fitted_log_rate(np.linalg.norm(path, axis=1)[SETTLE : UNTIL + 1], [eigenvalue]) for path in near]
        predicted = math.log(abs(eigenvalue))
        row = {
            "log_rate_by_the_formula": predicted,
            "log_rate": float(np.mean(rates)),
            "largest_difference": float(np.max(np.abs(np.subtract(rates, predicted)))),
        }
    return row | {"generator_from_the_data": float(np.abs(far[:, -TAIL:, 1]).mean(1).max())}, far[0]


def simulate(entry: Way, loss: Adversarial, config: Config) -> np.ndarray:
    """(psi, theta) of runs from near and from far, f64[2 starts, T + 1, 2]; both players move at once, by SGD."""
    generator, critic = two_numbers.players()
    game = gan(generator, entry.critic(critic), latent_dim=1, loss=loss, penalty=entry.penalty)
    sgd = optax.sgd(config.toy_rate)
    step = make_step(game, {"critic": entry.optimizer(sgd), "generator": sgd}, turns=(("critic", "generator"),))
    angles = draw_angles(config.starts)
    around = jnp.stack([jnp.cos(angles), jnp.sin(angles)], 1)
    starts = jnp.concatenate([NEAR * around, FAR * around])
    return two_numbers.paths(step, two_numbers.data(1), starts, config.toy_steps)


def draw_angles(n: int) -> jax.Array:
    """Directions of n starts; start i is the same whatever n is."""
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(0), i))(jnp.arange(n))
    return jax.vmap(lambda key: jax.random.uniform(key, maxval=2 * math.pi))(keys)
