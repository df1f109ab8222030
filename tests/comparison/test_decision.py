"""Decisions of several settings and of more than two models, on made-up figures."""

import numpy as np
import pytest
from scipy import stats

from jaxgen.comparison.contest import Contest, closing
from jaxgen.comparison.decision import beaten_by, decide, lead
from jaxgen.comparison.statistics import better
from jaxgen.tasks.task import Margin

SEEDS = range(6)


def by_seed(mean, spread=0.01, key=0):
    noise = np.random.default_rng(key).normal(size=len(SEEDS))
    return dict(zip(SEEDS, mean + spread * (noise - noise.mean()), strict=True))


def contest(models, sides=None, **more):
    sides = sides or {name: name.split("-")[0] for name in models}
    return Contest("accuracy", True, models, sides, more.pop("baselines", {}), **more)


def test_one_model_a_side_is_the_usual_test():
    # Kills: a p value of one side; a factor for models or sides that counts twice.
    models = {"vae": by_seed(0.5, 0.1, 0), "gan": by_seed(0.6, 0.1, 1)}
    a, b = ([*own.values()] for own in models.values())
    found = lead(contest(models, paired=False), models)
    assert (found.leader, found.rival) == ("gan", "vae")
    np.testing.assert_allclose(found.p, stats.ttest_ind(a, b, equal_var=False).pvalue)
    np.testing.assert_allclose(lead(contest(models), models).p, stats.ttest_rel(a, b).pvalue)


def test_a_side_leads_by_the_model_that_is_better_than_all_others():
    # Kills: the first model of a side speaking for it; the easiest rival; models of one's own side as rivals; the
    # number of models left out of the p value.
    models = {
        "vae": by_seed(0.50, 0.1, 0),
        "gan-1": by_seed(0.40, 0.1, 1),
        "gan-2": by_seed(0.70, 0.1, 2),
        "hybrid": by_seed(0.55, 0.1, 3),
    }
    found = lead(contest(models), models)
    assert (found.leader, found.rival) == ("gan-2", "hybrid")
    hardest = max(better(models["gan-2"], models[name], True) for name in ("vae", "hybrid"))
    np.testing.assert_allclose(found.p, hardest * 2 * 3)
    models["hybrid"] = by_seed(1.2, 0.1, 3)
    assert decide({"a": contest(models)})["a"].choose == "hybrid"


def test_the_correction_is_over_settings():
    # Kills: each setting decided at 5 % alone; a correction that costs the sure ones their answer.
    weak = contest({"vae": by_seed(0.5, 0.1, 0), "gan": by_seed(0.615, 0.1, 1)})
    p = lead(weak, weak.models).p
    assert 0.05 / 3 < p < 0.05
    assert decide({"a": weak})["a"].choose == "gan"
    sure = contest({"vae": by_seed(0.5, 0.01, 0), "gan": by_seed(0.63, 0.01, 1)})
    level = contest({"vae": by_seed(0.5, 0.1, 0), "gan": by_seed(0.5, 0.1, 1)})
    together = decide({"a": weak, "b": sure, "c": level})
    assert [found.choose for found in together.values()] == ["undecided", "gan", "undecided"]
    assert together["a"].why == "correction" and together["c"].why == "overlap"
    np.testing.assert_allclose(together["a"].p, 2 * p)


def test_one_baseline_of_many_must_be_surer():
    # Kills: as many chances as there are baselines.
    models = {"vae": by_seed(0.5, 0.1, 0), "gan": by_seed(0.5, 0.1, 1)}
    one = contest(models, baselines={"baseline: 1": by_seed(0.7, 0.1, 2)})
    p = beaten_by(one, models)["baseline: 1"]
    assert 0.05 / 4 < p < 0.05
    np.testing.assert_allclose(p, 2 * max(better(one.baselines["baseline: 1"], own, True) for own in models.values()))
    assert decide({"a": one})["a"].choose == "neither"
    many = contest(models, baselines={f"baseline: {i}": by_seed(0.6 - 0.1 * i, 0.1, 2) for i in range(1, 5)})
    many = many._replace(baselines={**one.baselines, **many.baselines})
    assert decide({"a": many})["a"].choose == "undecided"


def test_the_best_of_the_baselines_that_beat_all_is_named():
    # Kills: the surest one, which may be the worse; one that beats a single model.
    models = {"vae": by_seed(0.5, 0.01, 0), "gan": by_seed(0.6, 0.01, 1)}
    baselines = {"first": by_seed(0.7, 0.001, 2), "best": by_seed(0.9, 0.05, 3), "between": by_seed(0.55, 0.001, 4)}
    found = decide({"a": contest(models, baselines=baselines)})["a"]
    assert (found.choose, found.baseline) == ("neither", "best")
    assert decide({"a": contest(models, baselines={"between": baselines["between"]})})["a"].choose == "gan"


