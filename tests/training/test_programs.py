"""What each recipe compiles, and that it stops compiling."""

import jax
import numpy as np
import pytest
from specs import plainest, spec_for

from jaxgen.recipes import RECIPES, defaults, find
from jaxgen.training.loop import train
from jaxgen.training.models import compile_model
from jaxgen.training.program import compile_loop, run_keys
from jaxgen.training.sources import arrays, unpaired
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


def plan_and_source(name, spec, x):
    """A small plan of a recipe, and subset -> the source that it takes."""
    options = {"latent_dim": 2, "interval": 2}
    options = {option: value for option, value in options.items() if option in defaults(find(name))}
    label, condition = None, None
    if isinstance(spec.condition, int):
        label, condition = np.arange(len(x), dtype=np.int32) % spec.condition, lambda x, label: label
    elif spec.condition is not None:
        condition = lambda x, label: x[:, ::2, ::2]  # noqa: E731

    def source(subset=None):
        one = arrays(x, label, condition=condition, subset=subset)
        return unpaired(a=one, b=one) if spec.domains else one

    return find(name)(spec, **options), source


def conditions(spec):
    """Three of them."""
    if isinstance(spec.condition, int):
        return np.arange(3, dtype=np.int32)
    return None if spec.condition is None else np.zeros((3, *spec.condition), np.float32)


@pytest.mark.parametrize("name", [n if n in EVERY_TIME else pytest.param(n, marks=pytest.mark.slow) for n in RECIPES])
def test_as_many_programs_as_chunk_lengths_and_none_after_the_warm_up(name, compilations):
    # Kills: a program per run, seed or subset; a step that is not one program; a model compiled for each params.
    spec = spec_for(name, plainest(name))
    x = np.random.default_rng(0).uniform(size=(40, *spec.shape)).astype(np.float32)
    plan, source = plan_and_source(name, spec, x)
    program, bind = compile_loop(plan, source(), batch_size=8, chunk=2), compile_model(plan.game)
    condition = conditions(spec)

    def run(seed, subset=None):
        keys = run_keys(seed)
        for chunk in train(program, program.init(keys.init), keys, steps=5, fetch=source(subset).fetch):
            state = chunk.state
        model = bind(evaluation_params(state), state.context.state)
        if model.sample is None:
            model.maps["a_to_b"](x[:3])
        else:
            model.sample(model.draw(keys.evaluation, 3, condition=condition), condition=condition)

    run(0)
    assert set(program.compile_s) == {"init", 2, 1} and len(compilations) >= 3
    compilations.clear()
    run(1)
    run(2, np.arange(9))
    assert compilations == []


def test_a_seed_gives_its_numbers_whatever_generator_is_set():
    # Kills: JAX_DEFAULT_PRNG_IMPL=rbg, set for another program, that gives a seed other numbers.
    def numbers():
        return [np.asarray(jax.random.normal(key, (3,))) for key in run_keys(1)]

    plain = numbers()
    with jax.default_prng_impl("rbg"):
        np.testing.assert_array_equal(numbers(), plain)
