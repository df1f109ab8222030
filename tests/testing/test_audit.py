"""The audit finds what is planted in other people's objectives, passes the right ones, and says what it saw."""

import subprocess
import sys
from functools import partial

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import planted as p
import pytest
from scipy import stats

import jaxgen
from jaxgen.core import BadRequest
from jaxgen.objectives import BERNOULLI, GAUSSIAN
from jaxgen.testing import (
    assert_finite,
    assert_noise_used,
    assert_reached,
    assert_sound,
    assert_unbiased,
    audit,
    faults,
)
from jaxgen.testing.measure import draw_chunks, draw_directions
from jaxgen.testing.reference import Line, probed, segment
from jaxgen.testing.summary import Leaf, Noise, Report

RIGHT = {  # loss, params, draw, value
    "pathwise": (p.elbo, p.vae_params(), p.normals, None),
    "score": (p.score, p.bits_params(), p.uniforms, p.bits_value),
    "landing": (p.landing, p.vae_params(), p.normals, None),
    "split keys": (p.split_keys, p.NETWORK, p.the_key, None),
    "importance": (p.importance, p.line_params(), p.pairs, p.importance_value),
}
ENCODER = {"encoder.b", "encoder.w"}


def normals_of(shape, key, batch):
    return jax.random.normal(key, shape)


NORMAL = partial(normals_of, (4,))


def audited(loss, params, draw=NORMAL, value=None, batch=p.BATCH, **options):
    return audit(loss, params, draw, batch, value=value, **options)


def named(report, reach):
    return {leaf.name for leaf in report.leaves if leaf.reach == reach}


def biased(report):
    return {leaf.name for leaf in report.leaves if abs(leaf.z) > report.limit}


def one(report, name):
    return next(leaf for leaf in report.leaves if leaf.name == name)


@pytest.mark.parametrize("name", RIGHT)
@pytest.mark.parametrize("seed", [0, pytest.param(range(1, 20), marks=pytest.mark.slow)], ids=["seed 0", "19 more"])
def test_right_versions_pass(name, seed):
    # Kills: a threshold that forgets how many tests there are; noise not common to both ends; a z without rounding.
    for each in [seed] if seed == 0 else seed:
        report = audited(*RIGHT[name], seed=each)
        assert faults(report) == (), str(report)
    assert_sound(report)
    assert_finite(report)
    assert "nothing wrong was found" in str(report)


@pytest.mark.parametrize("loss", [p.stopped, p.stopped_reconstruction, p.stopped_sampled_kl])
def test_stopped_sample(loss):
    # Kills: a cut seen only where the whole gradient is zero, and so not beside a KL, closed or sampled.
    report = audited(loss, p.vae_params(), p.normals)
    assert named(report, "cut") == ENCODER and named(report, "reached") == {"decoder.b", "decoder.w"}
    assert biased(report) == ENCODER
    assert any(sentence.startswith("cut: encoder.b, encoder.w.") for sentence in faults(report))
    with pytest.raises(AssertionError, match="cut: encoder.b, encoder.w"):
        assert_reached(report)


def test_dropped_score_term():
    # Kills: an exact value that is not asked; a cut or bias told of the decoder too.
    report = audited(p.no_score, p.bits_params(), p.uniforms, p.bits_value, draws=2048)
    assert biased(report) == ENCODER
    with pytest.raises(AssertionError, match="encoder.b"):
        assert_unbiased(report)


def test_sticking_the_landing_around_a_closed_kl():
    # Kills: finite differences that stop where the gradient stops.
    report = audited(p.landing_closed, p.vae_params(), p.normals)
    assert biased(report) == ENCODER and named(report, "cut") == set()
    assert "biased: encoder.b, encoder.w." in faults(report)[0]


def folded(params, noise, x):
    return p.elbo(params, noise["eps"] + jnp.sum(noise["more"]), x)


def masked(params, noise, x):
    return p.elbo(params, noise["eps"] * noise["mask"], x)


