"""The experiments: verdicts on made-up figures, the smallest form of each, and what the door refuses."""

import dataclasses
import doctest
import importlib
import io
import json
import shutil
from pathlib import Path

import comparisons
import pytest
from PIL import Image
from test_experiments_adaptive_weight import made_up as made_up_training
from test_experiments_anomaly_detection import made_up
from test_experiments_few_digits import seed as digits_seed
from test_experiments_mode_collapse import seed as ring_seed

from experiments import __main__ as door
from experiments import (
    adaptive_weight,
    anomaly_detection,
    balance,
    evidence,
    exact_vae,
    few_digits,
    gan_dynamics,
    gan_optimum,
    gradient_penalty,
    high_quality,
    label_smoothing,
    mode_collapse,
    page,
    published_protocols,
    remedies,
    reparametrization,
    settings,
    stacked_digits,
    super_resolution,
    vanishing_gradient,
)
from experiments.evidence import Claim, Evidence, Picture, Verdict
from experiments.published_protocols.ways import Part
from experiments.reparametrization import cut, fit, gradient

TINY = {
    "adaptive_weight": adaptive_weight.Config(
        ("adaptive", "adaptive, late"), (0.01,), seeds=2, steps=8, looks=4, samples=20
    ),
    "anomaly_detection": anomaly_detection.Config(seconds_per_model=0.05, digits=2, seeds=2),
    **{module.__name__.rpartition(".")[2]: comparisons.TINY for module in door.COMPARING},
    "balance": balance.Config(balances=((1, 1), (1, 2)), updates=20, seeds=2, batch=8),
    "exact_vae": exact_vae.Config(betas=(1.0,), seeds=2, steps=20, draws=500, temperatures=(5,), chains=2),
    "few_digits": few_digits.Config(seeds=2, updates=64, looks=2),
    "gan_dynamics": gan_dynamics.Config(
        ("both at once", "in turn", "in turn, momentum -0.5", "both at once, R1"),
        ("Dirac-GAN",),
        starts=1,
        far_steps=20,
        networks=("in turn",),
        seeds=2,
        updates=20,
        looks=1,
        eigenvalues=1,
        batch=8,
    ),
    "gan_optimum": gan_optimum.Config(seeds=1, steps=2, batch=8, width=4, ring_width=4),
    "label_smoothing": label_smoothing.Config(
        label_smoothing.OnLine(seeds=1, steps=2, batch=8, width=4),
        label_smoothing.OnRing(seeds=1, steps=2, batch=8, samples=40),
        ("no smoothing", "two-sided, 0.9 and 0.1"),
    ),
    "gradient_penalty": gradient_penalty.Config(
        ("no penalty", "R1"), toy_steps=1000, starts=1, seeds=2, updates=4, batch=8
    ),
    "high_quality": high_quality.Config(
        {"ring8": 1}, seeds=2, steps=4, burn_in=2, codes=4, octaves=1, batch=16, samples=40
    ),
    "mode_collapse": mode_collapse.Config(
        {"ring8": 1}, ("saturating", "relativistic"), 2, steps=4, batch=8, samples=40
    ),
    "published_protocols": published_protocols.Config(
        Part(("ring8",), (0, 1), 4), Part(("ring8",), (1, 2), 2), seeds=2, looks=2, batch=8, samples=40
    ),
    "remedies": remedies.Config(
        (remedies.BASE, "R1"), seeds=2, updates=4, batch=8, toy_steps=220, starts=1, critic_steps=2, width=4
    ),
    "reparametrization": reparametrization.Config(
        cut.Config(seeds=1, steps=12, batch=16, latent=2, width=8),
        fit.Config(seeds=2, samples=2000),
        gradient.Config(seeds=1, draws=2000, repeats=500, dimensions=(2,), frequencies=(4.0,)),
    ),
    "vanishing_gradient": vanishing_gradient.Config(
        ("saturating", "non-saturating"),
        vanishing_gradient.Lines((1.0, 8.0), seeds=1, steps=2, batch=8, width=4),
        vanishing_gradient.Digits(seeds=1, warm=2, steps=2, batch=8, width=4, looked_at=8),
    ),
    "stacked_digits": stacked_digits.Config(seeds=2, steps=4, batch=8, latent_dim=4, samples=40),
}
MODULES = [
    *(
        "adaptive_weight.verdicts",
        "anomaly_detection",
        "anomaly_detection.tables",
        "answers",
        "evidence",
        "exact_vae.verdicts",
        "extras",
        "gan_dynamics.closed",
        "gan_dynamics.networks",
        "gan_dynamics.verdicts",
    ),
    *("mode_collapse.verdicts", "page", "patches", "plots", "reparametrization.fit", "reparametrization.gradient"),
    *(
        "balance",
        "critics",
        "few_digits",
        "published_protocols",
        "published_protocols.runs",
        "published_protocols.verdicts",
        "remedies",
        "remedies.measures",
        "remedies.verdicts",
        "laws",
        "vanishing_gradient.verdicts",
        "label_smoothing.learned",
        "ring",
        "seeds",
        "settings",
    ),
]


