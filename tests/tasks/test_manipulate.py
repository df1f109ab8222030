"""Manipulate: models made by hand, whose edits are known to be good or bad, get the figures that they deserve."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import Model, as_float
from jaxgen.data import Data, Split
from jaxgen.metrics import Features
from jaxgen.tasks import MANIPULATE, Reference, edits, manipulate

CLASSES, SIDE = 3, 6


def images(label, style):
    """Images [N, 6, 6, 1]: one of the first three rows is bright, which is the class; the others hold the style."""
    x = np.full((len(label), SIDE, SIDE), 0.05, np.float32)
    x[np.arange(len(label)), label] = 0.95
    x[:, CLASSES:] = style
    return x[..., None]


def split(seed, n):
    rng = np.random.default_rng(seed)
    label = (np.arange(n) % CLASSES).astype(np.int32)
    x = images(label, rng.uniform(size=(n, 3, SIDE))) + rng.uniform(-0.05, 0.05, (n, SIDE, SIDE, 1))
    return Split(np.rint(255 * np.clip(x, 0, 1)).astype(np.uint8), label)


def brightness(x):
    """Of the rows that hold the class, float64 [N, 3]."""
    return np.asarray(as_float(x), np.float64).reshape(len(x), SIDE, SIDE).mean(2)[:, :CLASSES]


@pytest.fixture(scope="module")
def data():
    return Data("rows", "image", split(0, 180), split(1, 90), split(2, 120), ("a", "b", "c"), None, None, "", ())


@pytest.fixture(scope="module")
def reference(data):
    """Judged by the brightness of the three rows."""
    return Reference(data, Features(brightness, "rows", lambda x: brightness(x).argmax(1)))


def whole(x):
    return np.array(x, np.float32)


def rendered(z):
    """An image of the class whose row is brightest in the code, with the code's style."""
    z = np.asarray(z)
    return images(z[:, :CLASSES].mean((2, 3)).argmax(1), np.clip(z[:, CLASSES:, :, 0], 0, 1))


def without_style(z):
    x = rendered(z)
    x[:, CLASSES:] = 0.5
    return x


GOOD = Model(encode=whole, decode=rendered)
FORGETS = Model(encode=whole, decode=without_style)
CONSTANT = Model(encode=whole, decode=lambda z: images(np.zeros(len(z), int), 0.5))


def test_a_good_edit_and_bad_ones(reference):
    # Kills: an area of changes alone (what forgets its original would win) or of identity alone (a constant would);
    # the share of the target class among unedited images, which a constant decoder has for nothing.
    good, forgets, constant = (manipulate.measure(model, reference, 0).figures for model in (GOOD, FORGETS, CONSTANT))
    assert good["area"] > 0.8 and min(good["changed"], good["kept"], good["composition"]) > 0.85
    assert forgets["area"] < 0.1 and forgets["composition"] < 0.1
    plan, judge = edits.plan_edits(reference.data, reference.data.test, 0), edits.make_judge(reference)
    assert (
        manipulate.follow(FORGETS, manipulate.directions(FORGETS, reference.data, 0), plan, judge).changed.max() > 0.9
    )
    assert constant["area"] == constant["changed"] == 0 and constant["effectiveness"] > 0.2


def test_an_edit_that_does_nothing(reference):
    # Kills: errors of the classifier counted as edits; an identity below 1 for the original itself.
    wrong = reference.features._replace(classify=lambda x: (brightness(x).argmax(1) + (x[:, 5, 5, 0] > 0.5)) % CLASSES)
    data = reference.data
    judge = edits.make_judge(reference)._replace(features=wrong)
    judge = judge._replace(radius=dict.fromkeys(judge.radius, np.inf))
    plan = edits.plan_edits(data, data.test, 0)
    curve = manipulate.follow(GOOD._replace(decode=whole), np.zeros((CLASSES, SIDE, SIDE, 1)), plan, judge)
    assert curve.effectiveness[0] > 0.1
    np.testing.assert_array_equal(curve.changed, 0)
    np.testing.assert_array_equal(curve.kept, 1)
    assert manipulate.area(curve.kept, curve.changed) == 0