def families_from_one_key(key, batch):
    return {"eps": GAUSSIAN.draw(key, (p.B, p.D)), "mask": (BERNOULLI.draw(key, (p.B, p.D)) < 0.75).astype("f")}


@pytest.mark.parametrize(
    ("loss", "params", "draw", "sentence"),
    [
        (p.one_key, p.NETWORK, p.the_key, "key reused: the loss"),
        (masked, p.vae_params(), p.drawn_twice, "key reused: draw"),
        (masked, p.vae_params(), families_from_one_key, "key reused: draw"),
        (folded, p.vae_params(), p.folded_alike, "noise repeated: 4 entries of more rise and fall with those of eps"),
    ],
)
def test_one_key_for_two_draws(loss, params, draw, sentence):
    # Kills: a check of draw alone; of typed keys alone; of equal noise alone (uniform and normal differ); of JAX's own
    # samplers alone.
    report = audited(loss, params, draw)
    assert len(faults(report)) == 1 and sentence in faults(report)[0]
    with pytest.raises(AssertionError, match=sentence):
        assert_noise_used(report)
    assert_unbiased(report)  # its gradient is that of the wrong objective, and unbiased for that


@pytest.mark.parametrize("impl", ["rbg", "unsafe_rbg"])
def test_keys_of_other_generators_are_whole(impl):
    # Kills: the words of one key, of which rbg has each twice, taken for noise that repeats itself.
    def loss(params, key, batch):
        return jnp.mean((params["w"] * jax.random.normal(key, (2,)) - 1) ** 2)

    def draw(key, batch):
        return jax.random.key(jax.random.bits(key), impl=impl)

    assert faults(audited(loss, {"w": jnp.ones(2)}, draw)) == ()


@pytest.mark.parametrize(("loss", "value"), [(p.worst_first, p.importance_value), (p.worst_first_stopped, None)])
def test_worst_sample_first(loss, value):
    # Kills: a mean gradient held against itself; weights that finite differences do not move.
    report = audited(loss, p.line_params(), p.pairs, value)
    assert biased(report) == {"decoder.b", "decoder.w", "encoder.b", "encoder.w"}


def test_only_an_exact_value_tells_another_objective():
    # Kills: a docstring that promises more: with its weights differentiated, the loss is its own derivative's.
    assert faults(audited(p.worst_first, p.line_params(), p.pairs)) == ()


def test_surrogates():
    # Kills: no way to audit a surrogate; silence where finite differences cannot judge one.
    by_differences = audited(p.score, p.bits_params(), p.uniforms)
    assert "decoder.b" in biased(by_differences) and "(a surrogate loss)" in str(by_differences)
    assert faults(audited(p.score_in_place, p.bits_params(), p.uniforms)) == ()  # its value is the objective
    assert "which is right for a surrogate loss only" in " ".join(str(audited(*RIGHT["score"])).split())


def test_ignored_noise():
    # Kills: noise taken for used because the loss varies with params; a fixed or idle leaf unsaid.
    report = audited(p.ignores, p.vae_params(), p.normals)
    assert faults(report) == ("noise ignored: no noise changes the loss or its gradient.",)
    assert all(leaf.variance == 0 and leaf.snr == np.inf for leaf in report.leaves)

    def doubled(params, eps, x):
        loss = p.ignores(params, eps, x)
        return 2 * loss - jax.lax.stop_gradient(loss)

    report = audited(doubled, p.vae_params(), p.normals)
    assert len(biased(report)) == 4 and named(report, "cut") == set()  # the same for every draw, as it should be

    def draw(key, batch):
        k_eps, k_idle = jax.random.split(key)
        return {"eps": p.normals(k_eps, batch), "idle": jax.random.uniform(k_idle), "one": jnp.ones(2)}

    def loss(params, noise, x):
        return p.elbo(params, noise["eps"] * noise["one"][None], x)

    assert faults(audited(loss, p.vae_params(), draw)) == (
        "noise ignored: idle changes neither the loss nor its gradient.",
        "noise fixed: one is the same for every key.",
    )
    assert "noise ignored" in faults(audited(p.ignores, p.vae_params(), lambda key, batch: None))[0]


