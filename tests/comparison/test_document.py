"""What the report says beside its figures."""

import dataclasses
import math
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from jaxgen.comparison import document
from jaxgen.comparison.budget import alike, fewest, flat, full_time, unflat
from jaxgen.comparison.caveats import _parts, _search, _shared, _times, limits
from jaxgen.comparison.contender import Contender, Steps
from jaxgen.comparison.document import _barred, _cell, _contest, assemble
from jaxgen.comparison.outcome import Outcome
from jaxgen.comparison.settings import Settings
from jaxgen.data import Data, Split
from jaxgen.tasks import DETECT, MANIPULATE, REPRESENT, RESTORE, SYNTHESISE, TASKS, Metric, Reference, titled
from jaxgen.tasks.task import SHARE


def outcome(seconds=1.0, failed="", chosen=None):
    return Outcome({}, {}, chosen or {}, {}, {}, seconds, failed)


def hollow(inverter, plan, side="vae"):
    """A contender of batches of 20 that plays nothing."""
    return Contender(plan, SimpleNamespace(shape=(1, 20)), None, inverter, None, {}, side=side)


def varied(n):
    return np.arange(2 * n, dtype=np.float32).reshape(n, 2)


ALONE = (SYNTHESISE,)


def said(
    *, seconds=(1.0,), tested=100, seeds=5, lengths=100, inverter=None, failed="", chosen=None, tasks=ALONE, real=()
):
    """The lines on one model of batches of 20 and 100 training examples."""
    splits = [Split(varied(n), np.zeros(n, np.int32)) for n in (100, 20, tested)]
    data = Data("toy", "table", *splits, ("a", "b"), None, None, "", (), official=())
    contender = hollow(inverter, RECIPE)
    by_seed = {i: outcome(s, failed, chosen) for i, s in enumerate(seconds)}
    settings = SimpleNamespace(seconds_per_model=1 / full_time(1, tasks), seeds=seeds, seed=0)
    counts = {"main": Steps(lengths), "detect": Steps(100)}
    return limits(settings, data, {"vae": contender}, {"vae": counts}, {"vae": by_seed}, tasks, dict(real))


RECIPE = SimpleNamespace(turns=(("one",),), domains=())
T = stats.t.ppf(0.975, 1)  # half of the width of an interval over two seeds, over half of their distance
UNSERVED = {SYNTHESISE.name: "too few.", MANIPULATE.name: "it is a table."}
FORMED = {task.name: "no images." for task in TASKS if task.training.form is not None}  # the data here are a table
EDITLESS = {MANIPULATE.name: "it is a table."}


def assembled(lengths=100, inverter=None, unserved=UNSERVED, detect=None, scale=1, half=0.5, without=()):
    """(report, extras) of a GAN that beats a VAE on a table of 100 training examples, in batches of 20."""
    splits = [Split(varied(n) * scale, np.arange(n, dtype=np.int32) % 2) for n in (100, 20, 20)]
    data = Data("toy", "table", *splits, ("a", "b"), None, None, "", (), official=())

    def reached(value):
        figures = {DETECT.name: {"auroc": value}, REPRESENT.name: {"accuracy": value, "path_ratio": 1.0}}
        stages = {DETECT.name: {"25": half, "50": half, "100": 0.5}}
        replicates = {DETECT.name: [value * (1 + x) for x in without]} if without else {}
        return Outcome(figures, stages, {}, {}, {"Samples": splits[0].x[:4]}, 1.0, "", {}, replicates)

    contenders, outcomes = {}, {}
    for name, side, mean in (("vae", "vae", 0.6), ("gan", "gan", 0.8)):
        own = inverter if side == "gan" else None
        contenders[name] = hollow(own, RECIPE, side)
        outcomes[name] = {seed: reached(mean + 0.01 * seed * (side == "gan")) for seed in (0, 1)}
    counts = dict.fromkeys(contenders, {"main": Steps(lengths), "detect": Steps(detect or lengths)})
    space = SimpleNamespace(name="none")
    settings = Settings(models=("vae", "gan"), seeds=2)
    return assemble(settings, Reference(data, space), contenders, counts, outcomes, {0: {}, 1: {}}, FORMED | unserved)


def floored(figures):
    """The tasks, with these figures of real data where the first has its own."""
    return (TASKS[0]._replace(floor=lambda reference: figures), *TASKS[1:])