@pytest.mark.parametrize("module", MODULES)
def test_doctests(module):
    # Kills: an example that rots.
    assert doctest.testmod(importlib.import_module(f"experiments.{module}")).failed == 0


# --- the whole


def once(function):
    made = []

    def call(*args, **options):
        if not made:
            made.append(function(*args, **options))
        return made[0]

    return call


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    out = tmp_path_factory.mktemp("experiments") / "out"
    with pytest.MonkeyPatch.context() as patch:
        for name, module in door.EXPERIMENTS.items():
            patch.setattr(module, "QUICK", TINY[name])
        patch.setattr(settings, "measured", comparisons.measured)
        patch.setattr(super_resolution, "regressions", comparisons.regressions)
        patch.setattr(anomaly_detection, "measure", made_up)
        # Compiling is all that the rest costs: one program for both losses, not all ways, one game.
        patch.setattr(mode_collapse.runs, "compile_loop", once(mode_collapse.runs.compile_loop))
        patch.setattr(high_quality, "play", lambda *args, **options: [ring_seed(8, 96.0), ring_seed(7, 90.0)])
        patch.setattr(balance, "measure", once(balance.measure))
        patch.setattr(gradient_penalty.rings, "measure", once(gradient_penalty.rings.measure))
        patch.setattr(adaptive_weight.training, "train", made_up_training)
        patch.setattr(exact_vae, "train", once(exact_vae.train))
        patch.setattr(label_smoothing.training, "train", once(label_smoothing.training.train))
        patch.setattr(vanishing_gradient.lines, "course", once(vanishing_gradient.lines.course))
        patch.setattr(remedies, "measure", once(remedies.measure))
        patch.setattr(few_digits, "measure", lambda *args: [digits_seed(2.0), digits_seed(3.0)])
        patch.setattr(few_digits, "judged_by", lambda data: lambda x: 1.0)
        patch.setattr(published_protocols, "measure", once(published_protocols.measure))
        one = {name: stacked_digits.WAYS["non-saturating, no penalty"] for name in stacked_digits.WAYS}
        patch.setattr(stacked_digits, "WAYS", one)
        patch.setattr(stacked_digits, "compile_loop", once(stacked_digits.compile_loop))
        patch.setattr(gan_dynamics.networks, "_look", lambda *args: (1.0, 0.0, 0.0))
        assert door.main(["all", "--quick", "--out", str(out)]) == 0
    return out


@pytest.mark.parametrize("name", door.EXPERIMENTS)
def test_smallest_form(home, name):
    # Kills: a verdict of another word; a figure that is no JSON; a picture that is missing, or too large to look at.
    said = json.loads((home / name / "evidence.json").read_text())
    assert (
        {"name", "claims", "config", "versions", "commit"} <= said.keys()
        and said["name"] == name
        and said["quick"] is True
    )
    for claim in said["claims"]:
        assert {"id", "statement", "verdict", "figures", "seeds"} <= claim.keys()
        assert claim["verdict"] in evidence.WORDS and claim["because"] and claim["seeds"] >= 1
    assert said["config"] == json.loads(json.dumps(dataclasses.asdict(TINY[name])))
    for picture in said["pictures"]:
        png = (home / name / picture["file"]).read_bytes()
        assert len(png) < 300_000 and Image.open(io.BytesIO(png)).width == 1600


def test_what_never_depends_on_size(home):
    # Kills: a direct draw with a path; a circle that is none; a rate of another step than the one played.
    names = ("gan_dynamics", "reparametrization")
    dynamics, trick = (json.loads((home / name / "evidence.json").read_text()) for name in names)
    verdicts = {claim["id"]: claim["verdict"] for claim in dynamics["claims"]}
    assert verdicts["2a"] == verdicts["2a, remedies"] == verdicts["2a, prediction"] == "supported"
    found = trick["claims"][0]["figures"]["ways"][cut.ALONE]
    assert found["encoder_arrays_without_gradient"] == found["encoder_arrays"] > 0 == found["encoder_moved"]


