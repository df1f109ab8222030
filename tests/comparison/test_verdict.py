"""What figures allow one to say, on made-up figures."""

import numpy as np
import pytest

from jaxgen.comparison.contest import Contest
from jaxgen.comparison.decision import decide
from jaxgen.comparison.statistics import interval
from jaxgen.comparison.verdict import advise, because, foreseen
from jaxgen.report.cells import places
from jaxgen.tasks.task import Margin

SEEDS = range(5)


def by_seed(mean, wobble=0.01):
    return {seed: mean + wobble * (-1) ** seed for seed in SEEDS}


def contest(vae, gan, baselines=None, *, up=True, unfinished=()):
    models, sides = {"vae": vae, "r3gan": gan}, {"vae": "vae", "r3gan": "gan"}
    return Contest("accuracy", up, models, sides, baselines or {}, unfinished=unfinished)


def judge(found):
    """What is chosen and why, where nothing else is decided."""
    decision = decide({"represent": found})["represent"]
    return decision.choose, because(found, decision)


def lacking(found):
    return decide({"represent": found})["represent"].lacks


@pytest.mark.parametrize(("up", "better"), [(True, "gan"), (False, "vae")])
def test_the_better_side_is_chosen(up, better):
    # Kills: the direction of the metric ignored.
    choose, because = judge(contest(by_seed(0.8), by_seed(0.9, 0.02), up=up))
    assert choose == better and "95 % interval" in because and "5 seeds" in because


def test_other_figures_that_speak_for_the_loser_are_named():
    # Kills: a verdict on one figure that hides the others; a dissent of those that do not tell, or tell the same.
    found = contest(by_seed(5.0), by_seed(3.0), up=False)
    others = {
        "coverage": (True, {"vae": by_seed(0.9), "r3gan": by_seed(0.6)}),
        "precision": (True, {"vae": by_seed(0.9), "r3gan": by_seed(0.8)}),
        "recall": (True, {"vae": by_seed(0.5), "r3gan": by_seed(0.6, 0.02)}),
        "kernel": (False, {"vae": by_seed(0.50, 0.1), "r3gan": by_seed(0.51, -0.1)}),
        "modes": (True, {"vae": by_seed(8)}),
    }
    choose, because = judge(found._replace(others=others))
    assert choose == "gan" and because.endswith("However, vae is better in coverage and precision.")
    assert judge(found._replace(others={"precision": others["precision"]}))[1].endswith(
        "However, vae is better in precision."
    )
    assert "However" not in judge(found)[1]


def test_an_end_next_to_zero_keeps_its_side():
    # Kills: "-0.0000", which leaves open what the verdict rests on; a residue of rounding that asks for 17 decimals.
    lost = dict(enumerate(0.5 + np.array([-0.0101336, -0.0075868, -0.00504, -0.0024932, 0.0000536])))
    assert "-0.01004 to -0.00004 over" in judge(contest(by_seed(0.5, 0), lost))[1]
    residue = judge(contest({0: 0.3, 1: 0.5}, {0: 0.1 + 0.2, 1: 0.5}))[1]
    assert "vae 0.40, r3gan 0.40; difference 2.78e-17, 95 %" in residue


def test_no_mean_is_rounded_away_beside_a_wide_interval():
    # Kills: places of the interval alone, by which an AUROC of .75 from two seeds reads "0.8" or "1".
    said = judge(contest({0: 0.3, 1: 1.2}, {0: 0.5, 1: 0.5}))[1]
    assert "vae 0.75, r3gan 0.50; difference -0.25, 95 % interval -5.97 to 5.47 over 2 seeds" in said


@pytest.mark.parametrize(
    ("vae", "gan", "said"),
    [
        ({0: 0.9983, 1: 0.9982}, {0: 0.9940, 1: 0.9959}, "vae 0.9982, r3gan 0.9950; difference -0.0033, 95"),
        ({0: 0.95, 1: 1.0}, {0: 0.971, 1: 0.981}, "vae 0.9750, r3gan 0.9760; difference 0.0010, 95"),
        ({0: 105.02, 1: 104.98}, {0: 121.0, 1: 141.2}, "vae 105, r3gan 131; difference 26, 95"),
        ({0: 3.1e8, 1: 4e12}, {0: 4e8, 1: 4e12}, "vae 2.00e+12, r3gan 2.00e+12; difference 45,000,000, 95"),
    ],
)
def test_figures_of_one_sentence_have_one_number_of_decimals(vae, gan, said):
    # Kills: each figure rounded by its own interval: .998 and .99 and a difference of .0033; too few decimals for it;
    # decimals of the difference alone where the table has more; a power of ten for what is not huge.
    assert said in judge(contest(vae, gan))[1]


