"""The recipes: each plays on all kinds of data that it takes, with and without a condition, and refuses the rest."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.interpreters.partial_eval import dce_jaxpr
from scipy import stats
from specs import CLASSES, batch_for, plainest, spec_for

from jaxgen import recipes
from jaxgen.core import BadRequest, Batch, Context, player
from jaxgen.recipes import RECIPES, Spec, build, find
from jaxgen.recipes.vaes import LIKELIHOODS
from jaxgen.training.step import make_step

SHAPES = {"points": (2,), "table": (30,), "image": (8, 8, 1), "colour": (32, 32, 3), "odd": (9, 13, 2)}
BY_NAME = pytest.mark.parametrize("name", RECIPES)


def filled(batch):
    """Numbers uniform in [0, 1), and labels below 10, of these shapes."""
    rng = np.random.default_rng(0)

    def of(s):
        return jnp.asarray(rng.integers(10, size=s.shape) if s.dtype == jnp.int32 else rng.random(s.shape), s.dtype)

    return jax.tree.map(of, batch)


def form(tree):
    return jax.tree.map(lambda a: (a.shape, a.dtype), tree)


OFTEN = {("points", None), ("image", None), ("colour", None), ("image", CLASSES)}  # the kinds that differ most
PLAYED = (
    *("vae", "flow_vae", "vamp_vae", "hvae", "vq_vae", "fsq_vae", "aae", "cyclegan"),
    *("gan", "wgan_gp", "hinge_sn", "r3gan", "gan_ada", "pacgan", "sr_gan"),
)


def kinds():
    """Every recipe on each kind of data, alone and with labels.

    The default suite has those of `PLAYED` on the kinds that differ most, and the others on one.
    """
    for name in RECIPES:
        for kind in SHAPES:
            for condition in (None, CLASSES):
                often = (kind, condition) in OFTEN if name in PLAYED else (kind, condition) == ("image", CLASSES)
                id = f"{kind}-{'label' if condition else 'alone'}-{name}"
                yield pytest.param(name, kind, condition, id=id, marks=[] if often else pytest.mark.slow)


@pytest.mark.parametrize("likelihood", ["bernoulli", "levels", "fixed", "shared", "columns"])
@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 16, 1)], ids=str)
def test_a_decoder_starts_from_the_image_that_it_is_given(shape, likelihood):
    # Kills: logits of the condition added to the mean of a Gaussian; pixels added to the logit of one of pixels.
    observation, image = LIKELIHOODS[likelihood], jnp.full((2, 4, 4, 1), 0.8).at[:, :2].set(0.1)
    decoder = Spec(shape, (4, 4, 1), width=8).decoder_for(observation)
    params, state = jax.eval_shape(decoder.init, jax.random.key(0), jnp.zeros((2, 3)), image)
    silent = jax.tree.map(lambda a: jnp.zeros(a.shape), params) | {"Residual_0": {"gain": jnp.ones(1)}}
    y = decoder.apply(silent, state, None, jnp.zeros((2, 3)), image)[0]
    narrow = jax.tree.map(jnp.zeros_like, observation.init(shape))  # a wide law of levels has its mean nearer to 1/2
    np.testing.assert_allclose(
        observation.mean(narrow, y), jax.image.resize(image, (2, *shape), "linear"), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize("likelihood", ["each", "decoded_levels"])
def test_two_outputs_of_a_number_are_no_image_of_two_channels(likelihood):
    # Kills: an image of two channels added to a mean and a log_std.
    decoder = Spec((16, 16, 1), (4, 4, 2), width=8).decoder_for(LIKELIHOODS[likelihood])
    params, _ = jax.eval_shape(decoder.init, jax.random.key(0), jnp.zeros((2, 3)), jnp.zeros((2, 4, 4, 2)))
    assert "Residual_0" not in params


def refused(name, shape, condition):
    """Asks the recipe for a plan, with domains, which only a recipe that wants them reads."""
    with pytest.raises(BadRequest):
        find(name)(Spec(shape, condition, domains=("a", "b")))


@BY_NAME
def test_a_recipe_refuses_what_its_docstring_says_and_nothing_else(name):
    # Kills: a recipe that refuses data or a condition without a word in its docstring; words that are not true.
    for shape in SHAPES.values():
        for condition in (None, CLASSES):
            spec = spec_for(name, shape, condition)
            if spec is None:
                refused(name, shape, condition)
            else:
                find(name)(spec)
            if spec is not None and spec.condition != condition:
                refused(name, shape, condition)


@pytest.mark.parametrize(("name", "kind", "condition"), list(kinds()))
def test_every_recipe_plays_on_every_kind(name, kind, condition):
    # Kills: networks that do not fit their data or their condition; a model that does not give back what it took; a
    # state that changes its form, so that a scan could not carry it.
    spec = spec_for(name, SHAPES[kind], condition)
    if spec is None:
        return refused(name, SHAPES[kind], condition)
    plan, size = find(name)(spec), 4
    step = plan.step()
    state = jax.eval_shape(step.init, jax.random.key(0), batch_for(spec, (size,)))
    after, info = jax.eval_shape(step.update, state, jax.random.key(0), batch_for(spec, (len(plan.turns), size)))
    assert form(after) == form(state)
    assert set(info) == {loss for turn in plan.turns for loss in turn}
    given = batch_for(spec, (5,)).condition
    more = () if given is None else (given,)

    def samples(params, state, *more):
        model = plan.game.model(params, state)
        if model.sample is None:
            return [map_of(jnp.zeros((5, *spec.shape))) for map_of in model.maps.values()]
        x = model.sample(model.draw(jax.random.key(0), 5, *more), *more)
        return [x] if model.encode is None else [x, model.decode(model.encode(x, *more), *more)]

    outputs = jax.eval_shape(samples, state.params, state.context.state, *more)
    assert outputs and all(x.shape == (5, *spec.shape) for x in outputs)


LEARNERS = {"vae", "hvae", "vq_vae", "gan", "hinge_sn", "r3gan", "gan_ada", "aae"}  # in the default suite


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in LEARNERS else pytest.mark.slow) for n in RECIPES])
def test_every_recipe_learns_a_little(name):
    # Kills: a turn that climbs. Each player's own loss falls on a batch and noise held fixed, its rival at rest.
    spec = spec_for(name, plainest(name))
    plan = find(name)(spec)
    game = plan.game
    batch = filled(batch_for(spec, (32,)))
    params, state = jax.jit(game.init)(jax.random.key(0), batch)
    noise = game.draw(jax.random.key(1), batch)
    context = Context(jnp.int32(0), state)

    def fall(loss, mover):
        def of(moved):
            return game.losses[loss]({**params, mover: moved}, noise, batch, context)[0]

        before, grad = jax.value_and_grad(of)(params[mover])
        size = sum(jnp.sum(g**2) for g in jax.tree.leaves(grad))
        return of(jax.tree.map(lambda p, g: p - 1e-3 * g / jnp.sqrt(size), params[mover], grad)) - before

    for loss in {loss for turn in plan.turns for loss in turn}:
        assert jax.jit(fall, static_argnums=(0, 1))(loss, player(loss)) < 0, loss


def adam(params, slopes, rate, b1, b2, decay=0.0):
    """Where Adam takes `params`, in float64."""
    first = second = np.zeros_like(params)
    for n, slope in enumerate(slopes, 1):
        slope = slope + decay * params
        first, second = b1 * first + (1 - b1) * slope, b2 * second + (1 - b2) * slope**2
        params = params - rate * first / (1 - b1**n) / (np.sqrt(second / (1 - b2**n)) + 1e-8)
    return params


ONE, FIVE, AT_ONCE = (("critic",), ("generator",)), (("critic",),) * 5 + (("generator",),), (("critic", "generator"),)
PAPERS = {  # turns, batch size, then (rate, b1, b2) of each player's Adam, and a decay
    "gan": (ONE, 128, (2e-4, 0.5, 0.999), (2e-4, 0.5, 0.999)),
    "gan_minimax": (ONE, 128, (2e-4, 0.5, 0.999), (2e-4, 0.5, 0.999)),
    "wgan_gp": (FIVE, 128, (1e-4, 0.0, 0.9), (1e-4, 0.0, 0.9)),
    "hinge_sn": (FIVE, 128, (2e-4, 0.0, 0.9), (2e-4, 0.0, 0.9)),
    "r3gan": (ONE, 128, (2e-4, 0.0, 0.99), (2e-4, 0.0, 0.99)),
    "dragan": (ONE, 128, (1e-4, 0.5, 0.9), (1e-4, 0.5, 0.9)),
    "ragan": (ONE, 32, (2e-4, 0.5, 0.999), (2e-4, 0.5, 0.999)),
    "began": (AT_ONCE, 16, (1e-4, 0.5, 0.999), (1e-4, 0.5, 0.999)),
    "sagan": (ONE, 64, (4e-4, 0.0, 0.9), (1e-4, 0.0, 0.9)),
    "biggan": ((("critic",), *ONE), 128, (2e-4, 0.0, 0.999), (5e-5, 0.0, 0.999)),
    "unrolled": (ONE, 512, (1e-4, 0.5, 0.999), (1e-3, 0.5, 0.999)),
    "acgan": (ONE, 128, (2e-4, 0.5, 0.999), (2e-4, 0.5, 0.999)),
    "projection": (FIVE, 64, (2e-4, 0.0, 0.9), (2e-4, 0.0, 0.9)),
    "infogan": (ONE, 128, (2e-4, 0.5, 0.999), (1e-3, 0.5, 0.999)),
    "bigan": (AT_ONCE, 128, (2e-4, 0.5, 0.999, 2.5e-5), (2e-4, 0.5, 0.999, 2.5e-5)),
}


@pytest.mark.parametrize("name", PAPERS)
def test_settings_are_those_of_the_papers(name):
    # Kills: five generator turns for five critic turns; players that move one after the other where they move at once,
    # or the reverse; another batch size, rate, b1, b2 or decay; one of the other player. The second slope shows b1 and
    # b2; the param of 1e4 shows the decay.
    turns, size, *players = PAPERS[name]
    plan = recipes.example_plan(find(name))
    start, slopes = np.array([0.5, -1.0, 1e4]), np.array([[3.0, -1.0, 0.1], [1.0, 0.5, 0.3]])
    assert plan.turns == turns and plan.batch_size == size and plan.optimizers.keys() == {"critic", "generator"}
    for mover, settings in zip(("critic", "generator"), players, strict=True):
        tx, moved = plan.optimizers[mover], start
        state = tx.init(jnp.asarray(start, jnp.float32))
        for slope in slopes:
            update, state = tx.update(jnp.asarray(slope, jnp.float32), state, jnp.asarray(moved, jnp.float32))
            moved = moved + np.asarray(update, np.float64)
        np.testing.assert_allclose(moved - start, adam(start, slopes, *settings) - start, rtol=2e-4)


def test_turns_of_those_with_others_than_two():
    # Kills: a hybrid that forgets a player; R1 in every turn; one critic turn of wgan.
    turns = {name: recipes.example_plan(find(name)).turns for name in ("aae", "gan_ada", "wgan")}
    assert turns["wgan"] == FIVE and turns["aae"] == (("autoencoder",), ("critic",), ("autoencoder:fool",))
    ada = [loss for turn in turns["gan_ada"] for loss in turn]
    assert ada.count("critic") == 1 and ada.count("critic:adversarial") == 15


@pytest.mark.parametrize(
    ("name", "condition"), [pytest.param("sagan", None, marks=pytest.mark.slow), ("sagan", 3), ("biggan", 3)]
)
def test_both_networks_are_divided_and_attend(name, condition):
    # Kills: one network alone that is divided or attends; a table of labels that the critic does not divide, or that
    # the generator does; a critic that is given the label as an input; z in every layer of sagan, or not in biggan's.
    spec = Spec((8, 8, 1), condition, width=16)
    params, state = jax.eval_shape(find(name)(spec).game.init, jax.random.key(0), batch_for(spec, (4,)))
    divided = {player: " ".join(state[player]["u"]) for player in ("critic", "generator")}
    assert all("SelfAttention_0/v/kernel" in names for names in divided.values())
    assert "Up_0/kernel" in divided["generator"] and "Down_0/kernel" in divided["critic"]
    assert ("embedding" in divided["critic"]) is (condition is not None) and "embedding" not in divided["generator"]
    assert "Modulate" not in divided["critic"]
    width = {"sagan": 32, "biggan": 32 + 16}[name]
    if condition:
        assert params["generator"]["Modulate_0"]["Dense_0"]["kernel"].shape[0] == width


def test_truncated_samples_are_of_z_near_0():
    # Kills: a truncation that is dropped, of one side, or of the z of training.
    spec = Spec((2,), width=8)
    game = find("biggan")(spec, truncation=0.5).game
    params, state = jax.eval_shape(game.init, jax.random.key(0), batch_for(spec, (4,)))
    z = np.asarray(game.model(params, state).draw(jax.random.key(1), 2000), "d").ravel()
    law = stats.truncnorm(-0.5, 0.5)
    spread = np.sqrt((law.moment(4) - law.var() ** 2) / z.size)
    assert np.abs(z).max() <= 0.5 and abs(np.mean(z**2) - law.var()) < 5 * spread
    assert np.abs(game.draw(jax.random.key(1), batch_for(spec, (100,)))["z"]).max() > 1


def test_generator_is_one_network_for_both_sides():
    # Kills: a comparison with unequal generators.
    shapes = []
    for name, part in (("vae", ("vae", "decoder")), ("r3gan", ("generator",))):
        plan = find(name)(Spec((8, 8, 1)))
        params, _ = jax.eval_shape(plan.game.init, jax.random.key(0), Batch(jnp.zeros((2, 8, 8, 1))))
        for key in part:
            params = params[key]
        shapes.append(jax.tree.map(lambda a: a.shape, params))
    assert shapes[0] == shapes[1]


def test_sides():
    # Kills: a VAE with a critic taken for a GAN.
    sides = {name: recipes.side(recipes.example_plan(find(name))) for name in ("hvae", "gan_ada", "aae", "cyclegan")}
    assert sides == {"hvae": "vae", "gan_ada": "gan", "aae": "hybrid", "cyclegan": "gan"}


def test_identity_of_cyclegan_is_a_part_of_its_weight():
    # Kills: an identity beside the cycle that does not grow with it. It adds weight identity |G_a(a) - a|, summed over
    # the domains, to the loss of the same params.
    a, b = jax.random.uniform(jax.random.key(1), (2, 4, 8, 8, 1))
    batch = Batch({"a": a, "b": b})

    def played(**options):
        game = find("cyclegan")(Spec((8, 8, 1), domains=("a", "b")), **options).game
        params, state = game.init(jax.random.key(0), batch)
        noise = game.draw(jax.random.key(0), batch)
        return game.losses["generator"](params, noise, batch, Context(0, state))[0], game.model(params, state).maps

    without, maps = played(weight=8.0)
    miss = sum(np.abs(np.asarray(maps[name](x)) - x).mean() for name, x in (("b_to_a", a), ("a_to_b", b)))
    np.testing.assert_allclose(played(weight=8.0, identity=0.5)[0] - without, 0.5 * 8 * miss, rtol=1e-4)


def mine(spec: Spec, *, beta: float = 2.0, quick: bool = False, parts: tuple = ()):
    """A recipe of a user, without a paper."""
    return find("beta_vae")(spec, beta=beta)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: find("r3gna"), "r3gan"),
        (lambda: find("DC-GAN"), "no recipe is called 'DC-GAN': it is gan, "),
        (lambda: build(find("vae"), Spec((2,)), {"gamma": 1.0}), "no option 'gamma': it takes --likelihood"),
        (lambda: build(find("r3gan"), Spec((2,)), {"gamma": -1.0}), "gamma=-1.0"),
        (lambda: build(find("r3gan"), Spec((2,)), {"gamma": float("nan")}), "gamma=nan"),
        (lambda: build(find("r3gan"), Spec((2,)), {"burn_in": -1}), "burn_in=-1"),
        (lambda: build(find("iwae"), Spec((2,)), {"samples": 1.5}), "whole number"),
        (lambda: build(find("vae"), Spec((2,)), {"latent_dim": 0}), "latent_dim=0"),
        (lambda: build(find("vae"), Spec((2,)), {"learning_rate": 0.0}), "learning_rate=0.0"),
        (lambda: build(find("vae"), Spec((2,)), {"likelihood": "gauss"}), "likelihood 'gauss': there are bernoulli"),
        (lambda: build(find("vae"), Spec((4, 4, 1)), {}), "8 to 64"),
        (lambda: build(find("vae"), Spec((2,), precision="half"), {}), "precision 'half'"),
        (lambda: build(find("sr_gan"), Spec((8, 8, 1)), {}), "--condition small:4"),
        (lambda: build(find("projection"), Spec((2,)), {}), "projection learns from labels: .* --condition label"),
        (lambda: build(find("gan"), Spec((2,)), {"ema": 2.0}), "ema=2.0"),
        (lambda: build(find("began"), Spec((4,)), {}), "latent_dim=4: an example has 4 numbers"),
        (lambda: build(find("began"), Spec((9,)), {"ratio": 2.0}), "ratio=2.0: it must be at most 1"),
        (lambda: build(find("began"), Spec((9,)), {"ratio": 0.0}), "ratio=0.0: it must be above 0"),
        (lambda: build(find("began"), Spec((9,)), {"rate": 0.0}), "rate=0.0: it must be above 0"),
        (lambda: build(find("vae_gan"), Spec((2,)), {"weighting": "norm"}), "weighting 'norm': there are adaptive"),
        (lambda: build(find("vae_gan"), Spec((2,)), {"gamma": float("inf")}), "gamma=inf"),
        (lambda: build(mine, Spec((2,)), {"quick": 1}), "True or False"),
        (lambda: build(lambda spec: None, Spec((2,)), {}), "return a jaxgen.Plan"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(call, word):
    # Kills: a check that is missing.
    with pytest.raises(BadRequest, match=word):
        call()


def test_options_are_the_signature():
    # Kills: numbers of NumPy and JAX refused, or written down as such; parts offered to a command line.
    assert list(recipes.options(mine)) == ["beta", "quick"]
    checked = recipes.check(find("iwae"), {"samples": np.int64(5), "learning_rate": jnp.float32(0.5)})
    assert checked == {"samples": 5, "learning_rate": 0.5} and type(checked["samples"]) is int
    assert build(mine, Spec((2,)), {"parts": ("any",)}).game.losses.keys() == {"vae"}


@BY_NAME
def test_docstrings_are_the_table(name):
    # Kills: a recipe without a paper, or whose summary is no sentence; an option that is explained and not there.
    recipe = find(name)
    assert recipes.paper(recipe) and recipes.summary(recipe).endswith(".")
    text = inspect.getdoc(recipe)
    explained = {line.split(":")[0].strip() for line in text.partition("Args:\n")[2].splitlines() if ": " in line}
    assert explained <= set(recipes.options(recipe))
    assert all(len(line) <= 120 for line in text.splitlines())


def once():
    """(recipe, option) pairs; in the default suite each option once."""
    seen = set()
    for name, recipe in RECIPES.items():
        for option in recipes.options(recipe):
            yield pytest.param(name, option, marks=pytest.mark.slow if option in seen else [])
            seen.add(option)


def tried(name, option, spec):
    """The plans of a recipe at two values of an option that it takes."""
    for values in ((2, 4), (0.25, 0.5), ("shared", "fixed"), ("constant", "norms")):
        try:
            return [find(name)(spec, **{option: value}) for value in values]
        except BadRequest:
            continue
    raise AssertionError(f"{name} takes none of the values for {option} that are tried here")


def program(call, *args):
    """What a function computes, less what its results do not need, as text."""
    found = jax.make_jaxpr(call)(*args)
    return str(dce_jaxpr(found.jaxpr, [True] * len(found.out_avals))[0]) + str(found.consts)


def pieces(plan, spec):
    """All that a plan says, piece by piece, what is soon found out first."""
    yield plan.turns
    few, step = jnp.ones((2, 3)), jnp.int32(1)
    for tx in plan.optimizers.values():
        yield program(tx.update, few, tx.init(few), few)
    yield plan.ema and program(plan.ema.rate, step)
    game, key, batch = plan.game, jax.random.key(0), batch_for(spec, (8,))
    params, state = jax.eval_shape(game.init, key, batch)
    noise = jax.eval_shape(game.draw, key, batch)
    yield form((params, state, noise))
    for loss in game.losses.values():
        yield program(loss, params, noise, batch, Context(step, state))
    yield program(lambda *args: game.model(*args).draw(key, 8, batch.condition), params, state)


@pytest.mark.parametrize(("name", "option"), list(once()))
def test_an_option_reaches_the_plan(name, option):
    # Kills: an option that is accepted and dropped: at another value of it a plan has other turns, optimisers, average
    # or networks, or its losses or its samples compute something else.
    spec = spec_for(name, plainest(name))
    one, other = (pieces(plan, spec) for plan in tried(name, option, spec))
    assert any(a != b for a, b in zip(one, other, strict=False))


def test_precision_and_remat_reach_the_networks():
    # Kills: a wrapper left out; params that are stored in bfloat16.
    batch = Batch(jnp.zeros((4, 8, 8, 1)))
    programs = []
    for spec in (Spec((8, 8, 1)), Spec((8, 8, 1), precision="bfloat16"), Spec((8, 8, 1), remat=True)):
        step = make_step(*find("r3gan")(spec)[:3])
        state = jax.eval_shape(step.init, jax.random.key(0), batch)
        assert {leaf.dtype for leaf in jax.tree.leaves(state.params)} == {jnp.dtype("float32")}
        batches = jax.tree.map(lambda a: jnp.stack([a] * 2), batch)
        programs.append(str(jax.make_jaxpr(step.update)(state, jax.random.key(0), batches)))
    assert ["bf16" in program for program in programs] == [False, True, False]
    assert ["checkpoint" in program or "remat" in program for program in programs] == [False, False, True]


def test_burn_in_lowers_gamma_and_raises_b2():
    # Kills: a schedule of one of the two; one that starts at its end; b2 for b1; a penalty of another step.
    batch = Batch(jnp.asarray(np.random.default_rng(0).normal(size=(8, 2)), jnp.float32))
    still, moving = (find("r3gan")(Spec((2,)), gamma=2.0, burn_in=steps) for steps in (0, 10))
    params, state = still.game.init(jax.random.key(0), batch)
    noise = still.game.draw(jax.random.key(1), batch)

    def penalty(plan, step):
        context = Context(jnp.asarray(step), state)
        return float(plan.game.losses["critic:penalty"](params, noise, batch, context)[0])

    for step, share in ((0, 1.0), (5, 0.55), (10, 0.1), (99, 0.1)):
        assert penalty(moving, step) == pytest.approx(share * penalty(still, 0), rel=1e-5)
    tx = moving.optimizers["generator"]
    state = tx.init(params["generator"])
    for b2 in (0.9, 0.9 + 0.09 * (1 - np.cos(np.pi / 10)) / 2):
        _, state = tx.update(params["generator"], state)
        assert float(state.hyperparams["b2"]) == pytest.approx(b2, rel=1e-5) and float(state.hyperparams["b1"]) == 0