def test_a_ghost_is_no_change(reference):
    # Kills: the classifier's word alone. A shift of pixels leaves the row of the old class under that of the new one.
    found = manipulate.measure(Model(encode=whole, decode=whole), reference, 0)
    assert found.figures["composition"] == 1 and found.figures["changed"] < 0.3
    curve = manipulate.follow(
        Model(encode=whole, decode=whole),
        manipulate.directions(GOOD, reference.data, 0),
        edits.plan_edits(reference.data, reference.data.test, 0),
        edits.make_judge(reference),
    )
    ghosts = (curve.effectiveness > 0.9) & (curve.kept > 0.9)
    assert ghosts.any() and curve.changed[ghosts].max() < 0.3


def test_typical_is_as_near_as_95_percent_of_validation_examples(reference):
    # Kills: the mean or the largest distance for the quantile; distances to other classes; test examples.
    data, judge = reference.data, edits.make_judge(reference)
    for c in range(CLASSES):
        train, valid = (brightness(part.x[part.label == c]) for part in (data.train, data.valid))
        nearest = np.sqrt(((valid[:, None] - train[None]) ** 2).sum(-1)).min(1)
        assert judge.radius[c] == pytest.approx(np.quantile(nearest, 0.95), rel=1e-9)
    x, wrong = as_float(data.train.x[:30]), (data.train.label[:30] + 1) % CLASSES
    assert np.all(edits.judged(judge, x, data.train.label[:30])) and not np.any(edits.judged(judge, x, wrong))
    taken, typical = edits.judged(judge, x + 5 * images(data.train.label[:30], 0), data.train.label[:30])
    assert taken.all() and not typical.any()


def test_identity_is_that_of_the_original_among_its_class(data):
    # Kills: originals of other classes among the others; the original among them; a tie as a win; no 2 p - 1; the
    # nearest example in place of the share.
    plan = edits.plan_edits(data, data.test, 3)
    rng = np.random.default_rng(0)
    x = np.clip(plan.x[plan.source] + 0.4 * rng.normal(size=(len(plan.source), SIDE, SIDE, 1)), 0, 1).astype(np.float32)
    ahead = []
    for image, i in zip(x, plan.source, strict=True):
        others = [j for j in range(len(plan.x)) if plan.label[j] == plan.label[i] and j != i]
        own, *rest = (np.sqrt(np.sum((image.astype(float) - plan.x[j]) ** 2)) for j in (i, *others))
        ahead.append(np.mean([(d > own) + 0.5 * (d == own) for d in rest]))
    assert 0.3 < edits.identity_kept(x, plan) < 0.999
    assert edits.identity_kept(x, plan) == pytest.approx(2 * np.mean(ahead) - 1, abs=1e-9)
    assert edits.identity_kept(plan.x[plan.source], plan) == 1
    far = np.full_like(x, 0.5)
    assert edits.identity_kept(far, plan) < 0.15
    alike = plan._replace(x=np.zeros_like(plan.x))
    assert edits.identity_kept(x, alike) == 0
    # The same change of all edits, as of a class whose pixels are others, costs nothing.
    assert edits.identity_kept(plan.x[plan.source] + images(plan.target, 0), plan) == 1


def test_area():
    # Kills: a step for the line; strengths in their order in place of that of what they keep; a fall of the change
    # that is not the best; the part below the least kept left out, or the part above the most kept filled.
    kept, changed = np.array([0.9, 0.4, 0.7, 0.2]), np.array([0.0, 0.3, 0.5, 0.8])
    k = np.linspace(0, 1, 100_001)
    best = np.interp(k, [0.2, 0.4, 0.7, 0.9], [0.8, 0.5, 0.5, 0.0], right=0)  # 0.3 at 0.4 is below 0.5 at 0.7
    assert manipulate.area(kept, changed) == pytest.approx(np.trapezoid(best, k), abs=1e-4)
    assert manipulate.area([1.0], [0.0]) == manipulate.area([0.0], [1.0]) == 0
    assert manipulate.area([1.0, 1.0], [0.0, 1.0]) == 1


def test_directions(data):
    # Kills: the mean of all classes for that of the others; labels of another seed, or all; labels of the test split.
    way = manipulate.directions(GOOD, data, 5)
    x, label = as_float(data.train.x).astype(np.float64), data.train.label
    rng = np.random.default_rng([5, 0])
    at = {c: rng.permutation(np.flatnonzero(label == c))[:20] for c in range(CLASSES)}
    for c in range(CLASSES):
        others = np.concatenate([at[other] for other in range(CLASSES) if other != c])
        np.testing.assert_allclose(way[c], x[at[c]].mean(0) - x[others].mean(0), atol=1e-6)
    assert np.any(manipulate.directions(GOOD, data, 6) != way)
    moved = data._replace(test=data.test._replace(label=np.roll(data.test.label, 1)), valid=split(9, 90))
    np.testing.assert_array_equal(manipulate.directions(GOOD, moved, 5), way)


