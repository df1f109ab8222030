"""The main job in its smallest form: what it writes, and that it can be run again."""

import itertools
import json
import math
import os
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from PIL import Image

import jaxgen
from jaxgen import data as sources
from jaxgen.comparison import conduct, console, schedule
from jaxgen.comparison.budget import flat, unflat
from jaxgen.comparison.outcome import Outcome
from jaxgen.comparison.session import _settings, compare, repeat, resume
from jaxgen.comparison.settings import Settings, known, recipes_of
from jaxgen.comparison.verdict import ONE_SEED
from jaxgen.core import BadRequest
from jaxgen.recipes import find
from jaxgen.report import Extras
from jaxgen.system.signals import Stopped

LINES: list[dict] = []  # that the comparison of `made` hands over
SMALLEST = {"data": "cancer", "models": ("vae", "gan"), "seconds": 0.05, "seeds": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("compare") / "out"
    comparison = compare(**SMALLEST, out=out, on_record=LINES.append)
    assert comparison.out == out and comparison.advice == comparison.report["advice"]
    assert repr(comparison).startswith(f"Comparison(cancer, {out}: ") and "\n" not in repr(comparison)
    return out


@pytest.fixture(scope="module")
def report(made):
    return json.loads((made / "report.json").read_text(), parse_constant=lambda name: pytest.fail(name))


def test_it_writes_what_the_contract_says(report):
    # Kills: a cell without its reference; baselines apart from the models; a setting that falls out; NaN in the JSON.
    assert list(report["models"])[:2] == ["vae", "gan"]
    assert {"baseline: nearest neighbours", "baseline: PCA", "baseline: raw values"} <= set(report["models"])
    for name in ("vae", "gan"):
        assert set(report["models"][name]) == {"synthesise", "detect anomalies", "represent"}
        for task in report["models"][name].values():
            for cell in task.values():
                assert {"mean", "ci95", "n", "failed", "reference", "higher_is_better"} <= set(cell)
                assert cell["n"] + cell["failed"] == 2 and len(cell["ci95"]) == 2
    assert [a["setting"] for a in report["advice"]] == [
        "image synthesis",
        "style transfer",
        "super-resolution",
        "anomaly detection",
        "representation learning",
        "semantic manipulation",
    ]
    assert all(
        a["choose"] in ("vae", "gan", "either", "neither", "undecided", "not measured") for a in report["advice"]
    )


def test_every_training_hands_over_its_lines(report):
    # Kills: a callback that some training or seed does not call; lines without what they are of, or of other steps than
    # those that the report records.
    last = {(line["model"], line["seed"], line["training"], line["part"]): line["step"] for line in LINES}
    played = report["protocol"]["steps"]
    expected = {}
    for name, by_seed in played.items():
        for seed, lengths in by_seed.items():
            for training, steps in unflat(lengths, report["protocol"]["stages"][name][seed]).items():
                parts = {"model": steps.model, "encoder": steps.encoder}
                expected |= {(name, int(seed), training, part): n for part, n in parts.items() if n}
    assert last == expected
    assert all({"steps_per_s", "finite"} < line.keys() and any("/loss" in key for key in line) for line in LINES)
    for before, line in itertools.pairwise(LINES):
        same = all(before[key] == line[key] for key in ("model", "seed", "training"))
        assert line["seconds"] > (before["seconds"] if same else 0.0)
        assert same or line["seconds"] == pytest.approx(line["step"] / line["steps_per_s"], rel=1e-3, abs=2e-6)


def test_means_and_intervals_are_those_of_the_values(report):
    # Kills: a mean over models; an interval over the wrong seeds.
    for tasks in report["models"].values():
        for metrics in tasks.values():
            for cell in metrics.values():
                values = [v for v in cell["values"].values() if v is not None]
                assert len(values) == cell["n"]
                if values:
                    assert math.isclose(cell["mean"], np.mean(values), rel_tol=1e-9, abs_tol=1e-12)
                    assert cell["ci95"][0] is None or cell["ci95"][0] <= cell["mean"] <= cell["ci95"][1]


def test_headlines_are_read_at_every_stage(report):
    # Kills: stages of another task; a stage that is never reached. A VAE's last stage is what its table shows.
    for name in ("vae", "gan"):
        for entry in report["budget"][name].values():
            assert all(entry["at"][stage] is not None for stage in ("25", "50", "100"))
    for task in ("synthesise", "detect anomalies"):
        entry = report["budget"]["vae"][task]
        assert entry["at"]["100"] == report["models"]["vae"][task][entry["metric"]]["mean"]


def test_the_rounds_are_recorded(report):
    # Kills: lengths that cannot be run again; those of one seed for all; stages left out.
    protocol = report["protocol"]
    for name, encoders in (("vae", False), ("gan", True)):
        assert list(protocol["steps"][name]) == ["0", "1"]
        for seed, by_training in protocol["steps"][name].items():
            main = unflat(by_training, protocol["stages"][name][seed])["main"]
            assert (main.encoder > 0) is encoders and len(main.stages) == 2 and 0 < main.stages[0] <= main.model
    assert report["protocol"]["seconds_per_model"] == 0.05 and report["protocol"]["sides"] == {
        "vae": "vae",
        "gan": "gan",
    }


def test_the_page_is_there_and_needs_no_network(made):
    # Kills: a page without the answer; an external reference.
    page = (made / "report.html").read_text()
    assert 'src="http' not in page and "detect anomalies" in page.lower() and len(page) < 5_000_000


@pytest.mark.slow
def test_repeat_gives_the_same_figures(made, tmp_path, capsys):
    # Kills: anything read from the clock after calibration.
    repeat(made, out=str(tmp_path / "again"))
    assert "all figures are the same" in capsys.readouterr().out


@pytest.mark.slow
def test_other_data_cannot_repeat(tmp_path):
    # Kills: a repetition on data that have changed.
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", x=rng.normal(size=(60, 5)).astype("f"), y=np.arange(60) % 2)
    out = tmp_path / "out"
    compare(tmp_path / "a.npz", models=("vae",), seconds=0.01, seeds=1, out=out)
    np.savez(tmp_path / "a.npz", x=rng.normal(size=(60, 5)).astype("f"), y=np.arange(60) % 2)
    with pytest.raises(BadRequest, match="has changed"):
        repeat(out, out=str(tmp_path / "again"))


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"models": ("vae", "vae")}, "named twice"),
        ({"models": ()}, "at least one"),
        ({"models": ("vaee",)}, "did you mean 'vae'"),
        ({"seconds_per_model": math.nan}, "seconds=nan"),
        ({"seconds_per_model": 0}, "seconds=0"),
        ({"seeds": 0}, "seeds=0"),
        ({"seed": -1}, "seed=-1"),
        ({"seed": 2**31 - 2, "seeds": 5}, "seed=2147483646"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes, word):
    # Kills: a check that runs after the data are loaded.
    with pytest.raises(BadRequest, match=word):
        Settings(**changes)


