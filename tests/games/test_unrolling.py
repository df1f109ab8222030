"""A generator that sees its critic some steps ahead: losses and slopes against NumPy, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest, Batch, Context, Network
from jaxgen.games import bilinear, cycle, dirac, gan, lq, unrolled
from jaxgen.objectives import NON_SATURATING, content, r1, r2

KEY, PSI, THETA, RATE = jax.random.key(0), 0.7, -0.4, 0.3
ZEROS = Batch(jnp.zeros((2, 1)))


def softplus(t):
    return np.log1p(np.exp(t))


def logistic(p, t):
    return t / (1 + np.exp(-p * t))


GAMES = {  # game, (psi, theta) -> slope of the critic's loss in psi, and the generator's loss
    "dirac": (dirac(), logistic, lambda p, t: -softplus(p * t) - np.log(2)),
    "non-saturating": (dirac(loss=NON_SATURATING), logistic, lambda p, t: -softplus(p * t) - np.log(2)),
    "bilinear": (bilinear(), lambda p, t: t, lambda p, t: -p * t),
    "r1": (bilinear(penalty=r1(0.5)), lambda p, t: t + 0.5 * p, lambda p, t: -p * t),
}


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("steps", [1, 3])
def test_loss_and_slope(name, steps):
    # Kills: a step too few or too many; steps up the critic's loss, or of the generator's; a penalty left out of them;
    # steps that are constants in the gradient; a critic that foresees itself; the slope of a
    # generator's loss that is not the critic's.
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


def test_the_real_examples_count():
    # Kills: the generator's loss in place of the critic's: that leaves out what the foreseen critic says of real
    # examples, and the generator is not at rest where it is the data. Mean 1/2 and standard deviation 1/2.
    game, batch = unrolled(lq(), steps=2, rate=0.1), Batch(jnp.array([[0.0], [1.0]]))
    params, state = game.init(KEY, batch)
    noise = {**game.draw(KEY, batch), "z": jnp.array([[-1.0], [1.0]])}

    def slope(a, b, w=0.0):
        at = {"critic": jax.tree.map(lambda _: jnp.float32(w), params["critic"])}
        own = {"a": jnp.float32(a), "b": jnp.float32(b)}
        found = jax.grad(
            lambda own: game.losses["generator"]({**at, "generator": own}, noise, batch, Context(0, state))[0]
        )
        return [float(g) for g in found(own).values()]

    np.testing.assert_allclose(slope(0.5, 0.5), [0, 0], atol=1e-6)
    # -w (S + M) + 0.2 (S^2 + M^2), S = a^2 + b^2 - 1/2 and M = b - 1/2 the moments that differ
    squares, means = 0.7**2 + 0.2**2 - 0.5, 0.2 - 0.5
    by_a = (2 * 0.2 * squares - 0.3) * 2 * 0.7
    by_b = (2 * 0.2 * squares - 0.3) * 2 * 0.2 + 2 * 0.2 * means - 0.3
    np.testing.assert_allclose(slope(0.7, 0.2, 0.3), [by_a, by_b], rtol=1e-5)


def test_terms_figures_and_state():
    # Kills: a penalty of the generator left out, or paid in its adversarial term; one of the critic that the generator
    # earns; a figure or a state that gets lost.
    game = gan(
        Network(lambda key, z: (jnp.float32(0.8), ()), lambda a, state, noise, z: (a * z, state)),
        Network(lambda key, x: (jnp.float32(0.6), ()), lambda w, state, noise, x: (w * x[:, 0], state)),
        latent_dim=1,
        penalty=r1(0.5),
        generator_penalty=content(2.0),
    )
    batch = Batch(jnp.array([[0.3], [-0.2]]))
    ahead = unrolled(game, steps=1, rate=RATE)
    params, state = game.init(KEY, batch)
    given = ahead.draw(KEY, batch), batch, Context(0, state)
    values = {name: loss(params, *given) for name, loss in ahead.losses.items()}
    assert values["generator:penalty"][0] == game.losses["generator:penalty"](params, *given)[0] > 0
    total = values["generator:adversarial"][0] + values["generator:penalty"][0]
    np.testing.assert_allclose(values["generator"][0], total, rtol=1e-6)
    slope = jax.grad(lambda p: game.losses["critic"]({**params, "critic": p}, *given)[0])(params["critic"])
    moved = {**params, "critic": jax.tree.map(lambda p, g: p - RATE * g, params["critic"], slope)}
    np.testing.assert_allclose(
        values["generator:adversarial"][0], -game.losses["critic:adversarial"](moved, *given)[0], rtol=1e-5
    )
    assert values["generator"][1].info.keys() == {"penalty"}
    assert values["generator"][1].state.keys() == game.losses["generator"](params, *given)[1].state.keys()


def test_a_penalty_of_the_generator_reads_the_critic_of_now():
    # Kills: a penalty at the foreseen critic, or differentiated through the steps to it; a figure of the foreseen
    # critic. D(x) = w x^2 / 2 and G(z) = a z: R2 of weight 2 is the mean of (w a z)^2, of slope 2 a (w z)^2.
    game = gan(
        Network(lambda key, z: (jnp.float32(0.8), ()), lambda a, state, noise, z: (a * z, state)),
        Network(lambda key, x: (jnp.float32(0.6), ()), lambda w, state, noise, x: (w * x[:, 0] ** 2 / 2, state)),
        latent_dim=1,
        generator_penalty=r2(2.0),
    )
    ahead = unrolled(game, steps=2, rate=RATE)
    params, state = game.init(KEY, ZEROS)
    noise = {**game.draw(KEY, ZEROS), "z": jnp.array([[1.5], [-0.5]])}

    def terms(a):
        given = {**params, "generator": a}, noise, ZEROS, Context(0, state)
        total, aux = ahead.losses["generator"](*given)
        return total - ahead.losses["generator:adversarial"](*given)[0], aux.info["penalty"]

    (value, shown), slope = jax.value_and_grad(terms, has_aux=True)(params["generator"])
    np.testing.assert_allclose([value, shown], [(0.8 * 0.6) ** 2 * 1.25] * 2, rtol=1e-5)
    np.testing.assert_allclose(slope, 2 * 0.8 * 0.6**2 * 1.25, rtol=1e-5)


@pytest.mark.parametrize("rate", [np.float64(0.1), np.float32(0.1), jnp.float32(0.1), 1])
def test_rates_keep_the_precision_of_the_params(rate):
    # Kills: a rate that promotes half precision; one of NumPy or JAX that is refused.
    game = bilinear()
    params, state = game.init(KEY, ZEROS)
    params, batch = jax.tree.map(lambda p: p.astype(jnp.bfloat16), (params, ZEROS))
    ahead = unrolled(game, steps=2, rate=rate)
    value, _ = ahead.losses["generator"](params, game.draw(KEY, batch), batch, Context(0, state))
    assert value.dtype == jnp.bfloat16
    np.testing.assert_allclose(value, -(1 - 2 * float(rate)), rtol=0.02)


def test_the_steps_are_written_out():
    # Kills: a loop over the steps, in which XLA's own convolutions are 300 times slower on CPU.
    game = unrolled(dirac(), steps=3, rate=0.1)
    params, state = game.init(KEY, ZEROS)
    program = jax.make_jaxpr(game.losses["generator"])(params, game.draw(KEY, ZEROS), ZEROS, Context(0, state))
    assert "scan" not in str(program) and "while" not in str(program)


def test_refuses():
    # Kills: each check: no step at all, one that goes nowhere, another error of Python's; a game whose generator has
    # terms that would be lost, or foresees already.
    alone = dirac()._replace(losses={"critic": dirac().losses["critic"]})
    net = Network(lambda key, x: (jnp.float32(1), ()), lambda w, state, noise, x: (w * x, state))
    more = dirac()._replace(losses={**dirac().losses, "encoder": lambda *of: None})
    refusals = {
        "steps=0": lambda: unrolled(dirac(), steps=0, rate=0.1),
        "rate=0": lambda: unrolled(dirac(), steps=1, rate=0),
        "rate=True": lambda: unrolled(dirac(), steps=1, rate=True),
        "rate=inf": lambda: unrolled(dirac(), steps=1, rate=np.inf),
        "rate='fast'": lambda: unrolled(dirac(), steps=1, rate="fast"),
        "the losses critic\\.": lambda: unrolled(alone, steps=1, rate=0.1),
        "critic, generator, encoder\\.": lambda: unrolled(more, steps=1, rate=0.1),
        "drop terms": lambda: unrolled(cycle(*[dict.fromkeys("ab", net)] * 2), steps=1, rate=0.1),
        "nothing has changed": lambda: unrolled(unrolled(dirac(), steps=5, rate=0.1), steps=1, rate=0.1),
        "game must be of the type Game": lambda: unrolled(None, steps=1, rate=0.1),
    }
    for says, call in refusals.items():
        with pytest.raises(BadRequest, match=says):
            call()