def test_what_is_not_measured_again_stays_on_the_page(home, tmp_path):
    # Kills: a section that falls out, or that stands twice; verdicts of the old one beside figures of the new one; an
    # order that depends on which folder comes first; the earlier of two folders.
    for name in ("choose", "gan_dynamics"):
        shutil.copytree(home / name, tmp_path / "first" / name)
    path = page.write([tmp_path / "first"], tmp_path / "page", list(door.EXPERIMENTS))
    before = page.standing(tmp_path / "page")
    assert list(before) == ["choose", "gan_dynamics"] and len(before["gan_dynamics"].rows) == 7
    shutil.copytree(home / "manipulation", tmp_path / "second" / "manipulation")
    shutil.copytree(home / "choose", tmp_path / "second" / "choose")
    said = json.loads((home / "choose" / "evidence.json").read_text())
    said["claims"][0]["verdict"], said["about"] = "supported", "New words."
    (tmp_path / "second" / "choose" / "evidence.json").write_text(json.dumps(said))
    page.write([tmp_path / "second"], tmp_path / "page", list(door.EXPERIMENTS))
    after = page.standing(tmp_path / "page")
    assert list(after) == ["choose", "manipulation", "gan_dynamics"]
    assert after["gan_dynamics"] == before["gan_dynamics"]
    assert after["choose"].text.startswith("New words.") and after["choose"].rows[0].endswith("**supported** |")
    assert path.read_text().count("](#choose)") == len(before["choose"].rows) == 1
    page.write([tmp_path / "second", tmp_path / "first"], tmp_path / "both", list(door.EXPERIMENTS))
    assert page.standing(tmp_path / "both") == {**after, "choose": before["choose"]}


def test_a_page_says_how_each_section_was_measured(home):
    # Kills: seconds of a comparison that was read, not made, as the time of the experiment; a commit that is left out.
    said = {own["name"]: own for own in evidence.read(home)}
    own = {**said["choose"], "comparisons": 812.4, "commit": "0123456789ab and changes", "seconds": 3.0}
    text = page.text({"choose": own}, {}, ["choose"])
    assert "from comparisons of 812 s that other experiments read too, on cpu" in text
    assert text.rstrip().endswith("commit 0123456789ab and changes.")
    assert "*In practice.* " in text and "3 s on cpu" in page.text({"x": {**own, "comparisons": 0}}, {}, ["x"])


def test_page(home, tmp_path, capsys):
    # Kills: a claim or a picture left out; a link to nothing; "cpu cpu"; quick figures in place of full ones.
    assert door.main(["readme", "--from", str(home), "--out", str(tmp_path)]) == 0
    text = (tmp_path / "README.md").read_text()
    for said in evidence.read(home):
        assert all(claim["statement"] in text and claim["because"] in text for claim in said["claims"])
        assert all(f"pictures/{said['name']}-{p['file']}" in text for p in said["pictures"])
    assert "cpu cpu" not in text
    stands = (Path(page.__file__).parent / "README.md").read_bytes()
    assert door.main(["readme", "--from", str(home)]) == 2 and "of a --quick run" in capsys.readouterr().err
    assert (Path(page.__file__).parent / "README.md").read_bytes() == stands
    links = {part.partition(")")[0] for part in text.split("](")[1:]} - {f"#{name}" for name in door.EXPERIMENTS}
    assert links and all((tmp_path / link).is_file() for link in links)


def test_the_page_in_the_tree_is_whole():
    # Kills: a page of some experiments only, or of the quick form.
    text = (Path(page.__file__).parent / "README.md").read_text()
    assert list(page.standing(Path(page.__file__).parent)) == list(door.EXPERIMENTS) and "the full form" in text
    assert "quick form" not in text


def test_unknown_verdict(tmp_path):
    # Kills: a fourth word; a folder that is left behind by it.
    claim = Claim("1", "s", Verdict("perhaps", "b"), "r", "l", {}, 1)
    with pytest.raises(ValueError, match="perhaps"):
        evidence.write(
            tmp_path / "x", Evidence("x", "", (claim,), {"a.png": Picture("", b"")}, {}), quick=True, seconds=0
        )
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("gan_dynamic", "gan_dynamics"),
        ("", "give NAME"),
        ("all --quik", "--quick"),
        ("all --out full", "not empty"),
        ("gan_dynamics --out file", "file"),
        ("gan_dynamics --out /proc/x", "/proc/x"),
        ("choose --tables x", "--tables is read by anomaly_detection alone"),
        ("readme", "--from"),
        ("readme --from nowhere", "run python -m experiments"),
        ("readme --from damaged", "damaged"),
    ],
)
def test_refusals(words, says, tmp_path, monkeypatch, capsys):
    # Kills: work before the folder is looked at; a traceback; another exit code; something written.
    monkeypatch.chdir(tmp_path)
    for name in ("full/reparametrization", "damaged/x"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "full/reparametrization/mine.txt").touch()
    (tmp_path / "damaged/x/evidence.json").write_text('{"name": "x"}')
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    assert door.main(words.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and says in err and err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_without_matplotlib(monkeypatch, capsys, tmp_path):
    # Kills: minutes of work before the pictures fail.
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert door.main(["all", "--out", str(tmp_path)]) == 2
    assert "jaxgen[experiments]" in capsys.readouterr().err


def test_the_library_does_not_know_of_experiments():
    # Kills: a picture library, or an experiment, that the package needs.
    root = Path(page.__file__).parents[1] / "jaxgen"
    assert not [path for path in root.rglob("*.py") if "import experiments" in path.read_text()]
    assert not [path for path in root.rglob("*.py") if "matplotlib" in path.read_text()]
