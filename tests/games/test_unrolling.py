"""A generator that sees its critic some steps ahead: losses and slopes against NumPy, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import Aux, BadRequest, Batch, Context
from jaxgen.games import bilinear, dirac, unrolled
from jaxgen.objectives import r1

KEY, PSI, THETA, RATE = jax.random.key(0), 0.7, -0.4, 0.3
ZEROS = Batch(jnp.zeros((2, 1)))


def softplus(t):
    return np.log1p(np.exp(t))


GAMES = {  # game, (psi, theta) -> slope of the critic's loss in psi, and the generator's loss
    "dirac": (dirac(), lambda p, t: t / (1 + np.exp(-p * t)), lambda p, t: -softplus(p * t)),
    "bilinear": (bilinear(), lambda p, t: t, lambda p, t: -p * t),
    "r1": (bilinear(penalty=r1(0.5)), lambda p, t: t + 0.5 * p, lambda p, t: -p * t),
}


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("steps", [1, 3])
def test_loss_and_slope(name, steps):
    # Kills: a step too few or too many; steps up the critic's loss, or of the generator's; a penalty left out of them;
    # steps that are constants in the gradient; a critic that foresees itself; a figure of the critic that moves.
    game, slope, loss = GAMES[name]
    ahead = unrolled(game, steps=steps, rate=RATE)
    params, state = ahead.init(KEY, ZEROS)
    params = {"critic": jnp.float32(PSI), "generator": jnp.float32(THETA)}
    noise, context = ahead.draw(KEY, ZEROS), Context(0, state)

    def foreseen(theta):
        psi = PSI
        for _ in range(steps):
            psi -= RATE * slope(psi, theta)
        return loss(psi, theta)

    def of(theta):
        return ahead.losses["generator"]({**params, "generator": theta}, noise, ZEROS, context)[0]

    value, grad = jax.jit(jax.value_and_grad(of))(params["generator"])
    np.testing.assert_allclose(value, foreseen(THETA), rtol=1e-5, atol=1e-6)
    quotient = (foreseen(THETA + 1e-5) - foreseen(THETA - 1e-5)) / 2e-5
    np.testing.assert_allclose(grad, quotient, rtol=1e-5)
    for term in [term for term in game.losses if term.startswith("critic")]:
        assert ahead.losses[term] is game.losses[term]
    assert ahead.draw is game.draw and ahead.model is game.model and ahead.turns == game.turns


def test_any_players():
    # Kills: a player of a fixed name; terms of a loss that are left as they were; info and state that get lost.
    def judge(params, noise, batch, context):
        return 0.5 * (params["judge"] - params["a"] - noise) ** 2, Aux({})

    def part(params, noise, batch, context):
        return params["judge"] * params["a"], Aux({"seen": params["judge"]}, {"kept": context.step})

    losses = {"judge": judge, "a": part, "a:part": part}
    game = unrolled(dirac()._replace(losses=losses), steps=2, rate=0.5, critic="judge")
    params = {"judge": jnp.float32(3), "a": jnp.float32(1)}
    for name in ("a", "a:part"):
        value, aux = game.losses[name](params, jnp.float32(1), ZEROS, Context(7, {}))
        assert value == 2.25 and aux.info["seen"] == 2.25 and aux.state == {"kept": 7}


def test_refuses():
    # Kills: each check: no step at all, one that goes nowhere, another error of Python's.
    refusals = {
        "steps=0": lambda: unrolled(dirac(), steps=0, rate=0.1),
        "rate=0": lambda: unrolled(dirac(), steps=1, rate=0),
        "rate=True": lambda: unrolled(dirac(), steps=1, rate=True),
        "rate=inf": lambda: unrolled(dirac(), steps=1, rate=np.inf),
        "rate='fast'": lambda: unrolled(dirac(), steps=1, rate="fast"),
        "'judge' for other players, and this game has critic, generator": lambda: unrolled(
            dirac(), steps=1, rate=0.1, critic="judge"
        ),
        "this game has critic\\.": lambda: unrolled(
            dirac()._replace(losses={"critic": dirac().losses["critic"]}), steps=1, rate=0.1
        ),
    }
    for says, call in refusals.items():
        with pytest.raises(BadRequest, match=says):
            call()
