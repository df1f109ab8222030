"""The recipes: each plays on all kinds of data that it takes, with and without a condition, and refuses the rest."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen import recipes
from jaxgen.core import BadRequest, Batch, Context, player
from jaxgen.recipes import RECIPES, Spec, build, find
from jaxgen.recipes.vaes import LIKELIHOODS
from jaxgen.training.step import make_step

SHAPES = {"points": (2,), "table": (30,), "image": (8, 8, 1), "colour": (32, 32, 3), "odd": (9, 13, 2)}
IMAGES_ONLY = {"gan_ada", "sr_gan", "cyclegan"}
LABELS_ONLY = {"acgan", "projection"}
BY_NAME = pytest.mark.parametrize("name", RECIPES)


def plainest(name):
    """The shape of the plainest data that the recipe takes; began's code of 4 numbers is smaller than an example."""
    return (8, 8, 1) if name in IMAGES_ONLY else (5,) if name == "began" else (2,)


def spec_for(name, shape, condition=None):
    """A spec of small networks that the recipe takes; None if it does not take such data."""
    if (name in IMAGES_ONLY and len(shape) != 3) or (name == "began" and shape == (2,)):
        return None
    if name == "sr_gan":
        return Spec(shape, (shape[0] // 2 or 1, shape[1] // 2 or 1, shape[2]), width=8)
    if name == "cyclegan":
        return None if condition else Spec(shape, domains=("a", "b"))
    if name == "vamp_vae" and condition:
        return None
    return Spec(shape, condition or (10 if name in LABELS_ONLY else None), width=8)


def batch_for(spec, lead):
    """Shapes of batches for `spec` with leading axes `lead`."""
    x = jax.ShapeDtypeStruct((*lead, *spec.shape), jnp.float32)
    given = None
    if isinstance(spec.condition, int):
        given = jax.ShapeDtypeStruct(lead, jnp.int32)
    elif spec.condition is not None:
        given = jax.ShapeDtypeStruct((*lead, *spec.condition), jnp.float32)
    return Batch({name: x for name in spec.domains} if spec.domains else x, given)


def filled(batch):
    """Numbers uniform in [0, 1), and labels below 10, of these shapes."""
    rng = np.random.default_rng(0)

    def of(s):
        return jnp.asarray(rng.integers(10, size=s.shape) if s.dtype == jnp.int32 else rng.random(s.shape), s.dtype)

    return jax.tree.map(of, batch)


def form(tree):
    return jax.tree.map(lambda a: (a.shape, a.dtype), tree)


def kinds():
    """Each kind of data, alone and with labels; the default suite has those that differ most."""
    often = {("points", None), ("image", None), ("colour", None), ("image", 10)}
    for kind in SHAPES:
        for condition in (None, 10):
            name = f"{kind}-{'label' if condition else 'alone'}"
            yield pytest.param(kind, condition, id=name, marks=[] if (kind, condition) in often else pytest.mark.slow)


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


@BY_NAME
@pytest.mark.parametrize(("kind", "condition"), list(kinds()))
def test_every_recipe_plays_on_every_kind(name, kind, condition):
    # Kills: networks that do not fit their data or their condition; a model that does not give back what it took; a
    # state that changes its form, so that a scan could not carry it.
    spec = spec_for(name, SHAPES[kind], condition)
    if spec is None:
        with pytest.raises(BadRequest):
            find(name)(Spec(SHAPES[kind], condition, domains=("a", "b") if name == "cyclegan" else ()))
        return
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


def test_balance_is_what_the_papers_say():
    # Kills: five generator turns for five critic turns; players that move one after the other where they move at once,
    # or the reverse; a hybrid that forgets a player; R1 in every turn.
    turns = {name: recipes.example_plan(recipe).turns for name, recipe in RECIPES.items()}
    five = (("critic",),) * 5 + (("generator",),)
    assert all(turns[name] == five for name in ("wgan", "wgan_gp", "hinge_sn", "projection"))
    once = "r3gan", "gan", "gan_minimax", "dragan", "ragan", "acgan", "infogan"
    assert all(turns[name] == (("critic",), ("generator",)) for name in once)
    assert turns["bigan"] == turns["began"] == (("critic", "generator"),)
    assert turns["aae"] == (("autoencoder",), ("critic",), ("autoencoder:fool",))
    ada = [loss for turn in turns["gan_ada"] for loss in turn]
    assert ada.count("critic") == 1 and ada.count("critic:adversarial") == 15


def adam(params, slopes, rate, b1, b2, decay=0.0):
    """Where Adam takes `params`, in float64."""
    first = second = np.zeros_like(params)
    for n, slope in enumerate(slopes, 1):
        slope = slope + decay * params
        first, second = b1 * first + (1 - b1) * slope, b2 * second + (1 - b2) * slope**2
        params = params - rate * first / (1 - b1**n) / (np.sqrt(second / (1 - b2**n)) + 1e-8)
    return params


SETTINGS = {  # batch size, then (rate, b1, b2) of each player's Adam, and a decay
    "dragan": (128, (1e-4, 0.5, 0.9), (1e-4, 0.5, 0.9)),
    "ragan": (32, (2e-4, 0.5, 0.999), (2e-4, 0.5, 0.999)),
    "began": (16, (1e-4, 0.5, 0.999), (1e-4, 0.5, 0.999)),
    "acgan": (128, (2e-4, 0.5, 0.999), (2e-4, 0.5, 0.999)),
    "projection": (64, (2e-4, 0.0, 0.9), (2e-4, 0.0, 0.9)),
    "infogan": (128, (2e-4, 0.5, 0.999), (1e-3, 0.5, 0.999)),
    "bigan": (128, (2e-4, 0.5, 0.999, 2.5e-5), (2e-4, 0.5, 0.999, 2.5e-5)),
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_those_of_the_papers(name):
    # Kills: another batch size, rate, b1, b2 or decay; one of the other player. The second slope shows b1 and b2; the
    # param of 1e4 shows the decay.
    size, *players = SETTINGS[name]
    plan = recipes.example_plan(find(name))
    start, slopes = np.array([0.5, -1.0, 1e4]), np.array([[3.0, -1.0, 0.1], [1.0, 0.5, 0.3]])
    assert plan.batch_size == size and plan.optimizers.keys() == {"critic", "generator"}
    for mover, settings in zip(("critic", "generator"), players, strict=True):
        tx, moved = plan.optimizers[mover], start
        state = tx.init(jnp.asarray(start, jnp.float32))
        for slope in slopes:
            update, state = tx.update(jnp.asarray(slope, jnp.float32), state, jnp.asarray(moved, jnp.float32))
            moved = moved + np.asarray(update, np.float64)
        np.testing.assert_allclose(moved - start, adam(start, slopes, *settings) - start, rtol=2e-4)


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


OPTIONS = [(name, option) for name, recipe in RECIPES.items() for option in recipes.options(recipe)]
STRUCTURE = {"codes", "positions", "channels", "layers", "components", "latent_dim", "samples", "pack"}
STRUCTURE |= {"categories", "numbers"}
OPTIMISER = {"learning_rate", "ema", "interval", "limit", "decay"}
LATER = {
    "burn_in",
    "target",
    "images",
    "free_nats",
    "ratio",
    "rate",
    "start",
}  # what they change shows after the first step
WORDS = {"likelihood": ("shared", "fixed"), "weighting": ("constant", "norms")}


def once(options):
    """(recipe, option) pairs; in the default suite each option once."""
    seen = set()
    for name, option in options:
        yield pytest.param(name, option, marks=pytest.mark.slow if option in seen else [])
        seen.add(option)


@pytest.mark.parametrize(
    ("name", "option"), list(once((n, o) for n, o in OPTIONS if o not in STRUCTURE | OPTIMISER | LATER))
)
def test_an_option_reaches_the_mathematics(name, option):
    # Kills: an option that is accepted and dropped.
    spec = spec_for(name, plainest(name))
    batch = filled(batch_for(spec, (4,)))
    losses = []
    for value in WORDS.get(option, (2, 7)):
        game = find(name)(spec, **{option: value}).game
        params, state = jax.jit(game.init)(jax.random.key(0), batch)
        noise = game.draw(jax.random.key(1), batch)
        losses.append([float(f(params, noise, batch, Context(0, state))[0]) for f in game.losses.values()])
    assert losses[0] != losses[1]


@pytest.mark.parametrize(("name", "option"), list(once((n, o) for n, o in OPTIONS if o in STRUCTURE)))
def test_an_option_of_structure_reaches_the_networks(name, option):
    # Kills: an option that is accepted and dropped.
    spec = spec_for(name, plainest(name))
    forms = []
    for value in (2, 4):
        game = find(name)(spec, **{option: value}).game
        args = jax.random.key(0), batch_for(spec, (8,))
        forms.append([form(jax.eval_shape(part, *args)) for part in (game.init, game.draw)])
    assert forms[0] != forms[1]


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