@pytest.mark.parametrize(
    ("models", "word"),
    [
        ("vae", "pass a tuple of names"),
        (3, "pass a tuple of names"),
        ({}, "at least one"),
        ({"mine": "vaee"}, "did you mean 'vae'"),
        ({"mine": 3}, "'mine' is a int: pass a recipe"),
        ({"baseline: mine": "vae"}, "choose another word"),
        ({"../x": "vae"}, "choose another word"),
        (("r3gan:gamma",), "'gamma' of 'r3gan:gamma' is no option=value"),
        (("r3gan:gamma=1|",), "is no option=value"),
        (("r3gan:gamma=much",), "'much' of 'r3gan:gamma=much' must be a number"),
        (("r3gan:gama=1",), "has no option 'gama'"),
        (("r3gan:gamma=1", "r3gan:gamma=1"), "named twice"),
    ],
)
def test_models_that_cannot_be_are_refused(models, word):
    # Kills: a string read as names of one letter; a traceback from the first training; a model among the baselines.
    with pytest.raises(BadRequest, match=word):
        recipes_of(models)


def test_recipes_that_another_process_finds_are_known_by_name():
    # Kills: a recipe of one's own that is repeated as the row of its name.
    assert known(recipes_of(["vae", "gan"])) == ("vae", "gan") == known(recipes_of({"vae": "vae", "gan": find("gan")}))
    assert known(recipes_of({"vae": lambda spec: find("vae")(spec, latent_dim=7)})) is None
    assert known(recipes_of({"mine": "vae"})) is None
    several = recipes_of(["vae", "r3gan:gamma=0.1|2"])
    assert known(several) == ("vae", "r3gan:gamma=0.1", "r3gan:gamma=2") == tuple(recipes_of(known(several)))
    assert known({"r3gan:gamma=0.1": several["r3gan:gamma=2"]}) is None


