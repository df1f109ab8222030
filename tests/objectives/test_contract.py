"""What every part promises, whatever its formula: shapes, no reduction of the batch, finite numbers at the extremes."""

import importlib
import inspect
import pkgutil
import re

import jax
import jax.numpy as jnp
import numpy as np
import parts
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from players import passed

from jaxgen import objectives
from jaxgen.core import BadRequest, Batch
from jaxgen.games.vae_gan import PLACES
from jaxgen.objectives.estimators import law_of

K, B, D = 3, 4, 2
KEY = jax.random.key(0)
HUGE = np.array([-1e4, -30, 0, 30, 1e4], "f")


def f32(*shape):
    return jax.ShapeDtypeStruct(shape, jnp.float32)


def shape(fn, *args):
    return jax.eval_shape(fn, *args).shape


def finite(fn, *args):
    """Asserts that values and all gradients of fn at args are finite numbers."""

    def total(*args):
        out = fn(*args)
        return out.sum(), out

    grads, value = jax.jit(jax.grad(total, argnums=tuple(range(len(args))), has_aux=True))(*args)
    for leaf in jax.tree.leaves((value, grads)):
        assert np.all(np.isfinite(leaf)), leaf


def per_example(fn, *args, axis=0):
    """Asserts that entry b of fn(*args) depends on example b of the arguments alone, and that every example has one."""
    fn = jax.jit(fn)
    why = "an example alone gives another number: it sees the rest of the batch. A loss or a penalty says couples=True."
    whole = np.asarray(fn(*args))
    assert whole.shape[-1] == B
    for b in range(B):
        one = fn(*(np.take(a, [b], axis=axis) for a in args))
        np.testing.assert_allclose(one[..., 0], whole[..., b], rtol=1e-5, atol=1e-6, err_msg=why)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("f")


def grid(n):
    """All n-tuples of extreme numbers, a column each."""
    return [a.ravel() for a in np.meshgrid(*[HUGE] * n)]


# --- the table


def _modules():
    for entry in pkgutil.iter_modules(objectives.__path__):
        yield importlib.import_module(f"jaxgen.objectives.{entry.name}")


def test_every_public_part_is_in_the_table():
    # Kills: a part, or a factory of parts, that is not exported or that no contract test sees; a row without a part.
    for kind, table in parts.TABLES.items():
        public = set()
        for module in _modules():
            for name, value in vars(module).items():
                is_part = isinstance(value, kind) or (
                    inspect.isfunction(value)
                    and value.__module__ == module.__name__
                    and inspect.signature(value).return_annotation is kind
                )
                if is_part and not name.startswith("_"):
                    public.add(name)
        odd = sorted(public ^ set(table))
        assert not odd, f"{odd}: each {kind.__name__} has one row in tests/parts.py, under its public name"
        hidden = sorted(public - set(objectives.__all__))
        assert not hidden, f"{hidden}: export them in jaxgen/objectives/__init__.py"


def test_every_kind_of_part_has_a_table():
    # Kills: a new kind of part without contract tests.
    kinds = {v for n in objectives.__all__ if inspect.isclass(v := getattr(objectives, n))}
    arguments = {"DiagGaussian", "DiagLaplace", "DiagLogistic", "Field", "Forward", "Support"}  # of parts, not parts
    assert {kind for kind in kinds if kind.__name__ not in arguments} == set(parts.TABLES)


def test_every_bound_is_in_the_table():
    # Kills: a bound without contract tests.
    module = importlib.import_module("jaxgen.objectives.bounds")
    public = {n for n, f in vars(module).items() if inspect.isfunction(f) and not n.startswith("_")}
    assert public == set(parts.BOUNDS) and public <= set(objectives.__all__)


# --- families


@pytest.mark.parametrize("name", parts.FAMILIES)
def test_family_shapes(name):
    # Kills: a sum over the batch or the samples; theta [B, D] that meets z [K, B, D] at the wrong axes.
    part = parts.FAMILIES[name]
    theta, size = part.theta, part.size
    assert shape(lambda: part.draw(KEY, (K, B, D))) == (K, B, D)
    for raw, point, out in [
        ((B, size * D), (B, D), (B,)),
        ((B, size * D), (K, B, D), (K, B)),
        ((K, B, size * D), (B, D), (K, B)),
        ((K, B, size * D), (K, B, D), (K, B)),
    ]:
        assert shape(lambda r, x: part.log_prob(theta(r), x), f32(*raw), f32(*point)) == out
        assert shape(lambda r, n: part.push(theta(r), n), f32(*raw), f32(*point)) == (*out, D)
    assert shape(lambda r: part.mean(theta(r)), f32(B, size * D)) == (B, D)


