import jax
import jax.numpy as jnp
import numpy as np
from toys import small_gan, small_vae

from jaxgen.core import Batch
from jaxgen.training.models import compile_model

X = jax.random.normal(jax.random.key(7), (5, 2))


def two(game):
    return [game.init(jax.random.key(seed), Batch(X)) for seed in (0, 1)]


def test_is_the_games_own_model():
    # Kills: a function under another's name; params of the first call kept; samples that are no shape.
    game = small_vae()
    bind = compile_model(game)
    for params, state in two(game):
        model, plain, key = bind(params, state), game.model(params, state), jax.random.key(3)
        noise = model.draw(key, 4)
        np.testing.assert_array_equal(noise, plain.draw(key, 4))
        assert model.draw_posterior(key, 3, X).shape == (3, 5, 2)
        for name in ("sample", "decode", "encode"):
            # Two programs, whose sums are in another order: numbers near 0 lose digits.
            np.testing.assert_allclose(getattr(model, name)(X), getattr(plain, name)(X), rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(
            model.scores["reconstruction"](None, X), plain.scores["reconstruction"](None, X), rtol=1e-6
        )
        np.testing.assert_allclose(model.features["first"](X), plain.features["first"](X), rtol=1e-6)
        code, layers = model.features.with_code(X)
        np.testing.assert_allclose(code, plain.encode(X), rtol=1e-6, atol=1e-6)
        assert set(layers) == set(plain.features)
        np.testing.assert_allclose(layers["first"], plain.features["first"](X), rtol=1e-6)
        assert model.log_weight is None


def test_what_a_game_lacks_stays_away():
    game = small_gan()
    model = compile_model(game)(*two(game)[0])
    assert model.encode is None and model.decode is None and model.scores == {} and model.features == {}
    assert model.features.with_code(X) == (None, {})


def test_other_params_compile_nothing():
    # Kills: params closed over; a function compiled anew for each binding.
    game, traces = small_vae(), []

    def model(params, state):
        traces.append(1)
        return game.model(params, state)

    bind = compile_model(game._replace(model=model))
    counts = []
    for params, state in two(game) + two(game):
        bound = bind(params, state)
        bound.sample(bound.draw(jax.random.key(0), 4))
        bound.features["first"](X)
        counts.append(len(traces))
        bound.sample(jnp.zeros((4, 2)))
    # The first binding traces three functions; after that each binding asks once what there is.
    assert np.diff(counts).tolist() == [1, 1, 1] and counts[0] == 4


def test_counts_are_shapes():
    game = small_vae()
    model = compile_model(game)(*two(game)[0])
    assert [model.draw(jax.random.key(0), n).shape for n in (1, 3)] == [(1, 2), (3, 2)]


def test_what_a_draw_takes_by_name():
    # Kills: a count that is a shape only where it stands without its name.
    game = small_vae()
    model, key = compile_model(game)(*two(game)[0]), jax.random.key(0)
    np.testing.assert_array_equal(model.draw(key, n=3), model.draw(key, 3))
    np.testing.assert_array_equal(model.draw(n=3, key=key), model.draw(key, 3))
    np.testing.assert_array_equal(model.draw_posterior(key, K=3, x=X), model.draw_posterior(key, 3, X))


def test_scores_together_decode_once():
    # Kills: scores under each other's names; all scores where some are asked for; one program for each of them.
    game = small_vae()
    decoded = []

    def model(params, state):
        own = game.model(params, state)

        def doubled(noise, x):
            decoded.append("doubled")
            return 2 * own.scores["reconstruction"](noise, x)

        return own._replace(scores={"reconstruction": own.scores["reconstruction"], "doubled": doubled})

    bound = compile_model(game._replace(model=model))(*two(game)[0])
    each = {name: score(None, X) for name, score in bound.scores.items()}
    assert decoded == ["doubled"] and list(each) == ["reconstruction", "doubled"]
    for names in (["doubled", "reconstruction"], ["reconstruction"]):
        found = bound.scores.together(names, None, X)
        assert set(found) == set(names)
        for name in names:
            # Two programs, whose sums are in another order.
            np.testing.assert_allclose(found[name], each[name], rtol=1e-6)
    assert decoded == ["doubled"] * 2
    bound.scores.together(["doubled", "reconstruction"], None, X)
    assert decoded == ["doubled"] * 2  # compiled