def test_an_option_reaches_the_recipe():
    # Kills: candidates that are all the same recipe; a value that stays a string; options that change places.
    first, second = recipes_of(["r3gan:gamma=0.1|2:ema=0"]).values()
    assert (first.keywords, second.keywords) == ({"gamma": 0.1, "ema": 0.0}, {"gamma": 2.0, "ema": 0.0})
    assert recipes_of(["vae:latent-dim=7"])["vae:latent-dim=7"].keywords == {"latent_dim": 7}


def test_a_folder_that_is_no_comparison_is_refused(tmp_path):
    # Kills: a traceback from json.
    with pytest.raises(BadRequest, match="no comparison"):
        repeat(tmp_path)


def test_what_is_wrong_with_the_settings_of_a_comparison_is_said(tmp_path):
    # Kills: "missing or damaged" for a report that names a recipe which this version does not have.
    written = {"settings": {"models": ["vaee", "gan"]}, "protocol": {"steps": {}}, "data": {}, "models": {}}
    (tmp_path / "report.json").write_text(json.dumps(written))
    with pytest.raises(BadRequest, match="did you mean 'vae'"):
        repeat(tmp_path)


def test_out_must_be_new_and_is_looked_at_first(tmp_path):
    # Kills: an hour of training before the refusal.
    (tmp_path / "x").write_text("kept")
    with pytest.raises(BadRequest, match="not empty"):
        compare("no such data", out=str(tmp_path))
    assert sources.load("cancer").name == "cancer" and (tmp_path / "x").read_text() == "kept"


def hollow_contender():
    contender = SimpleNamespace(on=lambda data, place: None)
    contender.bare = lambda: contender
    return contender


def each(compiled):
    """`conduct.compiled_together` by a function of one recipe and the data."""
    return lambda recipes, data, *more: {name: compiled(recipe, data) for name, recipe in recipes.items()}


@pytest.fixture
def hollow(monkeypatch):
    """A comparison without its trainings: `compare` as it is, around parts that take no time."""
    outcome = Outcome({}, {}, {}, {}, {}, 1.0, "")
    empty = {"advice": [], "protocol": {}, "models": {}}
    monkeypatch.setattr(conduct, "compiled_together", each(lambda recipe, data: hollow_contender()))
    monkeypatch.setattr(conduct, "feature_space", lambda data: None)
    monkeypatch.setattr(conduct, "settle_lengths", lambda settings, own, *args: ({n: {} for n in own}, {}))
    monkeypatch.setattr(conduct, "baselines", lambda reference, seed, tasks: {})
    monkeypatch.setattr(schedule, "baselines", lambda reference, seed, tasks: {})
    monkeypatch.setattr(schedule, "play", lambda *args, **kwargs: outcome)
    monkeypatch.setattr(
        conduct, "assemble", lambda settings, *args: ({**empty, "notes": [], "settings": vars(settings)}, Extras())
    )
    return monkeypatch


def test_arrays_and_recipes_of_ones_own(hollow, tmp_path):
    # Kills: an array refused, or named in report.json; a recipe that goes by another name than the caller's; a
    # comparison that `--repeat` takes up with the row of that name.
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(600, 5)), np.arange(600) % 2
    compiled, out = [], tmp_path / "out"
    anything = hollow_contender()
    hollow.setattr(
        conduct,
        "compiled_together",
        each(lambda recipe, data: compiled.append((recipe.__name__, data.shape, data.classes)) or anything),
    )
    comparison = compare((x, label), models={"mine": find("gan"), "theirs": "vae"}, seeds=2, out=out)
    assert compiled == [("gan", (5,), ("0", "1")), ("vae", (5,), ("0", "1"))] and comparison.out == out
    settings = comparison.report["settings"]
    assert settings["data"] is settings["models"] is None
    written = {"settings": {**settings, "out": None}, "protocol": {"steps": {}, "stages": {}}, "data": {"digest": ""}}
    written |= {"models": {}}
    (out / "report.json").write_text(json.dumps(written))
    with pytest.raises(BadRequest, match="started in Python with its own data: call jaxgen.compare"):
        repeat(out, out=str(tmp_path / "again"))