@pytest.mark.parametrize(
    ("main", "detect", "short"),
    [(50, 25, ()), (49, 25, ("represent",)), (50, 24, ("detect",)), (49, 24, ("represent", "detect"))],
)
def test_the_answer_and_the_limits_agree_on_what_is_too_short(main, detect, short):
    # Kills: a choice on the page whose Limits say that nothing is settled; figures left out with the choice; steps
    # or the data of the main training counted for the one without the anomalies, where 50 of 100 examples remain.
    report, _ = assembled(main, detect=detect)
    notes = "".join(report["notes"])
    assert ("Too short to decide anything: vae went" in notes) == ("represent" in short)
    assert ("Too short to decide anomaly detection: vae, trained without the anomalies, went" in notes) == (
        short == ("detect",)
    )
    for setting, task in (("anomaly detection", "detect"), ("representation learning", "represent")):
        (answer,) = [answer for answer in report["advice"] if answer["setting"] == setting]
        assert answer["choose"] == ("undecided" if task in short else "gan")
        assert answer.get("lacks") == ("time" if task in short else None)
        assert "difference 0.21, 95 % interval 0.14 to 0.27 over" in answer["because"]
    assert report["models"]["gan"][DETECT.name]["auroc"]["mean"] == pytest.approx(0.805)


@pytest.mark.parametrize(
    ("turns", "domains", "lengths"),
    [((("critic",),) * 5 + (("gen",),), (), 10), ((("critic", "gen"),), (), 50), ((("critic",), ("gen",)), "ab", 25)],
)
def test_passes_are_those_of_the_player_that_sees_most(monkeypatch, turns, domains, lengths):
    # Kills: one batch a round counted where the critic is shown five; players that move together counted twice; the
    # images of one domain counted where there are two in a step.
    monkeypatch.setattr(sys.modules[__name__], "RECIPE", SimpleNamespace(turns=turns, domains=domains))
    assert said(lengths=lengths) == [] and said(lengths=lengths - 1)


def test_stages_that_lack_an_encoder_are_marked(monkeypatch):
    # Kills: the mark on the VAE, or on samples, which take no encoder; hurry that the shares do not know of.
    monkeypatch.setattr(document, "TASKS", floored({}))
    budget = assembled(inverter="one", unserved=EDITLESS)[0]["budget"]
    assert budget["gan"][DETECT.name]["without_encoder"] and not budget["vae"][DETECT.name]["without_encoder"]
    assert not assembled()[0]["budget"]["gan"][DETECT.name]["without_encoder"]
    assert not budget["gan"][SYNTHESISE.name]["without_encoder"]
    assert assembled(24)[0]["budget"]["vae"][DETECT.name]["hurried"] and not budget["vae"][DETECT.name]["hurried"]


def test_the_page_knows_what_a_figure_cannot_exceed():
    # Kills: bounds lost on the way to the charts.
    metrics = assembled()[1].metrics
    assert metrics[DETECT.name]["auroc"]["bounds"] == metrics[REPRESENT.name]["accuracy"]["bounds"] == (0, 1)
    assert metrics[REPRESENT.name]["path_ratio"]["bounds"] == (1, math.inf)


@pytest.mark.parametrize(
    ("bounds", "values", "ends"),
    [
        (SHARE, (0.9, 0.98), (0.94 - 0.04 * T, 1)),
        (SHARE, (0.02, 0.1), (0, 0.06 + 0.04 * T)),
        ((1, math.inf), (1.0, 1.08), (1, 1.04 + 0.04 * T)),
        (None, (0.9, 0.98), (0.94 - 0.04 * T, 0.94 + 0.04 * T)),
        (SHARE, (0.9,), (None, None)),
    ],
)
def test_intervals_hold_what_a_figure_can_be(bounds, values, ends):
    # Kills: an end beyond the bounds; a cut where there are none; a bound for an end that one seed does not give.
    cell = _cell(Metric(True, True, "", "", bounds), dict(enumerate(values)), range(len(values)), None)
    assert cell["ci95"] == pytest.approx(ends) if ends[0] is not None else cell["ci95"] == [None, None]


def test_the_answer_knows_what_a_figure_can_be():
    # Kills: bounds lost on the way to the sentence, which then tells of a difference of 2 in AUROC.
    assert _contest(DETECT, SimpleNamespace(), {}, {}).bounds == SHARE