def test_the_sentence_has_the_decimals_of_the_table():
    # Kills: models or baselines left out, which stand in the same table.
    found = contest(by_seed(20.0, 9), by_seed(30.0, 9), {"baseline: PCA": by_seed(80.0, 0.01)})
    rows = [{"mean": x[0], "ci95": x[1:3]} for x in map(interval, (list(v.values()) for v in found.models.values()))]
    base = interval(list(by_seed(80.0, 0.01).values()))
    assert (places(rows), places([*rows, {"mean": base.mean, "ci95": base[1:3]}])) == (0, 1)
    assert "vae 21.8, r3gan 31.8; difference 10.0, 95 % interval 10.0 to 10.0 over" in judge(found)[1]


@pytest.mark.parametrize(
    ("bounds", "ends"), [((0.0, 1.0), "-1.000 to 1.000"), ((0.0, 100.0), "-1.866 to 1.946"), (None, "-1.866 to 1.946")]
)
def test_a_difference_ends_where_it_must(bounds, ends):
    # Kills: a difference of two AUROC from -2 to 2; the bounds of the figure for those of its difference; a choice
    # that rests on what is cut.
    for up in (True, False):
        found = contest({0: 0.7, 1: 0.5}, {0: 0.89, 1: 0.39}, up=up)._replace(bounds=bounds)
        choose, because = judge(found)
        assert choose == "undecided" and f"difference 0.040, 95 % interval {ends} over" in because
    assert judge(contest(by_seed(3.0, 0), by_seed(1.0, 0), up=False)._replace(bounds=(0.0, np.inf)))[0] == "gan"


def test_an_interval_that_holds_zero_says_undecided():
    # Kills: a verdict by the sign of the mean; "equal" from too few seeds to tell.
    found = contest(by_seed(0.80, 0.05), by_seed(0.81, -0.05))
    assert judge(found)[0] == "undecided" and "The interval of the difference contains zero. Acc" in judge(found)[1]
    choose, because = judge(found._replace(margin=Margin(0.02)))
    assert choose == "undecided" and "contains zero and extends beyond the margin of 0.02" in because


def test_an_interval_within_the_margin_says_equal():
    # Kills: equality that is never found; a difference that is sure and does not matter taken for a winner; a relative
    # margin taken for one in units; equality with a model that failed.
    sure = contest(by_seed(0.80, 0.001), by_seed(0.81, 0.002))
    assert judge(sure)[0] == "gan" and judge(sure._replace(margin=Margin(0.005)))[0] == "gan"
    choose, because = judge(sure._replace(margin=Margin(0.02)))
    assert choose == "either" and because.startswith("The interval of the difference lies within the margin of 0.02")
    assert judge(sure._replace(margin=Margin(0.02, relative=True)))[0] == "either"
    assert judge(sure._replace(margin=Margin(0.005, relative=True)))[0] == "gan"
    level = contest(by_seed(0.80, 0.001), by_seed(0.80, 0.002))._replace(margin=Margin(0.02))
    assert judge(level)[0] == "either"
    lost = level._replace(models={"vae": by_seed(0.80, 0.001), "r3gan": {0: 0.8, 1: 0.801, 2: 0.799, 3: 0.8}})
    assert judge(lost)[0] == "undecided"


def test_a_baseline_that_beats_both_says_neither_and_is_named():
    # Kills: baselines that are only shown.
    choose, because = judge(contest(by_seed(0.8), by_seed(0.9), {"baseline: nearest neighbour": by_seed(0.95, 0)}))
    assert choose == "neither" and "nearest neighbour" in because


def test_a_baseline_that_beats_one_side_does_not_decide():
    # Kills: `or` for `and`.
    assert judge(contest(by_seed(0.8), by_seed(0.9), {"baseline: PCA": by_seed(0.85, 0)}))[0] == "gan"


def test_a_baseline_within_the_interval_does_not_decide():
    # Kills: a baseline compared by means.
    noisy = {0: 0.5, 1: 0.9, 2: 0.7, 3: 0.95, 4: 0.6}
    assert judge(contest(noisy, noisy, {"baseline: PCA": by_seed(0.74, 0)}))[0] != "neither"