@pytest.mark.parametrize(("anomaly", "named"), [(1, ("1",)), ("0", ("0",)), ([np.int64(1)], ("1",)), ((), ())])
def test_the_anomaly_is_named_and_recorded(hollow, tmp_path, anomaly, named):
    # Kills: an anomaly that reaches the report and not the tasks, or the tasks and not `--repeat`; a label that is no
    # string, or a string read letter by letter.
    seen, x = [], np.random.default_rng(0).normal(size=(400, 5))
    anything = hollow_contender()
    hollow.setattr(conduct, "compiled_together", each(lambda recipe, data: seen.append(data.anomalies) or anything))
    np.savez(tmp_path / "rows.npz", X=x, y=np.arange(400) % 2)
    made = compare(tmp_path / "rows.npz", seeds=2, anomaly=anomaly, out=tmp_path / "out")
    settings = {**made.report["settings"], "out": None}
    assert seen == [named] * 2 and settings["anomaly"] == named
    digest = sources.load(str(tmp_path / "rows.npz")).digest
    length = dict.fromkeys(flat({}), 1)
    played = {name: {"0": length, "1": length} for name in ("vae", "r3gan")}
    stages = {name: {"0": {}, "1": {}} for name in played}
    written = {"settings": settings, "protocol": {"steps": played, "stages": stages}, "data": {"digest": digest}}
    written["models"] = {}
    (tmp_path / "out" / "report.json").write_text(json.dumps(written))
    again = repeat(tmp_path / "out", out=str(tmp_path / "again"))
    assert seen == [named] * 4 and again.report["settings"]["anomaly"] == named


def test_domains_are_named_and_recorded(hollow, tmp_path):
    # Kills: domains that reach the report and not the tasks; a style read letter by letter; labels that are no strings.
    seen = []
    anything = hollow_contender()
    hollow.setattr(conduct, "compiled_together", each(lambda recipe, data: seen.append(data.domains) or anything))
    for i, (domains, named) in enumerate(((("3", 8), ("3", "8")), ("edges", ("edges",)), ((), ()))):
        made = compare("digits", seeds=1, domains=domains, settings=("style",), out=tmp_path / str(i))
        assert seen[-1] == named and made.report["settings"]["domains"] == named


def test_how_images_are_read_is_recorded(hollow, tmp_path):
    # Kills: a size or labels that a comparison that goes on does not hear of, or a size that nobody asked for and that
    # was needed; models that are kept without them; an older comparison without them that is refused; images resized
    # for recipes of the caller's own.
    x = np.random.default_rng(0).integers(0, 256, (40, 66, 70), dtype=np.uint8)
    np.save(tmp_path / "large.npy", x)
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(x):
        Image.fromarray(image).save(tmp_path / "photos" / f"{i}.png")
    (tmp_path / "l.csv").write_text("\n".join(["file,label", *(f"{i},{'ab'[i % 2]}" for i in range(40))]))
    shapes, models = [], []
    anything = hollow_contender()
    anything.plan = None
    outcome = Outcome({}, {}, {}, {}, {}, 1.0, "")
    hollow.setattr(schedule, "play", lambda *args, on_trained, **more: on_trained(None, []) or outcome)
    hollow.setattr(conduct, "keep", lambda *args, **read: models.append((read["size"], read["labels"])))
    hollow.setattr(
        conduct,
        "compiled_together",
        each(lambda recipe, data: shapes.append((data.shape, data.classes)) or anything),
    )
    asked = {"large": {}, "photos": {"size": 16, "labels": tmp_path / "l.csv"}}
    for name, read in asked.items():
        path = tmp_path / ("large.npy" if name == "large" else name)
        settings = compare(path, seeds=2, **read, out=tmp_path / f"{name} out").report["settings"]
        assert settings["size"] == read.get("size", 64)
        (tmp_path / f"{name} out" / "seeds" / "1.json").unlink()
        resume(tmp_path / f"{name} out")
    assert shapes == [((64, 64, 1), ())] * 4 + [((16, 16, 1), ("a", "b"))] * 4
    assert set(models) == {(64, None), (16, str(tmp_path / "l.csv"))}
    asked = json.loads((tmp_path / "large out" / "comparison.json").read_text())["settings"]
    older = _settings({name: own for name, own in asked.items() if name not in ("size", "labels")}, None)
    assert older.size is older.labels is None
    with pytest.raises(BadRequest, match="outside 8 to 64"):
        hollow.setattr(conduct, "compiled_together", None)
        compare(x, models={"mine": lambda spec: find("vae")(spec)}, seeds=1, out=tmp_path / "mine")