def test_the_kind_of_the_data_reaches_the_advice():
    # Kills: advice on a table that is worded for images, or that spells its name with a capital.
    told = {answer["setting"]: answer["because"] for answer in assembled()[0]["advice"]}
    assert told["super-resolution"] == "It needs images." and told["image synthesis"] == "Too few."
    report, _ = assembled(unserved={SYNTHESISE.name: "toy is too small.", **EDITLESS})
    assert "toy is too small." in [answer["because"] for answer in report["advice"]]


def test_where_all_examples_are_alike_nothing_can_be_learnt():
    # Kills: an answer on constant columns without a word, or that more time may change; one row that differs unseen.
    first = "All training examples are identical: there is nothing to learn"
    for lengths in (1, 100):
        report, _ = assembled(lengths, scale=0, half=0.4)
        text = str(report)
        assert report["notes"][0].startswith(first) and first not in str(report["notes"][1:])
        assert not any(
            word in text for word in ("still improving when", "Too short", "Too few passes", "'lacks': 'time'")
        )
        assert not report["budget"]["gan"][DETECT.name]["still_improving"]
    report, _ = assembled(half=0.4)
    assert first not in str(report) and report["budget"]["gan"][DETECT.name]["still_improving"]
    assert "still improving when the time ran out, but the lead did not halve in" in str(report["advice"])
    splits = [Split(np.eye(1, 50, k=49, dtype=np.float32).T, None)] * 3
    assert not alike(Data("toy", "table", *splits, (), None, None, "", ()))


def test_real_data_that_do_not_pass_for_real_are_said(monkeypatch):
    # Kills: one of the two figures alone looked at; a note on data that pass; a ceiling that does not reach the notes.
    assert said(real={"precision": 0.1, "coverage": 0.97}) == said(real={"recall": 0.0}) == []
    for low in ("precision", "coverage"):
        (line,) = said(real={"precision": 0.9, "coverage": 0.9, "recall": 0.0, low: 0.03})
        assert f"({low} 0.03; 1 is best)" in line and line.endswith(".")
    assert "(precision 0.00 and coverage 0.09;" in said(real={"precision": 0.0, "coverage": 0.09})[0]
    monkeypatch.setattr(document, "TASKS", floored({"coverage": 0.0}))
    assert "(coverage 0.00; 1" in assembled(unserved=EDITLESS)[0]["notes"][0]


def test_where_nothing_is_amiss_nothing_is_said():
    assert said() == []


def test_times_that_are_not_equal_are_said():
    # Kills: only the time that was meant looked at, so that half of it goes unsaid; the longest seed for the mean; a
    # limit so high that it is never met; equal times that are called unequal.
    def timed(*models, intended=2.0):
        outcomes = {f"m{i}": {seed: outcome(s) for seed, s in enumerate(times)} for i, times in enumerate(models)}
        return _times(dict.fromkeys(outcomes, intended), outcomes)

    (line,) = timed((1.0, 1.02), (1.9, 2.06))
    assert line == (
        "Training times differ between models. Time for each seed: m0 1.01 s of 2 s intended, m1 1.98 s of 2 s "
        "intended."
    )
    assert timed((2.0,), (1.91,), (1.95,)) == [] and len(timed((2.0,), (1.9,), (1.95,))) == 1
    assert timed((2.8, 3.1), (2.9, 3.1)) == []
    (line,) = timed((3.0, 3.2), (2.9, 3.1))
    assert line.startswith("Training took longer than intended. Time for each seed: m0 3.1 s of 2 s intended")


def test_too_few_passes_are_said():
    # Kills: lengths counted as passes; the limit off by one.
    assert said(lengths=50) == [] and "vae went through the training data fewer than 10 times" in said(lengths=49)[0]


def test_a_small_test_split_is_said():
    # Kills: figures of eight examples that look like those of a thousand.
    assert said(tested=99)[0].startswith("The test split has only 99 examples: each of them changes the figures")
    assert said(tested=100) == []


@pytest.mark.parametrize("seeds", [2, 3])
def test_wide_intervals_are_said(seeds):
    # Kills: standard errors for standard deviations; a normal quantile, by which two seeds look no worse than five.
    sides = [stats.t.interval(0.95, n - 1, scale=1 / math.sqrt(n))[1] for n in (seeds, 5)]
    (line,) = said(seeds=seeds)
    assert line.startswith(f"Intervals of {seeds} seeds are wide: {sides[0]:.1f} standard deviations to each side")
    assert line.endswith(f"compared with {sides[1]:.1f} for 5 seeds. They are cut at the bounds of a figure.")
    assert said(seeds=4) == said(seeds=1) == []