def test_no_verdict_rests_on_an_unfinished_model_in_silence():
    # Kills: the caution dropped on any of the three ways out.
    for case in (
        contest(by_seed(0.8), by_seed(0.9, 0.02), unfinished=["vae"]),
        contest(by_seed(0.8, 0.05), by_seed(0.81, -0.05), unfinished=["vae"]),
        contest(by_seed(0.8), by_seed(0.9), {"baseline: PCA": by_seed(0.95, 0)}, unfinished=["vae"]),
    ):
        assert "vae was still improving when the time ran out" in judge(case)[1]


def test_a_hurried_model_settles_nothing():
    # Kills: a choice, a tie or a baseline's win from a run that is too short, on any of the three ways out; figures
    # that go with the answer; a model that only might still improve taken for one, or a third one that was hurried.
    cases = (
        contest(by_seed(0.8), by_seed(0.9, 0.02)),
        contest(by_seed(0.8, 0.05), by_seed(0.81, -0.05)),
        contest(by_seed(0.8), by_seed(0.9), {"baseline: PCA": by_seed(0.95, 0)}),
    )
    for case in cases:
        choose, because = judge(case._replace(hurried=["vae"], unfinished=["vae"]))
        assert choose == "undecided" and because.startswith("Too few passes through the training data by vae. Acc")
        assert "vae 0.8" in because and "95 % interval" in because and "still improving" not in because
        assert lacking(case._replace(hurried=["vae"])) == "time" and not lacking(case._replace(unfinished=["vae"]))
        (answer,) = [a for a in advise({"represent": case._replace(hurried=["vae"])}, {}) if "lacks" in a]
        assert answer["setting"] == "representation learning" and answer["lacks"] == "time"
        beside = case._replace(hurried=["wgan_gp"])  # on which no answer rests
        assert judge(beside) == judge(case) and lacking(beside) == ""


def test_what_lacks_is_the_first_thing_to_mend():
    # Kills: more seconds asked for where more seconds give no answer.
    alone = Contest("accuracy", True, {"vae": by_seed(0.8)}, {"vae": "vae"}, {}, hurried=["vae"])
    assert lacking(alone) == "models"
    assert lacking(contest({0: 0.5}, {0: 0.6})._replace(hurried=["vae"])) == "seeds"
    assert lacking(contest({}, {})) == ""


def test_what_no_training_can_mend_is_known_before():
    # Kills: silence until the end of an hour; a warning of what is well; one reason that hides the other.
    assert foreseen(2, {"vae", "gan"}) == foreseen(5, {"vae", "gan", "hybrid"}) == []
    assert [line.split(":")[0] for line in foreseen(1, {"vae"})] == [
        "An answer needs models of two sides",
        "One seed gives no interval",
    ]
    assert (
        len(foreseen(5, {"vae"})) == 1 and len(foreseen(1, {"vae", "gan"})) == 1 and not foreseen(5, {"vae", "hybrid"})
    )


@pytest.mark.parametrize(
    ("vae", "gan", "choose", "word"),
    [
        ({0: 0.5}, {0: 0.6}, "undecided", "One seed"),
        ({}, {0: 0.6}, "undecided", "One seed"),
        ({}, {}, "not measured", "No model"),
    ],
)
def test_too_few_seeds_decide_nothing(vae, gan, choose, word):
    # Kills: a verdict from NaN intervals; an answer of one seed that holds no figure.
    found = judge(contest(vae, gan))
    assert found[0] == choose and word in found[1]
    if vae and gan:
        assert found[1].endswith("better six. Accuracy, higher is better: vae 0.500, r3gan 0.600.")


def test_all_six_settings_appear_and_say_why_not():
    # Kills: a setting that falls out; a reason that is lost.
    answers = advise(
        {"represent": contest(by_seed(0.8), by_seed(0.9, 0.02))}, {"detect anomalies": "there are no labels."}
    )
    chosen = {answer["setting"]: answer["choose"] for answer in answers}
    assert chosen == {
        "image synthesis": "not measured",
        "style transfer": "not measured",
        "super-resolution": "not measured",
        "anomaly detection": "not measured",
        "representation learning": "gan",
        "semantic manipulation": "not measured",
    }
    assert {"There are no labels."} <= {answer["because"] for answer in answers}