def striking(before):
    """`before`, and a signal in the middle of it."""

    def strike(*args):
        os.kill(os.getpid(), signal.SIGTERM)
        return before(*args)

    return strike


@pytest.mark.parametrize("where", ["assemble", "write_report"])
def test_a_signal_after_the_last_training_loses_nothing(hollow, tmp_path, where):
    # Kills: `assemble`, or the writing of either file, where a signal ends the process and all seeds are gone.
    hollow.setattr(conduct, where, striking(getattr(conduct, where)))
    with pytest.raises(Stopped, match="SIGTERM: the whole report is .*report.html") as stopped:
        compare("cancer", seeds=2, out=str(tmp_path / "out"))
    assert stopped.value.signal == signal.SIGTERM
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["settings"]["seeds"] == 2 and report["notes"] == []
    assert (tmp_path / "out" / "report.html").read_text().endswith("</html>\n")


def test_a_signal_in_a_training_leaves_the_whole_seeds(hollow, tmp_path):
    # Kills: a report that claims the seeds that were asked for; words of all seeds where some are missing.
    def play(contender, reference, lengths, seed, **more):
        if seed == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return Outcome({}, {}, {}, {}, {}, 1.0, "")

    hollow.setattr(schedule, "play", play)
    with pytest.raises(Stopped, match="SIGINT: the report of the 1 of 3 seeds that were finished is"):
        compare("cancer", seeds=3, out=str(tmp_path / "out"))
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["settings"]["seeds"] == 1 and report["notes"] == ["Stopped by a signal after 1 of 3 seeds."]


def test_an_error_in_a_training_leaves_the_whole_seeds_and_a_way_on(hollow, tmp_path, capsys):
    # Kills: all seeds lost with the fifth; an error that is swallowed; a seed that is played twice, or left out.
    played = []

    def play(contender, reference, lengths, seed, **more):
        played.append(seed)
        if played in ([0, 0, 1, 1, 2], [1]):
            raise MemoryError("of a seed")
        return Outcome({}, {}, {}, {}, {}, 1.0, "")

    hollow.setattr(schedule, "play", play)
    out = tmp_path / "out"
    with pytest.raises(MemoryError, match="of a seed"):
        compare("cancer", seeds=4, out=str(out))
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("the report of the 2 of 4 seeds that were finished is ")
    assert said.endswith(f"Continue with: jaxgen compare --resume {out}")
    report = json.loads((out / "report.json").read_text())
    assert report["settings"]["seeds"] == 2 and report["notes"] == ["Stopped by an error after 2 of 4 seeds."]
    resume(out)
    report = json.loads((out / "report.json").read_text())
    assert played[5:] == [2, 2, 3, 3] and report["settings"]["seeds"] == 4 and report["notes"] == []
    with pytest.raises(BadRequest, match="is complete: open its report.html"):
        resume(out)
    (out / "report.json").write_text(json.dumps({**report, "settings": {**report["settings"], "seeds": 3}}))
    resume(out)  # killed between its last seed and its report
    assert json.loads((out / "report.json").read_text())["settings"]["seeds"] == 4 and len(played) == 9
    for seed in (1, 3):
        (out / "seeds" / f"{seed}.json").unlink()
    played.clear()  # and an error on seed 1
    with pytest.raises(MemoryError):
        resume(out)
    assert json.loads((out / "report.json").read_text())["settings"]["seeds"] == 1


def test_other_data_cannot_be_gone_on_with(hollow, tmp_path):
    # Kills: seeds of two data sets in one report; arrays that nobody can load again.
    def save(seed):
        np.savez(tmp_path / "a.npz", x=np.random.default_rng(seed).normal(size=(600, 5)), y=np.arange(600) % 2)

    def stop(seed):
        if seed == 1:
            raise MemoryError

    save(0)
    hollow.setattr(conduct, "baselines", lambda reference, seed, tasks: {})
    hollow.setattr(schedule, "baselines", lambda reference, seed, tasks: stop(seed) or {})
    for name, data in (("file", tmp_path / "a.npz"), ("array", np.ones((60, 5)) * np.arange(60)[:, None])):
        with pytest.raises(MemoryError):
            compare(data, seeds=2, out=tmp_path / name)
    save(1)
    with pytest.raises(BadRequest, match="has changed since"):
        resume(tmp_path / "file")
    with pytest.raises(BadRequest, match="started in Python with its own data"):
        resume(tmp_path / "array")