@pytest.mark.parametrize("name", parts.FAMILIES)
@pytest.mark.parametrize("point", [(B, 1), (1, D), (K, 1, D), (D, B), (B + 1, D)])
def test_family_refuses_shapes_that_would_broadcast(name, point):
    # Kills: [B, 1] against [B, D] in silence.
    part = parts.FAMILIES[name]
    theta, size = part.theta, part.size
    with pytest.raises(BadRequest, match="do not match"):
        part.log_prob(theta(np.zeros((B, size * D), "f")), np.zeros(point, "f"))


@pytest.mark.parametrize("name", parts.FAMILIES)
def test_family_pushes_to_the_type_of_the_noise(name):
    # Kills: samples that lose digits where a network gives its raw numbers in half precision.
    part = parts.FAMILIES[name]
    raw = jax.ShapeDtypeStruct((B, part.size * D), jnp.float16)
    assert jax.eval_shape(lambda raw, noise: part.push(part.theta(raw), noise), raw, f32(B, D)).dtype == jnp.float32


@pytest.mark.parametrize("name", parts.FAMILIES)
def test_family_is_per_example(name):
    # Kills: a mean over the batch that is broadcast back.
    part = parts.FAMILIES[name]
    theta, size = part.theta, part.size
    x = part.push(theta(normal(B, size * D)), part.draw(KEY, (B, D)))
    per_example(lambda raw, x: part.log_prob(theta(raw), x), normal(B, size * D, seed=1), x)


@pytest.mark.parametrize("name", parts.FAMILIES)
def test_family_is_finite_at_the_extremes(name):
    # Kills: an unbounded log_std; a division by a std that underflows; log(sigmoid) in place of a softplus.
    part = parts.FAMILIES[name]
    theta, size = part.theta, part.size
    raw = np.stack(grid(size), axis=-1)
    noise = part.draw(KEY, (len(raw), 1))
    finite(lambda raw: part.push(theta(raw), noise), raw)
    sample, mean = part.push(theta(raw), noise), part.mean(theta(raw))
    x = np.stack([sample, mean, np.zeros_like(mean)])
    finite(lambda raw, x: part.log_prob(theta(raw), x), raw, x)


_LOG_PROBS = {
    name: jax.jit(jax.value_and_grad(lambda raw, x, part=part: part.log_prob(part.theta(raw), x).sum(), argnums=(0, 1)))
    for name, part in parts.FAMILIES.items()
}


@settings(deadline=None, derandomize=True, max_examples=30)
@given(raw=st.lists(st.floats(-1e4, 1e4, width=32), min_size=4, max_size=4), x=st.floats(0, 1, width=32))
def test_family_is_finite_anywhere(raw, x):
    # Kills: a bound on log_std that holds at the corners only.
    for name, part in parts.FAMILIES.items():
        out = _LOG_PROBS[name](jnp.array(raw[: 2 * part.size], jnp.float32)[None], jnp.full((1, 2), x, jnp.float32))
        assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(out)), name


# --- closed forms, estimators, bounds


def gaussian(raw):
    return parts.FAMILIES["GAUSSIAN"].theta(raw)


def closed(name):
    """The KL of two families as a function of their raw numbers, and how many of them each number has."""
    posterior, prior = (parts.FAMILIES[family] for family in parts.CLOSED_FORMS[name])
    kl = objectives.kl(posterior, prior)
    return lambda q, p: kl(posterior.theta(q), prior.theta(p)), posterior.size, prior.size


@pytest.mark.parametrize("name", parts.CLOSED_FORMS)
def test_closed_form_contract(name):
    # Kills: a mean over the batch, or a sum; exp of an unbounded log_std, where only the sample's was bounded; a
    # logarithm of a probability that underflows.
    kl, q_size, p_size = closed(name)
    assert shape(kl, f32(B, q_size * D), f32(B, p_size * D)) == (B,)
    per_example(kl, normal(B, q_size * D), normal(B, p_size * D, seed=1))
    raw = np.stack(grid(q_size + p_size), -1)
    finite(kl, raw[:, :q_size], raw[:, q_size:])


