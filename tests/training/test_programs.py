"""What each recipe compiles, and that it stops compiling."""

import jax
import numpy as np
import pytest

from jaxgen.recipes import RECIPES, find
from jaxgen.training.loop import train
from jaxgen.training.models import compile_model
from jaxgen.training.program import compile_loop, run_keys
from jaxgen.training.step import evaluation_params

EVERY_TIME = ("wgan_gp",)  # a loop over turns, a switch, a penalty


@pytest.fixture
def compilations():
    seen = []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: seen.append(event) if event.endswith("backend_compile_duration") else None
    )
    yield seen
    jax.monitoring.clear_event_listeners()


@pytest.mark.parametrize("name", [n if n in EVERY_TIME else pytest.param(n, marks=pytest.mark.slow) for n in RECIPES])
def test_as_many_programs_as_chunk_lengths_and_none_after_the_warm_up(name, compilations):
    # Kills: a program per run, seed or subset; a round that is not one program; a model compiled for each params.
    x = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    plan = find(name).plan((2,), width=8, latent_dim=2)
    program, bind = compile_loop(plan, x, batch_size=8, chunk=2), compile_model(plan.game)

    def run(seed, subset=None):
        keys = run_keys(seed)
        for chunk in train(program, program.init(keys.init), keys, rounds=5, subset=subset):
            state = chunk.state
        model = bind(evaluation_params(state), state.memo.carry)
        model.sample(model.draw(keys.evaluation, 3))

    run(0)
    assert set(program.compile_s) == {"init", 2, 1} and len(compilations) >= 3
    compilations.clear()
    run(1)
    run(2, np.arange(9))
    assert compilations == []