def test_hidden_randomness():
    # Kills: a loss that draws for itself, frozen by compilation and so taken for deterministic.
    rng = np.random.default_rng(0)

    def loss(params, eps, x):
        return jnp.mean((params["a"] + eps + rng.normal()) ** 2)

    report = audited(loss, {"a": jnp.ones(4)})
    assert any("hidden randomness" in sentence for sentence in faults(report))


def test_antithetic_pairs_are_meant():
    # Kills: an order compared up to its reverse.
    def draw(key, batch):
        eps = jax.random.normal(key, (3,))
        return jnp.concatenate([eps, -eps])

    assert (
        faults(audited(lambda q, eps, x: jnp.mean((q["a"] * eps - 1) ** 2 + q["a"]), {"a": jnp.ones(())}, draw)) == ()
    )


def test_mean_variance_and_ratio():
    # Kills: a variance of the mean for one of a draw; a ratio of squares; a standard error without its root.
    m, s, k, n = 0.7, 1.3, -0.4, 16384
    d = m - k
    params = {"mu": jnp.array(m)}

    def sample(params, eps):
        return params["mu"] + s * eps

    def pathwise(params, eps, x):
        return (sample(params, eps) - k) ** 2

    def score(params, eps, x):
        z = jax.lax.stop_gradient(sample(params, eps))
        return (z - k) ** 2 * (-0.5 * ((z - params["mu"]) / s) ** 2)

    def value(params, x):
        return (params["mu"] - k) ** 2 + s**2

    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    rows = {
        pathwise: (4 * s**2, 2 * (d + s * nodes)),
        score: (d**4 / s**2 + 14 * d**2 + 15 * s**2, (d + s * nodes) ** 2 * nodes / s),
    }
    for loss, (variance, gradient) in rows.items():
        leaf = audit(loss, params, lambda key, x: jax.random.normal(key), None, value=value, draws=n).leaves[0]
        central = gradient - 2 * d
        np.testing.assert_allclose([weights @ central, weights @ central**2], [0, variance], atol=1e-9)
        error = np.sqrt((weights @ central**4 - variance**2) / n)
        assert abs(leaf.variance - variance) < 5 * error
        assert abs(leaf.snr - 2 * d / np.sqrt(variance)) < 5 * (1 + error / variance) / np.sqrt(n)
        assert abs(leaf.z) < 4 and leaf.reach == "reached"


def test_the_limit_counts_the_tests():
    # Kills: a limit for one test; two directions in a leaf of one entry.
    def loss(params, eps, x):
        return jnp.mean((jnp.sum(params["a"]) + params["b"] + eps) ** 2)

    report = audited(loss, {"a": jnp.ones(3), "b": jnp.ones(())})
    np.testing.assert_allclose(report.limit, stats.t.isf(1e-4 / 2 / 3, 63), rtol=1e-12)


def test_share_of_the_derivative():
    # Kills: a share of squares, or its inverse.
    def doubled(params, eps, x):
        loss = p.elbo(params, eps, x)[0]
        return 2 * loss - jax.lax.stop_gradient(loss)

    report = audited(doubled, p.vae_params(), p.normals)
    np.testing.assert_allclose([leaf.share for leaf in report.leaves], 2, rtol=0.01)
    assert biased(report) == {leaf.name for leaf in report.leaves}
    assert all(leaf.unseen < 0.02 for leaf in audited(p.elbo, p.vae_params(), p.normals).leaves)