@pytest.mark.parametrize(("half", "closes"), [(0.60, False), (0.75, True), (0.66, False), (0.4, False)])
def test_a_lead_that_halves_decides_nothing(half, closes):
    # Kills: only the end looked at; a lead that grows, shrinks a little or was none taken for one that closes.
    stages = {
        "vae": {"50": by_seed(0.5), "100": by_seed(0.5)},
        "gan": {"50": by_seed(half), "100": by_seed(0.6)},
    }
    found = contest({"vae": by_seed(0.5, key=1), "gan": by_seed(0.6, key=2)}, stages=stages)
    assert closing(found, "gan", "vae") == closes
    decision = decide({"a": found})["a"]
    assert (decision.choose, decision.lacks) == (("undecided", "time") if closes else ("gan", ""))


def test_the_rules_look_at_the_pair_that_decides():
    # Kills: a lead of a model that was trained too little, for another of its side is better by mean; equality with
    # the tighter model of a side where its best is not equal.
    models = {"vae-1": by_seed(0.84, 0.3, 0), "vae-2": by_seed(0.80, 0.001, 1), "gan": by_seed(0.70, 0.001, 2)}
    found = contest(models)
    assert decide({"a": found})["a"][:2] == ("vae", "better")
    assert decide({"a": found._replace(hurried=["vae-2"])})["a"][:3] == ("undecided", "hurried", "time")
    near = contest({**models, "gan": by_seed(0.79, 0.001, 2)}, margin=Margin(0.02))
    assert decide({"a": near})["a"].choose != "either"


def test_several_models_that_are_not_sure_together_say_so():
    # Kills: "the interval holds zero" beside an interval that does not.
    models = {"vae": by_seed(0.5, 0.1, 0), "gan-1": by_seed(0.62, 0.1, 1), "gan-2": by_seed(0.3, 0.1, 2)}
    found = decide({"a": contest(models)})["a"]
    assert found.gap.low > 0 and found[:2] == ("undecided", "several")


def test_one_side_that_cannot_be_trained_asks_for_no_other_models():
    # Kills: "name a VAE and a GAN" to someone who named both.
    found = contest({"gan": by_seed(0.5)}, sides={"gan": "gan", "vae": "vae"})
    assert decide({"a": found})["a"][:3] == ("not measured", "one side here", "")
    assert decide({"a": contest({"gan": by_seed(0.5)})})["a"][2] == "models"


def test_a_model_that_copies_is_not_chosen():
    # Kills: a GAN that wins by handing out its training examples; a bar on the model that trails.
    found = contest({"vae": by_seed(0.5, key=1), "gan": by_seed(0.6, key=2)}, barred={"gan": "it copies"})
    assert decide({"a": found})["a"][:2] == ("undecided", "barred")
    assert decide({"a": found._replace(barred={"vae": "it copies"})})["a"].choose == "gan"


def test_unpaired_figures_are_not_compared_by_seed():
    # Kills: pairs made of what shares nothing.
    models = {"vae": {0: 0.1, 1: 0.5, 2: 0.9}, "gan": {0: 0.2, 1: 0.601, 2: 1.002}}
    assert decide({"a": contest(models)})["a"].choose == "gan"
    assert decide({"a": contest(models, paired=False)})["a"].choose == "undecided"


def test_a_lead_that_other_test_examples_would_turn_is_none():
    # Kills: the jackknife left out of the lead, of what a baseline beats, or of the interval; figures taken as
    # independent that move together; a baseline taken as known exactly.
    models = {"vae": by_seed(0.5, 0.01, 0), "gan": by_seed(0.6, 0.01, 1)}
    sure = contest(models, baselines={"baseline: 1": by_seed(0.7, 0.01, 2)})
    assert decide({"a": sure})["a"].choose == "neither"
    assert decide({"a": sure._replace(baselines={})})["a"].choose == "gan"
    waves = (0.03 * np.cos(np.arange(10.0))).tolist()
    apart = sure._replace(without={"vae": waves, "gan": [-wave for wave in waves]})
    found = decide({"a": apart})["a"]
    assert found.choose == "undecided" and found.gap.low < 0 < found.gap.high
    np.testing.assert_allclose(found.p, found.gap.p)
    together = sure._replace(without={"vae": waves, "gan": waves}, baselines={})
    assert decide({"a": together})["a"].choose == "gan"
    np.testing.assert_allclose(decide({"a": together})["a"].gap[:5], decide({"a": sure})["a"].gap[:5])