def test_edits_lead_to_another_class(data, monkeypatch):
    # Kills: a target that is the class itself, a source of another split, one pair twice, one order for all seeds.
    plan, other = (edits.plan_edits(data, data.test, seed) for seed in (0, 1))
    assert len(plan.source) == 2 * 120 and np.all(plan.label[plan.source] != plan.target)
    assert len(set(zip(plan.source, plan.target, strict=True))) == 240
    assert np.any(plan.target != other.target)
    labels = {image.tobytes(): label for image, label in zip(as_float(data.test.x), data.test.label, strict=True)}
    assert all(labels[image.tobytes()] == label for image, label in zip(plan.x, plan.label, strict=True))
    monkeypatch.setattr(edits, "PAIRS", 50)
    assert len(edits.plan_edits(data, data.test, 0).source) == 50


def test_the_strength_is_chosen_on_validation(reference, monkeypatch):
    # Kills: the best strength on test; the largest change or the most kept in place of the product.
    flat, rising = np.full(9, 0.5), np.linspace(0, 0.8, 9)

    def made_up(model, way, plan, judge):
        on_test = len(plan.x) == 120
        identity = np.where(np.arange(9) == (8 if on_test else 3), 0.9, 0.2)
        return manipulate.Curve(rising if on_test else np.where(np.arange(9) == 8, 0.6, flat), identity, flat)

    monkeypatch.setattr(manipulate, "follow", made_up)
    figures, chosen = manipulate.measure(GOOD, reference, 0)
    assert chosen == "strength 1.5" and figures["changed"] == pytest.approx(0.3) and figures["kept"] == 0.2
    assert figures["composition"] == 0.2


def test_a_stage_reads_the_same_headline(reference):
    # Kills: other labels, edits or strengths at the stages of a training than at its end.
    full = manipulate.measure(GOOD, reference, 4)
    assert MANIPULATE.measure(GOOD, reference, 4, jax.random.key(0), "50") == ({"area": full.figures["area"]}, "")
    assert MANIPULATE.measure(GOOD, reference, 4, jax.random.key(1), None) == full
    assert set(full.figures) == set(MANIPULATE.metrics(reference.data))


def test_what_cannot_be_edited_has_no_figures(reference):
    # Kills: a figure of a model without an encoder or decoder, of codes that are numbers of a codebook, of NaN.
    broken = (
        Model(encode=whole),
        Model(decode=whole),
        Model(encode=lambda x: jnp.zeros((len(x), 4), jnp.int32), decode=lambda z: images(np.zeros(len(z), int), 0)),
        Model(encode=lambda x: whole(x) * np.nan, decode=whole),
        Model(encode=whole, decode=lambda z: np.where(whole(z) > 1.5, np.nan, whole(z))),
    )
    for model in broken:
        assert manipulate.measure(model, reference, 0) == ({}, "")
        assert model.encode is None or manipulate._edits(Model(encode=model.encode), reference.data, None) is None


def test_servable(data, table):
    # Kills: a table edited; a class of too few examples in a split; a reason of more than one line.
    assert manipulate.servable(data) is None
    few = data._replace(valid=data.valid._replace(label=np.where(np.arange(90) < 88, 0, 1).astype(np.int32)))
    for bad, reason in (
        (table, "edits are of images"),
        (data._replace(train=data.train._replace(label=None)), "no labels"),
        (few, "fewer than two of rows have 3 examples"),
    ):
        assert reason in manipulate.servable(bad) and "\n" not in manipulate.servable(bad)


def test_a_rare_class_is_left_out_and_named(data):
    # Kills: a direction or a radius of one example; silence about it.
    label = np.where(data.test.label == 2, 1, data.test.label)
    label[0] = 2
    rare = data._replace(test=data.test._replace(label=label))
    assert edits.classes_of(rare).tolist() == [0, 1]
    assert MANIPULATE.notes(rare, (0,)) == ("Classes with too few examples to be edited: c.",)
    assert MANIPULATE.notes(data, (0,)) == ()
    assert set(edits.plan_edits(rare, rare.test, 0).target) == {0, 1}
    assert not np.any(manipulate.directions(GOOD, rare, 0)[2])