@pytest.mark.slow
def test_a_killed_comparison_gives_the_report_of_an_unbroken_one(made, tmp_path):
    # Kills: a seed that depends on those before it in the process; steps that a resumed one takes from the clock.
    out, names = tmp_path / "again", ("advice", "models", "budget")
    words = [sys.executable, "-c", REPEATED, str(made), str(out)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as job:
        for line in job.stderr:
            if line.startswith("gan, seed 0: trained"):
                while not (out / "seeds" / "0.json").exists():
                    time.sleep(0.02)
                job.kill()
                break
    assert job.returncode == -signal.SIGKILL and not (out / "report.json").exists()
    resume(out)
    whole, resumed = (json.loads((folder / "report.json").read_text()) for folder in (made, out))
    assert {name: whole[name] for name in names} == {name: resumed[name] for name in names}


REPEATED = "import sys; from jaxgen.comparison.session import repeat; repeat(sys.argv[1], out=sys.argv[2])"


@pytest.mark.slow
def test_the_models_of_the_first_seed_are_runs(made, tmp_path):
    # Kills: another state than the one that was measured; a folder that `resume` refuses; models of a later seed.
    assert sorted(os.listdir(made / "models")) == ["gan", "vae"]
    report = json.loads((made / "report.json").read_text())
    for name in ("vae", "gan"):
        folder = made / "models" / name
        model, played = jaxgen.load(folder), report["protocol"]["steps"][name]["0"]["main"]
        assert np.isfinite(model.sample(model.draw(jax.random.key(0), 4))).all()
        assert json.loads((folder / "config.json").read_text())["config"]["steps"] == played
        longer = jaxgen.resume(folder, steps=played + 30)
        assert longer.history[-1]["step"] == played + 30
    assert [line["command"].split()[:2] for line in report["next"]] == [["jaxgen", "sample"], ["jaxgen", "train"]]


def fail(*args, **kwargs):
    raise ZeroDivisionError


def test_a_page_that_cannot_be_drawn_costs_no_figures(hollow, tmp_path):
    # Kills: the page before the figures; a folder removed with what stands in it.
    hollow.setattr(conduct, "write_report", fail)
    with pytest.raises(ZeroDivisionError):
        compare("cancer", seeds=2, out=str(tmp_path / "out"))
    assert json.loads((tmp_path / "out" / "report.json").read_text())["settings"]["seeds"] == 2


def test_a_comparison_without_a_seed_leaves_no_folder_but_your_own(hollow, tmp_path):
    # Kills: an empty folder that is left behind; a folder of the user's that is taken away.
    (tmp_path / "mine").mkdir()
    hollow.setattr(schedule, "play", fail)
    for name in ("mine", "new"):
        with pytest.raises(ZeroDivisionError):
            compare("cancer", seeds=2, out=str(tmp_path / name))
    assert os.listdir(tmp_path) == ["mine"]


def test_data_that_serve_no_task_are_refused_before_any_training(hollow, tmp_path):
    # Kills: an hour of training for a page without a figure, which then fails on the first key that is not there.
    hollow.setattr(conduct, "compiled_together", fail)
    np.savez(tmp_path / "few.npz", x=np.random.default_rng(0).normal(size=(20, 5)).astype("f"))
    with pytest.raises(BadRequest, match=r"nothing can be measured on few.npz; bring more examples\. .* has no labels"):
        compare(str(tmp_path / "few.npz"), out=str(tmp_path / "out"))
    assert os.listdir(tmp_path) == ["few.npz"]


def test_settings_that_are_named_are_measured_alone(hollow, tmp_path, capsys):
    # Kills: all settings trained for one that was asked for; a word that is silently no setting; settings that
    # `--repeat` does not know.
    seen = []
    hollow.setattr(
        conduct,
        "settle_lengths",
        lambda settings, contenders, reference, tasks, *more: (
            seen.append([t.name for t in tasks]) or {name: {} for name in contenders},
            {},
        ),
    )
    made = compare("cancer", seeds=2, settings=("anomalies", "synthesis"), out=tmp_path / "out")
    assert seen == 2 * [["synthesise", "detect anomalies"]] and "not measured: represent" not in capsys.readouterr().err
    assert made.report["settings"]["settings"] == ("anomalies", "synthesis")
    with pytest.raises(BadRequest, match="setting 'anomaly': did you mean 'anomalies'"):
        compare("cancer", settings="anomaly", out=tmp_path / "other")
    with pytest.raises(BadRequest, match="none of the requested settings can be measured on cancer"):
        compare("cancer", settings=["manipulation"], out=tmp_path / "other")


def test_the_data_are_told_before_the_nets_are_compiled(hollow, tmp_path, capsys):
    # Kills: silence for as long as compiling takes.
    hollow.setattr(conduct, "compiled_together", fail)
    with pytest.raises(ZeroDivisionError):
        compare("cancer", out=str(tmp_path / "out"))
    assert capsys.readouterr().err.startswith("cancer: table 30; 399 train, ")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"seeds": 1}, "One seed gives no interval"),
        ({"models": ("vae",)}, "An answer needs models of two sides"),
        ({}, None),
    ],
)
def test_a_comparison_that_cannot_answer_says_so_first(hollow, tmp_path, capsys, asked, reason):
    # Kills: an hour of training before the reason; a warning in front of every comparison.
    hollow.setattr(conduct, "compiled_together", fail)
    with pytest.raises(ZeroDivisionError):
        compare("digits", out=str(tmp_path / "out"), **asked)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == (2 if reason else 1)
    assert reason is None or said[1].startswith(f"there will be figures but no answer. {reason}")


