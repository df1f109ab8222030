"""How losses are weighed: the weights by NumPy, what they hold fixed, what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest
from jaxgen.objectives import adaptive_weight, constant_weight, equal_norms
from jaxgen.objectives.weighting import held, norm


def weights(weighting, reconstruction, adversarial, step=0):
    both = weighting.weights(jnp.float32(reconstruction), jnp.float32(adversarial), jnp.int32(step))
    return [float(weight) for weight in both]


@pytest.mark.parametrize(
    ("weighting", "expected"),
    [
        (constant_weight(0.25), [1.0, 0.25]),
        (adaptive_weight(0.5), [1.0, 0.5 * 3.0 / (0.02 + 1e-4)]),
        (adaptive_weight(0.5, floor=1.0), [1.0, 0.5 * 3.0 / 1.02]),
        (adaptive_weight(0.5, limit=7.0), [1.0, 3.5]),
        (adaptive_weight(lambda step: 0.1 * step), [1.0, 0.4 * 3.0 / (0.02 + 1e-4)]),
        (equal_norms(2.0), [1 / (3.0 + 1e-8), 2 / (0.02 + 1e-8)]),
        (equal_norms(2.0, floor=1.0), [1 / 4.0, 2 / 1.02]),
    ],
)
def test_weights_by_hand(weighting, expected):
    # Kills: the quotient turned round; a floor inside the norm's square or left out; a limit on the product; a weight
    # inside the limit; a schedule of another step; the weight on the reconstruction.
    np.testing.assert_allclose(weights(weighting, 3.0, 0.02, step=4), expected, rtol=1e-6)


def test_the_adaptive_weight_grows_to_its_limit_as_the_critic_flattens():
    # Kills: a floor that bounds it below the limit; no limit; a NaN at a flat critic, or where both are flat.
    slopes = 10.0 ** -np.arange(0, 12)
    grown = [weights(adaptive_weight(0.5), 3.0, slope)[1] for slope in slopes]
    assert np.all(np.diff(grown[:5]) > 0) and grown[3] > 1e3 and grown[4:] == [5e3] * 8
    assert weights(adaptive_weight(), 3.0, 0.0)[1] == 1e4 and weights(adaptive_weight(), 0.0, 0.0)[1] == 0
    assert weights(adaptive_weight(), 0.5, 0.0)[1] == pytest.approx(5e3)  # below the limit: the floor alone


@pytest.mark.parametrize("weighting", [adaptive_weight(0.5), equal_norms(0.5)], ids=["adaptive", "norms"])
def test_weights_carry_no_gradient(weighting):
    # Kills: a stop_gradient left out, in either norm.
    slopes = jax.jacobian(lambda a, g: weighting.weights(a, g, 0), (0, 1))(jnp.float32(3.0), jnp.float32(0.02))
    assert not np.any(jax.tree.leaves(slopes))


def test_a_held_slope_is_the_gradient():
    # Kills: a slope that is differentiated again; a value that moves; a leaf that is left out.
    value, slope, at = jnp.float32(7.0), {"a": jnp.array([1.0, -2.0]), "b": jnp.float32(0.5)}, {"a": jnp.ones(2)}
    at["b"] = jnp.float32(3.0)
    found, gradient = jax.value_and_grad(lambda p: 3 * held(value + p["b"], jax.tree.map(jnp.multiply, slope, p), p))(
        at
    )
    assert float(found) == 30.0
    np.testing.assert_allclose(gradient["a"], [3.0, -6.0])
    np.testing.assert_allclose(gradient["b"], 4.5)
    np.testing.assert_allclose(norm({"a": jnp.array([1.0, 2.0]), "b": jnp.array([[2.0]])}), 3.0)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: constant_weight(-1.0), "weight must be a finite number of at least 0"),
        (lambda: adaptive_weight(float("nan")), "weight must be"),
        (lambda: adaptive_weight(limit=0.0), "limit=0.0: it must be a finite number above 0"),
        (lambda: adaptive_weight(floor=-1e-4), "floor=-0.0001"),
        (lambda: adaptive_weight(floor="a"), "floor='a'"),
        (lambda: adaptive_weight(limit=True), "limit=True"),
        (lambda: equal_norms(floor=float("inf")), "floor=inf"),
        (lambda: equal_norms(floor=0.0), "floor=0.0"),
        (lambda: equal_norms("a"), "weight must be"),
    ],
)
def test_bad_weights(make, word):
    # Kills: a check that is missing; a quotient by zero.
    with pytest.raises(BadRequest, match=word):
        make()
