"""Params, noise and losses are float32, also in a program that switches JAX to float64."""

import jax
import numpy as np
import pytest
from specs import batch_for, plainest, spec_for

from jaxgen.core import at
from jaxgen.recipes import RECIPES, Spec
from jaxgen.runs import run
from jaxgen.training.program import run_keys

QUICK = [("r3gan", (16, 16, 1))]
SLOW = [(name, shape) for name in RECIPES for shape in {plainest(name), (16, 16, 3)}]


def wide(tree):
    names = jax.tree_util.tree_leaves_with_path(tree)
    return [jax.tree_util.keystr(path) for path, leaf in names if leaf.dtype == np.float64]


@pytest.mark.parametrize("name, shape", [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)])
def test_nothing_becomes_float64(name, shape):
    # Kills: a draw, a param, a constant or a figure of JAX's default type, which is float64 there: lax.mul refuses it.
    spec = spec_for(name, shape)
    if spec is None:
        pytest.skip("its docstring says that it takes no such data")
    with jax.enable_x64(True):
        plan = RECIPES[name](spec)
        step, keys = plan.step(), run_keys(0)
        state = jax.eval_shape(step.init, keys.init, batch_for(spec, (12,)))
        after, info = jax.eval_shape(step.update, state, keys.noise, batch_for(spec, (len(plan.turns), 12)))
    assert wide((state, after, info)) == []
    assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(lambda a: (a.shape, a.dtype), state)


def test_weights_are_no_float64():
    # Kills: a NumPy number, or a schedule of the step, by which a loss becomes float64.
    with jax.enable_x64(True):
        for weight in (np.float64(0.5), lambda step: step / 2):
            assert (jax.numpy.float32(1.0) * at(weight, jax.numpy.int32(1))).dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vae", "hinge_sn", "r3gan"])
@pytest.mark.parametrize("shape", [(16, 16, 1), (2,)])
def test_training_is_that_without(name, shape):
    # Kills: numbers that depend on the setting; a program compiled for other types than it is called with. Optax takes
    # the powers of its decays in float64 there, so the params are the same but for the last place.
    x = np.random.default_rng(0).random((40, *shape), np.float32)

    def trained():
        played = run.fit(lambda spec: RECIPES[name](Spec(spec.shape, width=8)), x, steps=1, batch_size=8)
        return played.history, (played.state, played.model.sample(played.model.draw(jax.random.key(0), 4)))

    losses, plain = trained()
    with jax.enable_x64(True):
        other, x64 = trained()
    assert jax.tree.map(lambda a: a.dtype, plain) == jax.tree.map(lambda a: a.dtype, x64)
    for figure in losses[0].keys() - {"steps_per_s"}:
        np.testing.assert_allclose(other[0][figure], losses[0][figure], rtol=1e-4)