def test_kinks():
    # Kills: differences at a point: kinks that all draws share throw those off by several of their errors.
    rng = np.random.default_rng(5)
    params = {"in": p.affine(rng, p.X, 64), "out": p.affine(rng, 64, 2 * p.D), "decoder": p.affine(rng, p.D, p.X)}

    def loss(params, eps, x):
        hidden = jax.nn.relu(x @ params["in"]["w"] + params["in"]["b"][None])
        mean, log_std = jnp.split(hidden @ params["out"]["w"] + params["out"]["b"][None], 2, axis=1)
        kl = p.closed_kl(mean, log_std)
        return 30 * jnp.mean(p.reconstruction(params, mean + jnp.exp(log_std) * eps, x) + kl)

    for seed in range(3):
        report = audited(loss, params, p.normals, seed=seed, draws=256)
        assert faults(report) == (), str(report)


def test_no_path():
    # Kills: a zero gradient taken for a cut where nothing depends on the leaf, or where it is zero at this point alone.
    def loss(params, eps, x):
        return jnp.mean((params["a"] + eps) ** 2 + params["cubic"] ** 3)

    report = audited(loss, {"a": jnp.ones(4), "cubic": jnp.zeros(4), "unused": jnp.ones(2)})
    assert named(report, "no path") == {"unused"} and named(report, "cut") == set()
    assert one(report, "cubic").snr == 0 and biased(report) == set()
    with pytest.raises(AssertionError, match="no path: unused"):
        assert_reached(report)


def test_cut_without_an_effect_on_the_mean():
    # Kills: a cut that is seen in the mean alone: here each draw's loss moves, and the mean stands still.
    def loss(params, eps, x):
        return jnp.mean((jax.lax.stop_gradient(params["a"]) + 1) * eps + params["b"] * eps**2)

    assert named(audited(loss, {"a": jnp.ones(4), "b": jnp.ones(4)}), "cut") == {"a"}


def test_stopped_on_purpose():
    # Kills: a cut told against an exact value that stops there too.
    def loss(params, eps, x):
        return jnp.mean((params["a"] + jax.lax.stop_gradient(params["teacher"]) + eps) ** 2)

    def value(params, x):
        return jnp.mean((params["a"] + jax.lax.stop_gradient(params["teacher"])) ** 2) + 1

    params = {"a": jnp.ones(4), "teacher": jnp.ones(4)}
    assert named(audited(loss, params), "cut") == {"teacher"}
    report = audited(loss, params, value=value)
    assert named(report, "stopped") == {"teacher"} and faults(report) == ()
    assert_reached(report)


def test_arithmetic_is_no_bias():
    # Kills: no allowance for what float32 leaves of a difference, or of a gradient; both losses are without noise.
    params = {"a": jnp.linspace(0.1, 0.7, 5)}
    assert biased(audited(lambda q, eps, x: jnp.mean(q["a"] ** 2) + 1e4, params)) == set()
    thirds = audited(
        lambda q, eps, x: 9 * jnp.mean((q["a"] / 3) ** 2), params, value=lambda q, x: jnp.mean(q["a"] ** 2)
    )
    assert biased(thirds) == set()


def test_a_ratio_of_nothing():
    # Kills: the length of a mean over draws, 1/22 of the spread here, taken for signal.
    leaf = audited(
        lambda q, eps, x: jnp.mean(q["a"] * eps), {"a": jnp.ones(2000)}, partial(normals_of, (2000,))
    ).leaves[0]
    assert leaf.snr < 0.02


def test_a_loss_that_jumps_wants_a_long_segment():
    # Kills: a short segment chosen because it has met no jump.
    params = {"a": jnp.full((3,), 0.5)}
    directions = draw_directions(jax.random.key(0), [params["a"]])[0]
    line = Line(lambda q, u, x: jnp.mean(u < q["a"]), params, None, 0, directions, 0.0)
    chunks = draw_chunks(lambda key, x: jax.random.uniform(key, (3,)), jax.random.key(2), 16, 8, None)
    assert not segment(line, chunks, 0, 0.1 / 64, np.zeros(16)).rise.any()
    np.testing.assert_allclose(probed(line, chunks).step, 0.2 * 0.5, rtol=1e-6)