def test_what_is_printed_last(capsys):
    # Kills: the same reason on every line; a line left out because nothing is chosen; a setting that is printed by its
    # identifier.
    short = {"setting": "image synthesis", "choose": "undecided", "lacks": "time", "because": "Why."}
    console.print_answer([short, {"setting": "style transfer", "choose": "not measured", "because": "No."}], "table")
    assert capsys.readouterr().out.splitlines() == [
        "The training was too short to decide synthesis: choose a larger --seconds-per-model.",
        "  synthesis: Undecided: more time. Why.",
    ]
    lone = [{"setting": name, "choose": "undecided", "lacks": "seeds", "because": f"{ONE_SEED} 7."} for name in "ab"]
    console.print_answer(lone, "image")
    out = capsys.readouterr().out
    assert out.count(ONE_SEED.split(":")[0]) == 1 and out.splitlines()[1:] == [
        "  a: Undecided. 7.",
        "  b: Undecided. 7.",
    ]


def test_settings_that_one_reason_leaves_out_are_one_line(capsys):
    # Kills: a line for each of them; identifiers; the name of a file with a capital.
    data = sources.load("cancer")._replace(kind="image", name="photos")
    console.say_data(
        data, {"represent": "the data are few.", "synthesise": "the data are few.", "translate": "photos has one."}
    )
    assert capsys.readouterr().err.splitlines()[-2:] == [
        "not measured: image synthesis and representation learning. The data are few.",
        "not measured: style transfer. photos has one.",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "seeds"), [("expected to take", 0), ("vae, seed 1: trained", 1)])
def test_a_stopped_comparison_reports_its_whole_seeds(tmp_path, line, seeds):
    # Kills: an empty folder that is left; a report of seeds that only one side finished; another exit code.
    out = tmp_path / "out"
    words = ["compare", "--data", "cancer", "--models", "vae,gan", "--seconds-per-model", "4", "--out", str(out)]
    with subprocess.Popen([sys.executable, "-m", "jaxgen", *words], stderr=subprocess.PIPE, text=True) as job:
        for said in job.stderr:
            if line in said:
                time.sleep(1)
                job.send_signal(signal.SIGTERM)
                break
        rest = job.stderr.read().splitlines()
    assert job.returncode == 143 and "stopped by SIGTERM" in rest[-1]
    if not seeds:
        assert not out.exists()
    else:
        report = json.loads((out / "report.json").read_text())
        assert report["settings"]["seeds"] == seeds and report["notes"][0].startswith(
            "Stopped by a signal after 1 of 6"
        )
        assert (out / "report.html").stat().st_size > 10_000