def test_baselines_go_the_same_way(reference):
    # Kills: a baseline by other code; components of the test split; a shift that is not cut to [0, 1].
    blind = reference.features._replace(embed=lambda x: np.zeros((len(x), 1)))
    reference = type(reference)(reference.data, blind)
    found = manipulate.baselines(reference, 2)
    assert list(found) == ["baseline: raw values", "baseline: PCA"]
    assert found["baseline: raw values"] == manipulate.measure(Model(encode=whole, decode=whole), reference, 2).figures
    assert found["baseline: raw values"]["changed"] > 0.5 and found != manipulate.baselines(reference, 3)
    pca = manipulate.simple_models(reference.data)["baseline: PCA"]
    x = as_float(reference.data.train.x[:40])
    assert np.mean((np.asarray(pca.decode(pca.encode(x))) - x) ** 2) < 0.5 * np.mean((x - x.mean(0)) ** 2)
    assert pca.encode(x).shape == (40, 16)
    assert manipulate.pixels_of(Model(decode=whole), 3 * x, x.shape[1:]).max() == 1


def test_real_examples_are_changed_and_partly_kept(reference):
    # Kills: the nearest example of any class; the farthest one.
    found = manipulate.nearest_examples(reference)
    assert found["changed"] > 0.9 and 0.5 < found["kept"] < 0.98
    assert found["area"] == pytest.approx(found["changed"] * found["kept"])


def test_pictures(data):
    # Kills: edits of training examples, towards their own class, or of another order than their titles say.
    (picture,) = MANIPULATE.pictures
    made, real = (x.reshape(3, 8, SIDE, SIDE, 1) for x in (picture.render(GOOD, data, None), picture.real(data)))
    np.testing.assert_array_equal(made[:, 0], real[:, 0])
    np.testing.assert_array_equal(made[:, 0], as_float(data.test.x[:3]))
    assert [brightness(made[:, i]).argmax(1).tolist() for i in (1, 7)] == [[0, 1, 2], [1, 2, 0]]
    assert brightness(real[:, 7]).argmax(1).tolist() == [1, 2, 0]
    assert picture.render(GOOD, data._replace(kind="table"), None) is None
    assert picture.render(GOOD, data._replace(test=data.test._replace(label=None)), None) is None


def test_originals_of_large_images_are_told_by_products(reference, monkeypatch):
    # Kills: a product without the squares of either side; distances of edits to edits.
    plan = edits.plan_edits(reference.data, reference.data.test, 0)
    noise = np.random.default_rng(0).normal(size=(len(plan.source), *plan.x.shape[1:]))
    blurred = plan.x[plan.source] + 0.3 * noise.astype(np.float32)
    by_distance = edits.identity_kept(blurred, plan)
    monkeypatch.setattr(edits, "DIRECT", 1)
    assert edits.identity_kept(blurred, plan) == pytest.approx(by_distance, abs=1e-9) and 0.1 < by_distance < 0.99
    assert edits.identity_kept(plan.x[plan.source], plan) == pytest.approx(1, abs=1e-9)


def test_few_edits_of_large_images_at_a_stage(reference, monkeypatch):
    # Kills: all edits at a stage; as few at the end; a strength in another's place where several are decoded at once.
    model = Model(encode=whole, decode=whole)
    alone = MANIPULATE.measure(model, reference, 0, None, None)
    monkeypatch.setattr(manipulate, "DECODED", 1)  # one strength at a time
    assert MANIPULATE.measure(model, reference, 0, None, None) == alone
    assert len(edits.plan_edits(reference.data, reference.data.test, 0, few=True).source) > edits.FEW
    whole_plan = edits.plan_edits(reference.data, reference.data.test, 0).source
    assert len(whole_plan) > edits.LARGE
    monkeypatch.setattr(edits, "large", lambda shape: True)
    for few, count in ((True, edits.FEW), (False, edits.LARGE)):
        plan = edits.plan_edits(reference.data, reference.data.test, 0, few=few)
        assert plan.source.tolist() == whole_plan[:count].tolist()