def test_not_finite(monkeypatch):
    # Kills: a NaN that passes every comparison; a count of leaves for one of draws; chex wanted where nobody asked.
    def loss(params, eps, x):
        return jnp.mean(params["a"] * eps) + jnp.sqrt(jnp.sum(params["root"])) + jnp.log(params["log"] + eps[0])

    params = {"a": jnp.ones(4), "root": jnp.zeros(1), "log": jnp.ones(())}
    report = audited(loss, params)
    chance = stats.norm.cdf(-1)
    assert abs(report.bad_losses / 512 - chance) < 5 * np.sqrt(chance * (1 - chance) / 512)
    assert not one(report, "root").finite and one(report, "a").finite
    for check in (assert_finite, assert_unbiased, assert_sound):
        with pytest.raises(AssertionError, match="root"):
            check(report)
    assert "not judged: a" in " ".join(faults(report)) and len(str(report)) > 0
    monkeypatch.setitem(sys.modules, "chex", None)
    with pytest.raises(BadRequest, match="jaxgen.testing"):
        assert_finite(report)


def test_our_own_games():
    # Kills: a contract of draw or loss that our games do not meet; a cut estimator taken for a path.
    from jaxgen.core import Batch, Context
    from jaxgen.latents import vector
    from jaxgen.nets import MLP, Encoder, Generator
    from jaxgen.objectives import CUT

    nets, batch = (Encoder(4, MLP((4,))), Generator((3,), MLP((4,)))), Batch(p.BATCH)
    game = jaxgen.games.vae(*nets, vector(2, estimator=CUT))
    params, state = game.init(jax.random.key(0), batch)

    def loss(params, noise, batch):
        return game.losses["vae"](params, noise, batch, Context(jnp.zeros((), jnp.int32), state))

    report = audit(loss, params, game.draw, batch, draws=64)
    assert {name.split(".")[1] for name in named(report, "cut")} == {"encoder"}, str(report)
    assert {name.split(".")[1] for name in named(report, "reached")} == {"decoder"}, str(report)


def test_a_report_is_a_function_of_its_seed():
    # Kills: directions or steps from another source; a seed that is not used.
    a, b, c = (audited(p.elbo, p.vae_params(), p.normals, seed=seed, draws=64) for seed in (3, 3, 4))
    assert a.leaves == b.leaves and str(a) == str(b) and a.leaves != c.leaves
    assert jax.tree.structure(a.gradient) == jax.tree.structure(p.vae_params())


def test_draws_are_rounded_up_to_whole_chunks():
    # Kills: a last chunk of few draws, whose point of the segment then counts as much as that of eight.
    assert audited(quadratic, {"a": jnp.ones(4)}, draws=65).draws == 72


def test_the_page_fits():
    # Kills: a row or a sentence beyond 80 columns; a long name that pushes its row, or loses its end.
    long = {"a_module_with_quite_a_name": {"and_one_more_inside_it": {"kernel": jnp.ones(4)}}, "b": jnp.ones(4)}

    def loss(params, eps, x):
        return jnp.mean((jax.lax.stop_gradient(sum(jax.tree.leaves(params))) + eps) ** 2)

    for report in (audited(loss, long), audited(p.one_key, p.NETWORK, p.the_key, draws=64)):
        assert max(map(len, str(report).splitlines())) <= 80, str(report)
    assert "..." in str(audited(loss, long)) and "inside_it.kernel  cut" in str(audited(loss, long))