def test_copies_bar_a_model():
    # Kills: a share of copies compared with .05 and not with real data; one seed of copies; a baseline that is barred.
    data = Data("toy", "image", *[Split(varied(9), None)] * 3, (), None, None, "", ())
    by_seed = {"gan": {0: 0.3, 1: 0.32}, "vae": {0: 0.1, 1: 0.4}, "baseline: copies": {0: 1.0, 1: 1.0}}
    values = {name: {SYNTHESISE.name: {"near_copies": own}} for name, own in by_seed.items()}
    barred = _barred(SYNTHESISE, data, values, ("gan", "vae"), {"near_copies": 0.09})
    assert barred == {"gan": "its samples are copies of training examples (near-copies 0.31, real data have 0.09)"}
    assert _barred(SYNTHESISE, data, values, ("gan", "vae"), {"near_copies": 0.2}) == {}
    unknown = _barred(SYNTHESISE, data, values, ("gan",), {})["gan"]  # real data have none: it is no figure of theirs
    assert unknown.endswith("(near-copies 0.31, at most 0.10 is allowed)")
    few = {"gan": {SYNTHESISE.name: {"near_copies": {0: 0.06, 1: 0.062}}}}
    assert _barred(SYNTHESISE, data, few, ("gan",), {"near_copies": 0.0}) == {}  # .05 is usual, 30 real images or not


def test_an_unequal_search_is_said():
    # Kills: three candidates against one without a word; a word where both sides have two.
    made = {name: hollow(None, None, side) for name, side in (("a", "vae"), ("b", "gan"), ("c", "gan"))}
    assert _search(made)[0].startswith(
        "The sides have different numbers of models: 1 model of side vae and 2 models of side gan."
    )
    assert _search({name: made[name] for name in "ab"}) == []


def test_every_line_begins_with_a_capital():
    # Kills: a line that begins with the name of a recipe.
    chosen = {SYNTHESISE.name: "", DETECT.name: "elbo"}
    lines = said(tested=9, seeds=2, lengths=1, seconds=(9.0, 9.0), inverter="one", failed="lost.", chosen=chosen)
    lines += said(chosen=chosen, tasks=(SYNTHESISE,)) + said(chosen={SYNTHESISE.name: "critic"}, tasks=(SYNTHESISE,))
    assert len(lines) == 8 and all(line[0].isupper() and line.endswith(".") for line in lines)
    assert "Seed 1 of vae failed: lost." in lines
    assert lines[-1] == "In “Synthesise”, validation data chose these scores or layers of vae: critic (1 of 1 seed)."


def test_metrics_are_called_by_their_names():
    # Kills: "Auroc", "Accuracy 20[latent]"; the title of another task.
    names = ["accuracy_20[latent]", "accuracy_1", "active_latents"]
    assert [titled(REPRESENT, name) for name in names] == [
        "accuracy with 20 labels per class (latent)",
        "accuracy with 1 label per class",
        "active latents",
    ]
    assert [titled(DETECT, name) for name in ("auroc", "auroc[hidden_layer]")] == ["AUROC", "AUROC (hidden layer)"]


def test_the_page_has_what_the_rows_say():
    # Kills: a table by task beside the rows, in which a new one is missing.
    extras = assembled()[1]
    assert extras.tasks == {
        task.name: {"title": task.title, "about": task.about, "setting": task.setting} for task in (DETECT, REPRESENT)
    }
    assert extras.steps["main"] == "" and extras.steps["detect_encoder"] == "of an encoder without the anomalies"
    assert {metric["name"] for metric in extras.metrics[DETECT.name].values()} == {"AUROC"}


def test_the_report_says_what_each_seed_was_measured_on():
    # Kills: the class of another seed; a group of a task that has none; anomalies that the command line forgets.
    report, _ = assembled()
    assert report["groups"] == {DETECT.name: {"0": "a", "1": "b"}}
    assert report["settings"]["anomaly"] == () and "anomaly" not in report["protocol"]["command"]
    settings = Settings(models=("vae", "gan"), anomaly=("b c", "d"))
    assert "--anomaly 'b c,d'" in document._command(settings)
    asked = dataclasses.replace(settings, size=16, labels="a b.csv")
    assert " --size 16 --labels 'a b.csv' " in document._command(asked) and "--size" not in document._command(settings)
    assert "size=16, labels='a b.csv')" in document._command(dataclasses.replace(asked, data=None))
    assert "anomaly=('b c', 'd')" in document._command(dataclasses.replace(settings, data=None))