@pytest.mark.parametrize("bound", parts.BOUNDS)
@pytest.mark.parametrize("name", parts.ESTIMATORS)
def test_estimator_contract(name, bound):
    # Kills: a mean over the batch; examples that reach each other; a factor or an advantage that is infinite where a
    # weight vanishes.
    def value(raw, noise):
        draws = parts.ESTIMATORS[name].sample(law_of(objectives.GAUSSIAN), gaussian(raw), noise)
        return draws.reduce(parts.BOUNDS[bound], -jnp.sum(draws.z**2, -1) - draws.log_q)

    assert shape(value, f32(B, 2 * D), f32(K, B, D)) == (B,)
    finite(lambda raw: value(raw, normal(K, 25, 1)), np.stack(grid(2), axis=-1))
    slope = jax.jit(jax.grad(lambda raw, noise: jnp.sum(value(raw, noise))))
    raw, noise = normal(B, 2 * D), normal(K, B, D, seed=1)
    for b in range(B):
        one = slope(raw[b : b + 1], noise[:, b : b + 1])
        np.testing.assert_allclose(one[0], slope(raw, noise)[b], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", parts.BOUNDS)
def test_bound_contract(name):
    # Kills: a mean over both axes; a logsumexp that overflows; a bound over the batch where log_w has lost its K axis.
    bound = parts.BOUNDS[name]
    assert shape(bound, f32(K, B)) == (B,)
    per_example(bound, normal(K, B), axis=1)
    finite(bound, np.stack(grid(3)))
    for wrong in ((B,), (0, B), (K, B, 1)):
        with pytest.raises(BadRequest, match=r"\[K, B\]"):
            bound(np.zeros(wrong, "f"))


# --- observations


@pytest.mark.parametrize("event", [(3,), (2, 2, 3)])
@pytest.mark.parametrize("name", parts.OBSERVATIONS)
def test_observation_contract(name, event):
    # Kills: a mean over the batch, or none over pixels; axes written down for images alone; samples of another shape
    # than x; noise that one example shares with another; an output far away that is infinite.
    part = parts.OBSERVATIONS[name]
    params, outputs = part.init(event), (*event[:-1], part.outputs(event[-1]))
    y, x = normal(B, *outputs), np.random.default_rng(1).uniform(size=(B, *event)).astype("f")
    per_example(lambda y, x: part.log_prob(params, y, x), y, x)
    assert shape(lambda y: part.mean(params, y), y) == (B, *event)
    noise = part.draw(KEY, f32(B, *outputs))
    if part.sample is not None:
        samples = part.sample(params, noise, np.zeros_like(y))
        assert samples.shape == (B, *event) and len(np.unique(samples.reshape(B, -1), axis=0)) > 1
    for far in HUGE:
        finite(lambda params, y: part.log_prob(params, y, x), params, np.full((B, *outputs), far))


# --- adversarial losses, penalties


@pytest.mark.parametrize("side", ["critic", "generator"])
@pytest.mark.parametrize("name", parts.ADVERSARIAL)
def test_adversarial_contract(name, side):
    # Kills: a mean in the loss; log(sigmoid) at large logits; (B, 1) against (B,), which broadcasts to (B, B); a
    # message that calls the real logits fake; logits of patches refused, or summed.
    loss = getattr(parts.ADVERSARIAL[name], side)
    for shape_of_logits in ((B,), (B, 1), (B, 2, 3), (1,)):
        assert shape(loss, f32(*shape_of_logits), f32(*shape_of_logits)) == shape_of_logits
    if not parts.ADVERSARIAL[name].couples:
        per_example(loss, normal(B), normal(B, seed=1))
    finite(loss, *grid(2))
    for real, fake in [((B, 1), (B,)), ((B,), (B, 1)), ((B,), (B + 1,)), ((B, 2), (B, 3)), ((), ())]:
        with pytest.raises(BadRequest, match=re.escape(f"not {real} and {fake}")):
            loss(np.zeros(real, "f"), np.zeros(fake, "f"))


@pytest.mark.parametrize("name", [n for n, part in parts.ADVERSARIAL.items() if part.labelled])
def test_labelled_contract(name):
    # Kills: labels [B, 1] against logits [B]; an infinite cross-entropy at large logits.
    labelled = parts.ADVERSARIAL[name].labelled
    assert shape(labelled, f32(B), f32(B)) == shape(lambda x: labelled(x, 0.9), f32(B)) == (B,)
    assert shape(lambda x: labelled(x, 0.9), f32(B, 2, 3)) == (B, 2, 3)
    for label in (0.0, 0.3, 1.0):
        finite(lambda x, label=label: labelled(x, label), HUGE)
    for logits, label in [((B, 1), (B,)), ((B,), (B, 1)), ((B,), (1,)), ((), ())]:
        with pytest.raises(BadRequest, match=re.escape(f"not {logits} and {label}")):
            labelled(np.zeros(logits, "f"), np.zeros(label, "f"))


@pytest.mark.parametrize("name", parts.AUXILIARIES)
def test_auxiliary_contract(name):
    # Kills: a mean in the loss; log(softmax) at large scores; a label that broadcasts; a class that has no score.
    part, label = parts.AUXILIARIES[name], np.arange(B) % 2
    scores = part.outputs(2)
    real, fake = normal(B, scores), normal(B, scores, seed=1)
    per_example(part.critic, real, fake, label)
    per_example(part.generator, fake, label)
    extremes = np.stack(grid(scores), -1)[::7]
    first = np.zeros(len(extremes), np.int32)
    finite(lambda a, b: part.critic(a, b, first) + part.generator(b, first), extremes, extremes[::-1])
    for bad in (label[:, None], label[:-1], 1.0 * label):
        with pytest.raises(BadRequest, match="scores"):
            part.critic(real, fake, bad)


def bend(x):
    return jnp.sin(x.reshape(len(x), -1)).sum(-1)


def latent(part, real):
    """A z of two numbers, or of as many as an example for the penalty that reads z itself."""
    flat = real.reshape(len(real), -1)
    return flat if part is parts.PENALTIES["transport"] else jnp.concatenate([flat, flat], -1)[:, :2]


def paid(part, noise, real, fake, critic=bend):
    """The values of a penalty in a pass whose generator bends z into x."""
    z = latent(part, real)

    def generate(z):
        return fake + 2 * jnp.sin(z).sum(-1).reshape(-1, *[1] * (fake.ndim - 1))

    return part.value(passed(critic, real, fake, generate, z), noise, part.init(), 0)[0]


@pytest.mark.parametrize("event", [(), (3,), (2, 3, 1)])
@pytest.mark.parametrize("name", parts.PENALTIES)
def test_penalty_contract(name, event):
    # Kills: a mean over the batch; axes written down for images alone; a state that changes its shape.
    part = parts.PENALTIES[name]
    batch = Batch(f32(B, *event))

    def value(real, fake):
        return paid(part, part.draw(KEY, Batch(real)), real, fake)

    assert shape(value, batch.x, batch.x) == (B,), "a penalty gives one number for each entry of the logits"
    x = jnp.zeros((B, *event))
    view = passed(bend, x, x + 1, z=latent(part, x))
    state = part.init()
    new = jax.eval_shape(lambda: part.value(view, part.draw(KEY, Batch(view.real)), state, 0)[1])
    assert jax.tree.map(jnp.shape, new) == jax.tree.map(jnp.shape, state)


@pytest.mark.parametrize("name", [name for name, part in parts.PENALTIES.items() if not part.couples])
def test_penalty_is_per_example(name):
    # Kills: a mean before the norm; one mixing number for the whole batch.
    part = parts.PENALTIES[name]
    real, fake = normal(B, 2, 3, 1), normal(B, 2, 3, 1, seed=1)
    leaves, tree = jax.tree.flatten(part.draw(KEY, Batch(real)))
    per_example(lambda r, f, *n: paid(part, jax.tree.unflatten(tree, n), r, f), real, fake, *leaves)


@pytest.mark.parametrize("name", parts.PENALTIES)
def test_penalty_is_finite_at_the_extremes(name):
    # Kills: the gradient of a bare sqrt at zero, which is NaN.
    part = parts.PENALTIES[name]
    real = normal(B, 2, 3, 1)
    noise = part.draw(KEY, Batch(real))

    def value(w):
        z = latent(part, real)
        view = passed(lambda x: w * bend(w * x), real, -real, lambda z: w * z[:, :1, None, None] - real, z)
        return part.value(view, noise, part.init(), 0)[0]

    finite(jax.vmap(value), np.array([0, 1e-20, 1e-8, 1, 1e4], "f"))


# --- the checks themselves can fail


@pytest.mark.parametrize("name", parts.WEIGHTINGS)
def test_weighting_contract(name):
    # Kills: a weight that is no number, not finite where slopes vanish or are huge, or below 0; one with a gradient;
    # one that reads slopes that are not taken; a place that the game does not know.
    weighting = parts.WEIGHTINGS[name]
    assert weighting.place in PLACES
    slopes = jnp.array([0.0, 1e-12, 1e-4, 1.0, 1e12])
    first, second = (jnp.ravel(a) for a in jnp.meshgrid(slopes, slopes))
    found = jax.vmap(lambda a, b: jnp.stack(weighting.weights(a, b, 3)))(first, second)
    assert found.shape == (25, 2) and np.isfinite(found).all() and (found >= 0).all()
    moved = jax.jacobian(lambda a, b: jnp.stack(weighting.weights(a, b, 3)), (0, 1))(jnp.float32(2), jnp.float32(3))
    assert not np.any(moved)
    if weighting.place is None:
        assert np.ptp(found, 0).max() == 0


def test_broken_doubles_fail():
    # Kills: a contract check that passes whatever it is given.
    real, fake = normal(B), normal(B, seed=1)
    with pytest.raises(AssertionError):
        per_example(lambda r, f: (f - r) * 0 + jnp.mean(f - r), real, fake)
    with pytest.raises(AssertionError):
        per_example(lambda r, f: jnp.mean(f - r, keepdims=True), real, fake)
    with pytest.raises(AssertionError):
        finite(lambda x: jnp.log(jax.nn.sigmoid(x)), HUGE)
    with pytest.raises(AssertionError):
        finite(jnp.sqrt, jnp.zeros(2))