def quadratic(params, eps, x):
    return jnp.mean((params["a"] + eps) ** 2)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"draws": 10}, "at least 64"),
        ({"draws": 100.5}, "draws=100.5: give a whole number"),
        ({"seed": 1.5}, "seed=1.5: give a whole number"),
        ({"batch": {"x": p.BATCH, "n": 3}}, "batch leaf n is of type int: make"),
        ({"batch": ("text", jnp.tanh)}, "batch leaf 0 is of type str"),
        ({"loss": lambda q, eps, x: ()}, "loss returns tuple"),
        ({"params": {}}, "no leaves"),
        ({"params": {"a": jnp.ones(4), "n": jnp.ones(3, jnp.int32)}}, "leaf n is no float"),
        ({"params": {"a": jnp.ones(4), "f": jnp.tanh}}, "leaf f is no float"),
        ({"params": {"a": jnp.ones(0)}}, "leaf a is no float"),
        ({"params": {"a": jnp.ones(4, jnp.bfloat16)}}, "bfloat16"),
        ({"params": {"a": 0.5}}, "jnp.asarray"),
        ({"loss": lambda q, eps, x: q["a"] * eps}, r"loss returns float32\[.*\]: it must return one"),
        ({"loss": lambda q, eps, x: jnp.argmax(q["a"])}, "loss returns"),
        ({"value": lambda q, x: q["a"]}, "value returns"),
    ],
)
def test_bad_requests(change, sentence):
    # Kills: a traceback out of JAX where one line would do.
    given = {"loss": quadratic, "params": {"a": jnp.ones(4)}, **change}
    with pytest.raises(BadRequest, match=sentence) as caught:
        audited(given.pop("loss"), given.pop("params"), **given)
    assert "\n" not in str(caught.value)


def test_unhashable_losses_and_numpy_params():
    # Kills: a method of a module of arrays refused by jit; leaves that are not yet JAX's.
    class Quadratic(eqx.Module):
        shift: jax.Array

        def __call__(self, params, eps, x):
            return quadratic({"a": params["a"] + self.shift}, eps, x)

    assert faults(audited(Quadratic(jnp.ones(4)), {"a": np.ones(4, np.float32)}, draws=64)) == ()


def test_importing_jaxgen_does_not_import_the_audit():
    # Kills: an import of the room, or of chex, at the top.
    code = """
import sys, jaxgen
assert "jaxgen.testing" not in sys.modules
assert callable(jaxgen.testing.audit) and "chex" not in sys.modules
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr


def test_a_leaf_that_chance_hides_is_not_called_right():
    # Kills: a page that ends as if all were right; a weak leaf that is wrong, or without a path, called weak as well.
    leaf = Leaf("w", (), "reached", True, 0.5, 1.0, 0.1, 1.0, 1.0)
    fields = {
        "noise": (Noise("eps", (), True, True),),
        "reuse": (),
        "alike": (),
        "repeats": True,
        "draws": 64,
        "limit": 4.0,
    }
    fields |= {"loss": 1.0, "loss_error": 0.1, "bad_losses": 0, "value": None, "gradient": 0.0}

    def page(**change):
        return " ".join(str(Report(leaves=(leaf, leaf._replace(name="v", **change)), **fields)).split())

    assert page().endswith("nothing wrong was found.") and "weak" not in page()
    assert page(unseen=0.6).endswith("nothing wrong was found; weak leaves stay open.")
    for change in ({"z": 9.0}, {"reach": "no path"}, {"finite": False}):
        assert "weak" not in page(unseen=0.6, **change) and "nothing wrong" not in page(**change)


def test_how_much_may_go_unseen_is_asked_for():
    # Kills: an assertion that holds of a leaf on which nothing was resolved; one that fails for what has no gradient.
    leaf = Leaf("w", (), "reached", True, 0.5, 1.0, 0.6, 1.0, 1.0)
    idle = leaf._replace(name="v", reach="no path", unseen=np.inf)
    report = Report((leaf, idle), (Noise("eps", (), True, True),), (), (), True, 64, 4.0, 1.0, 0.1, 0, None, 0.0)
    assert_unbiased(report)
    assert_unbiased(report, unseen=0.7)
    with pytest.raises(AssertionError, match="not resolved: w. A bias of 0.5 of"):
        assert_unbiased(report, unseen=0.5)