def test_a_seed_that_diverged_early_is_not_one_that_was_short_of_time():
    # Kills: a comparison called too short because one seed of it diverged; the most steps for the fewest; more
    # time asked for where every seed diverged.
    by_seed = {
        seed: outcome(failed=failed)._replace(steps={"main": Steps(n)})
        for seed, (n, failed) in enumerate([(800, ""), (25, "diverged."), (700, "")])
    }
    assert fewest(by_seed) == {"main": Steps(700)} and fewest({1: by_seed[1]}) == {}


def test_lengths_are_read_as_they_were_written():
    # Kills: the encoder, or the stages, of one training under the name of another's.
    lengths = {"main": Steps(8, 4, (2, 4)), "detect": Steps(16, 12, (4, 8))}
    by_key = {"main": 8, "encoder": 4, "detect": 16, "detect_encoder": 12}
    found, unplayed = flat(lengths), {task.training.name for task in TASKS} - set(lengths)
    assert found == {**dict.fromkeys(found, 0), **by_key} and set(found) >= by_key.keys() | unplayed
    read = unflat(found, {"main": [2, 4], "detect": [4, 8]})
    assert read == {**dict.fromkeys(unplayed, Steps()), **lengths}


def test_a_test_split_that_all_seeds_share_is_said_and_counted_in():
    # Kills: the note where seeds draw their own split; a claim on what was not measured without a group; figures
    # without a group that do not reach the contest.
    notes = []
    splits = [Split(varied(n), np.zeros(n, np.int32)) for n in (100, 20, 100)]
    for official in ((), ("valid",), ("test",)):
        data = Data("toy", "table", *splits, ("a",), None, None, "", (), official=official)
        outcomes = {"vae": {0: outcome(), 1: outcome()._replace(without={SYNTHESISE.name: [0.5, 0.6]})}}
        notes.append(_shared(data, outcomes, (SYNTHESISE, DETECT)))
    assert notes[:2] == [[], []] and "all seeds share it" in notes[2][0] and "10 groups" in notes[2][0]
    assert "For image synthesis the interval" in notes[2][0]
    assert "For anomaly detection it does not include it." in notes[2][0]
    assert "include" not in _shared(data, {"vae": {0: outcome()}}, (SYNTHESISE,))[0]
    by_seed = {0: outcome(), 1: outcome()._replace(without={"detect": [0.5, 0.6]})}
    assert document._without(by_seed, "detect") == [0.5, 0.6] and document._without(by_seed, "restore") == ()
    tests = []
    for without in ((), (0.1, 0.2)):
        report, _ = assembled(without=without)
        by_task = {
            answer["task"]: answer["difference"]["test"] for answer in report["advice"] if "difference" in answer
        }
        tests.append((by_task[DETECT.name], by_task[REPRESENT.name]))
    assert tests == [("paired t test",) * 2, ("paired t test over seeds and test examples", "paired t test")]


def test_what_is_looked_at_in_part_is_said():
    # Kills: a part of the test examples that no reader is told of; figures of parts of small examples, which are whole;
    # words on tasks that were not measured.
    def noted(shape, tested, tasks):
        split = Split(np.zeros((tested, *shape), np.uint8), np.zeros(tested, np.int32))
        return _parts(Data("toy", "image", split, split, split, ("a", "b"), None, None, "", ()), tasks)

    (note,) = noted((64, 64, 3), 3000, (SYNTHESISE, DETECT, RESTORE))
    assert note == (
        "A fixed random part of the 3,000 test examples is evaluated: 2,048 after training, and 512 at the stages "
        "during training. Anomaly detection scores at most 1,024 of them, with 4 posterior samples each. In "
        "super-resolution, several results are drawn for 256 small images only."
    )
    (note,) = noted((64, 64, 3), 600, (SYNTHESISE,))
    assert note.endswith("is evaluated: 600 after training, and 512 at the stages during training.")
    assert noted((64, 64, 3), 512, (SYNTHESISE,)) == noted((8, 8, 1), 5000, (SYNTHESISE, DETECT)) == []
    assert noted((8, 8, 1), 5001, (DETECT,))[0].endswith(
        "5,000 after training, and 5,000 at the stages during training."
    )