def test_the_name_of_the_data_is_spelt_as_it_is():
    # Kills: "Const.npz has no labels." of const.npz, or "Photos" of a folder.
    for name in ("const.npz", "photos"):
        reasons = {"represent": f"{name} has no labels.", "synthesise": "too few."}
        told = {answer["because"] for answer in advise({}, reasons, "table", name)}
        assert {f"{name} has no labels.", "Too few."} <= told


def test_what_needs_images_says_so():
    # Kills: style transfer of a table, for which "No task measures this yet" promises one; identifiers that change.
    for kind in ("table", "points"):
        told = {answer["setting"]: answer["because"] for answer in advise({}, {}, kind)}
        without = [setting for setting, because in told.items() if because == "It needs images."]
        assert without == ["style transfer", "super-resolution", "semantic manipulation"]
        assert list(told) == [answer["setting"] for answer in advise({}, {}, "image")]
    assert not any("images" in answer["because"] for answer in advise({}, {}, "image"))


def test_one_side_alone_is_no_contest():
    # Kills: a crash, or a win by default.
    alone = Contest("accuracy", True, {"vae": by_seed(0.8)}, {"vae": "vae"}, {})
    assert judge(alone)[0] == "not measured"


def test_failed_seeds_are_said_and_count_as_the_worst():
    # Kills: survivors that win in silence; a failure counted as the model's own worst figure.
    half = contest(by_seed(0.8), {0: 0.9, 1: 0.93, 2: 0.95})._replace(seeds=SEEDS)
    choose, because = judge(half)
    assert (
        choose == "undecided" and "Failed trainings: r3gan on 2 of 5 seeds. Each counts as the worst figure" in because
    )
    assert "r3gan 0.872" in because  # (.9 + .93 + .95 + 2 * .79) / 5
    staged = half._replace(stages={"vae": {"25": {0: 0.3}}})
    assert "r3gan 0.68" in judge(staged)[1]  # of a stage, .3
    assert "Failed" not in judge(contest(by_seed(0.8), by_seed(0.9, 0.02))._replace(seeds=SEEDS))[1]
    assert judge(contest(by_seed(0.8), {})._replace(seeds=SEEDS, stages={"vae": {"25": {0: 0.3}}}))[0] == "vae"


def test_a_distance_is_likened_to_what_one_knows():
    # Kills: a distance of 2.3 that tells nobody how far that is; the words of one model for the other.
    said = judge(contest(by_seed(0.8), by_seed(0.9))._replace(words=lambda mean: f"as far as {mean:.1f}"))[1]
    assert "Samples of vae are as far as 0.8; samples of r3gan are as far as 0.9." in said
    assert "amples of" not in judge(contest(by_seed(0.8), by_seed(0.9))._replace(words=lambda mean: ""))[1]


def test_a_bar_is_said():
    found = contest(by_seed(0.8), by_seed(0.9))._replace(barred={"r3gan": "it copies"})
    assert judge(found)[0] == "undecided" and judge(found)[1].startswith("r3gan leads, but it copies. Accuracy")


def test_the_fields_hold_what_was_decided():
    # Kills: a difference the other way round than its models; a p value before the correction; fields of no use.
    other = contest(by_seed(0.5, 0.1), by_seed(0.5, -0.1))
    entries = advise({"represent": contest(by_seed(0.8), by_seed(0.9, 0.02)), "detect anomalies": other}, {})
    by = {entry["setting"]: entry for entry in entries}
    entry = by["representation learning"]
    gap = entry["difference"]
    assert entry["task"] == "represent" and gap["of"] == ["r3gan", "vae"] and gap["leader"] == "r3gan"
    np.testing.assert_allclose(gap["mean"], 0.1 + 0.01 / 5)
    assert gap["low"] < gap["mean"] < gap["high"] and gap["p_corrected"] == 2 * gap["p"] and gap["margin"] is None
    assert gap["baseline"] is None and gap["failed"] == {} and gap["why"] == "better"
    assert "after Holm's correction" in entry["because"] and "difference" not in by["image synthesis"]
    beaten = advise({"represent": contest(by_seed(0.8), by_seed(0.9), {"baseline: PCA": by_seed(0.95, 0)})}, {})
    assert [e["difference"]["baseline"]["name"] for e in beaten if "difference" in e] == ["baseline: PCA"]
