"""Games of two numbers: a round away from the equilibrium, against its formulas."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxgen.core import Batch
from jaxgen.games import bilinear, dirac
from jaxgen.objectives import NON_SATURATING, r1
from jaxgen.training.step import make_step

KEY, H, PSI, THETA = jax.random.key(0), 0.2, 0.7, -0.4
SIGMOID = 1 / (1 + np.exp(-PSI * THETA))
GAMES = {  # game, slope in psi, slope in theta, the critic's loss
    "saturating": (dirac(), SIGMOID * THETA, -SIGMOID * PSI, np.log(2) - np.log(1 - SIGMOID)),
    "non-saturating": (
        dirac(loss=NON_SATURATING),
        SIGMOID * THETA,
        -(1 - SIGMOID) * PSI,
        np.log(2) - np.log(1 - SIGMOID),
    ),
    "r1": (
        dirac(penalty=r1(0.3)),
        SIGMOID * THETA + 0.3 * PSI,
        -SIGMOID * PSI,
        np.log(2) - np.log(1 - SIGMOID) + 0.15 * PSI**2,
    ),
    "bilinear": (bilinear(), THETA, -PSI, PSI * THETA),
}


@pytest.mark.parametrize("name", GAMES)
def test_a_round(name):
    # Kills: real and fake swapped; a penalty forgotten; a generator that depends on z; another start than (1, 1).
    game, in_psi, in_theta, value = GAMES[name]
    step = make_step(game, dict.fromkeys(("critic", "generator"), optax.sgd(H)), (("critic", "generator"),))
    state = step.init(KEY, Batch(jnp.zeros((3, 1))))
    assert jax.tree.map(float, state.params) == {"critic": 1, "generator": 1}
    state = state._replace(params={"critic": jnp.float32(PSI), "generator": jnp.float32(THETA)})
    state, info = step.update(state, KEY, Batch(jnp.zeros((1, 3, 1))))
    np.testing.assert_allclose(state.params["critic"], PSI - H * in_psi, rtol=1e-5)
    np.testing.assert_allclose(state.params["generator"], THETA - H * in_theta, rtol=1e-5)
    np.testing.assert_allclose(info["critic"]["loss"], value, rtol=1e-5)


def test_samples_are_the_point():
    # Kills: a sample of another shape, or one that the noise moves.
    model = dirac().model({"critic": jnp.float32(1), "generator": jnp.float32(0.25)}, {})
    np.testing.assert_array_equal(model.sample(model.draw(KEY, 3)), np.full((3, 1), 0.25))
