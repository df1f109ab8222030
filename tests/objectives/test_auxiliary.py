"""What a classifier adds to a GAN, and the information of a code: values, gradients, and a known bound."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from players import quotients
from scipy import special, stats

from jaxgen.core import BadRequest
from jaxgen.objectives import CLASSIFIER, DISCRIMINATIVE_CLASSIFIER, TWIN_CLASSIFIER, information

RNG = np.random.default_rng(0)
LABEL = np.array([2, 0, 1, 2])
ROWS = {  # softmaxes of 3 or 6 scores; critic of (real, fake) and generator of (fake) in float64, of log-probabilities
    "classifier": (CLASSIFIER, (1, 3), lambda r, f: -r[2] - f[2], lambda f: -f[2]),
    "discriminative": (DISCRIMINATIVE_CLASSIFIER, (1, 6), lambda r, f: -r[2] - f[5], lambda f: f[5] - f[2]),
    "twin": (TWIN_CLASSIFIER, (2, 3), lambda r, f: -r[2] - f[5], lambda f: f[5] - f[2]),
}


@pytest.mark.parametrize("name", ROWS)
def test_values_and_gradients(name):
    # Kills: real and fake swapped; the fake form of a class for its real one; a generator that is asked for another
    # class, or that climbs; scores taken for probabilities; twins under one softmax. For the label 2 of 3, each alone
    # in its batch.
    part, scores, critic, generator = ROWS[name]
    real, fake = RNG.normal(size=(2, np.prod(scores)))
    label = jnp.array([2])

    def by_hand(w):
        r, f = (special.log_softmax(side.reshape(scores), -1).ravel() for side in w)
        return critic(r, f), generator(f)

    def ours(w):
        return part.critic(w[0][None], w[1][None], label)[0], part.generator(w[1][None], label)[0]

    w = np.stack([real, fake])
    for side in (0, 1):
        value, grad = jax.value_and_grad(lambda w, side=side: ours(w)[side])(jnp.asarray(w, jnp.float32))
        np.testing.assert_allclose(value, by_hand(w)[side], rtol=1e-5)
        np.testing.assert_allclose(grad, quotients(lambda w, side=side: by_hand(w)[side], w), rtol=1e-4, atol=1e-5)


def test_half_a_classifier_is_refused():
    # Kills: five scores as two classes.
    for part in (DISCRIMINATIVE_CLASSIFIER, TWIN_CLASSIFIER):
        with pytest.raises(BadRequest, match="an even number, not 5"):
            part.generator(jnp.zeros((4, 5)), jnp.asarray(LABEL))


@pytest.mark.parametrize("part", [DISCRIMINATIVE_CLASSIFIER, TWIN_CLASSIFIER, CLASSIFIER])
def test_the_generator_is_at_rest_where_the_model_is_the_data(part):
    # Kills: a twin whose sign leaves the generator what C pays. Two classes overlap in five positions x, and the model
    # is the data: p(x|y) itself. At exact scores of both, what a logit of p(x|0) adds to the loss is the same for every
    # position, so its slope is 0; only that of CLASSIFIER is not.
    law = RNG.dirichlet(np.ones(5), size=2)  # [y, x]
    posterior = np.log(law / law.sum(0)[None]).T  # [x, y]
    both = {1: [posterior], 2: [posterior, posterior]}[part.outputs(2) // 2]
    scores = jnp.asarray(np.concatenate(both, -1), jnp.float32)
    cost = np.asarray(part.generator(scores, jnp.zeros(5, jnp.int32)), np.float64)
    slope = law[0] * (cost - law[0] @ cost)
    assert (np.abs(slope).max() < 1e-6) == (part is not CLASSIFIER)


@pytest.mark.parametrize("categories", [3, 0, 5])
def test_information_by_hand(categories):
    # Kills: an entropy that is left out, or of numbers in (0, 1); a variance that is not 1; another category; a code of
    # one kind alone that fails.
    scores = RNG.normal(size=(4, 5))
    kinds = np.eye(categories)[LABEL] if categories else np.zeros((4, 0))
    code = np.concatenate([kinds, RNG.uniform(-1, 1, (4, 5 - categories))], -1)

    def by_hand(scores):
        known = special.log_softmax(scores[:, :categories], -1)[np.arange(4), LABEL] if categories else 0.0
        prior = np.log(categories) if categories else 0.0
        near = stats.norm.logpdf(code[:, categories:], scores[:, categories:]) - stats.uniform.logpdf(0, -1, 2)
        return known + prior + near.sum(-1)

    def ours(scores):
        return information(scores, jnp.asarray(code, jnp.float32), categories=categories)

    np.testing.assert_allclose(ours(jnp.asarray(scores, jnp.float32)), by_hand(scores), rtol=1e-5, atol=1e-6)
    grad = jax.grad(lambda s: ours(s).sum())(jnp.asarray(scores, jnp.float32))
    np.testing.assert_allclose(grad, quotients(lambda s: by_hand(s).sum(), scores), rtol=1e-4, atol=1e-5)


def test_information_is_a_bound_that_the_posterior_meets():
    # Kills: a bound above the information. c is one of 3, x one of 4 given it: I(c; x) by its sum, the bound as the sum
    # over all (c, x) of p(c, x) times ours, at the posterior and beside it.
    joint = RNG.dirichlet(np.ones(4), size=3) / 3  # [c, x]
    exact = np.sum(joint * np.log(joint / (joint.sum(0)[None] / 3)))
    posterior = np.log(joint / joint.sum(0)[None])  # [c, x]

    def bound(scores):
        pairs = [(c, x) for c in range(3) for x in range(4)]
        table = jnp.asarray(np.stack([scores[:, x] for _, x in pairs]), jnp.float32)
        code = jnp.asarray(np.stack([np.eye(3)[c] for c, _ in pairs]), jnp.float32)
        values = np.asarray(information(table, code, categories=3), np.float64)
        return np.sum([joint[pair] * value for pair, value in zip(pairs, values, strict=True)])

    assert bound(posterior) == pytest.approx(exact, rel=1e-5)
    for _ in range(5):
        assert bound(posterior + RNG.normal(size=(3, 4))) < exact


@pytest.mark.parametrize(("scores", "categories"), [((4, 3), 2), ((4, 5), 6), ((5,), 2)])
def test_information_refuses(scores, categories):
    # Kills: scores that broadcast against a code.
    with pytest.raises(BadRequest, match="do not fit a code"):
        information(jnp.zeros(scores), jnp.zeros((4, 5)), categories=categories)
