"""The command line: what it takes, what it writes, how it ends."""

import dataclasses
import errno
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path

import jax
import numpy as np
import pytest
from PIL import Image

import jaxgen
import jaxgen.comparison.session
from jaxgen import __main__, cli, recipes
from jaxgen.cli import COMMANDS, explain, main
from jaxgen.cli.commands import table
from jaxgen.cli.parser import place
from jaxgen.cli.runs import _print_table
from jaxgen.recipes import RECIPES
from jaxgen.runs import restore, run
from jaxgen.runs.samples import BLOCK, draw
from jaxgen.tasks import synthesise
from jaxgen.training import checkpoint
from jaxgen.training.loop import Diverged

SMALLEST = ["--steps", "3", "--batch-size", "16", "--latent-dim", "2"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on the table of scikit-learn, whose units matter."""
    out = tmp_path_factory.mktemp("runs") / "a"
    words = ["train", "beta_vae", "--data", "cancer", "--out", str(out), *SMALLEST]
    assert main([*words, "--beta", "2.5", "--seed", "7", "--learning-rate", "0.01"]) == 0
    return out


def python(*words, **options):
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, timeout=120, **options)


def test_help_fits_the_screen_and_imports_no_jax():
    # Kills: an import of JAX to show help; a line beyond 80 columns; a command without an example.
    code = f"""
import sys
from jaxgen.cli import main
for words in (["--help"], [], ["--version"], *([name, "--help"] for name in {list(COMMANDS)!r})):
    assert main(words) == 0, words
assert not {{"jax", "numpy"}} & set(sys.modules)
"""
    found = python("-c", code)
    assert found.returncode == 0, found.stderr
    assert max(map(len, found.stdout.splitlines())) <= 80
    assert found.stdout.count("example:") == len(COMMANDS)
    assert f"jaxgen {jaxgen.__version__}\n" in found.stdout
    assert all(f"  {name} " in found.stdout for name in COMMANDS)


def test_help_tells_the_true_defaults(capsys):
    # Kills: a default that moved in Config or jaxgen.compare, and not in the help.
    def shown(command):
        main([command, "--help"])
        words = " ".join(capsys.readouterr().out.partition("options:")[2].partition("example:")[0].split())
        return {flag.split()[0]: flag for flag in words.split(" --")}

    options = {name: it.default for name, it in inspect.signature(jaxgen.compare).parameters.items()}
    helped = shown("compare")
    for name, flag in (("data", "data"), ("seconds", "seconds-per-model"), ("seeds", "seeds"), ("seed", "seed")):
        value = options[name]
        said = f"{value:g}" if isinstance(value, float) else value
        assert f"(default: {said})" in helped[flag]
    assert f"(default: {','.join(options['models'])})" in helped["models"]
    assert options["out"] is None
    assert {"seed": 0}.items() <= {field.name: field.default for field in dataclasses.fields(run.Config)}.items()
    assert "(default: 0)" in shown("train")["seed"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="completes in bash")
def test_bash_completes(tmp_path, capsys):
    # Kills: a command, a flag, the option of a recipe, a recipe or a path that is not offered; files for folders.
    assert main(["--completion", "bash"]) == 0
    (tmp_path / "runs").mkdir()
    (tmp_path / "rows.csv").write_text("")
    (tmp_path / "jaxgen.sh").write_text(capsys.readouterr().out)
    rows = {
        "jaxgen pre": "prepare",
        "jaxgen train r3g": "r3gan",
        "jaxgen train r3gan --gam": "--gamma",
        "jaxgen compare --mod": "--models",
        "jaxgen compare --labels r": "rows.csv runs",
        "jaxgen evaluate r": "runs",
    }
    code = ["shopt -s progcomp", ". ./jaxgen.sh"]
    for line in rows:
        words = line.split()
        code += [f"COMP_WORDS=({line}) COMP_CWORD={len(words) - 1} COMP_LINE='{line}' COMP_POINT={len(line)}"]
        code += [f"COMPREPLY=(); _shtab_jaxgen jaxgen {words[-1]} {words[-2]}; echo ${{COMPREPLY[*]}}"]
    found = subprocess.run(["bash", "-c", "\n".join(code)], capture_output=True, text=True, cwd=tmp_path)
    offered = [" ".join(sorted(set(line.split()))) for line in found.stdout.splitlines()]
    assert dict(zip(rows, offered, strict=True)) == rows, found.stderr


def test_every_shell_has_a_script(capsys):
    # Kills: a shell that `jaxgen --help` names and shtab does not know; one that is not known and a traceback.
    main(["--help"])
    named = re.search(r"--completion (\w+)[^;]*; also for ([\w, ]+)", capsys.readouterr().out)
    for shell in (named[1], *named[2].split(", ")):
        assert main(["--completion", shell]) == 0 and "r3gan" in capsys.readouterr().out
    assert main(["--completion", "zish"]) == main(["--completion"]) == 2
    assert capsys.readouterr().err.count("there are bash, zsh") == 2


def test_recipes_prints_the_table(capsys):
    # Kills: a row, a weight or a balance left out; a table wider than a terminal.
    assert main(["recipes"]) == 0
    text = capsys.readouterr().out
    assert text == f"{table(RECIPES)}\n"
    assert max(map(len, text.splitlines())) <= 80
    blocks = re.split(r"\n(?=\S)", text.rstrip())[1:]
    assert [block.split()[0] for block in blocks] == list(RECIPES)
    for block, recipe in zip(blocks, RECIPES.values(), strict=True):
        plain = " ".join(block.split())
        assert recipes.summary(recipe) in plain and recipes.paper(recipe) in block.splitlines()[0]
        assert recipes.departures(recipe) in plain
        for name, value in recipes.defaults(recipe).items():
            shown = value if isinstance(value, str) else f"{value:g}"
            assert f"--{name.replace('_', '-')} {shown}" in plain
    lines = {line.split()[0]: line for line in text.splitlines()}
    assert "critic, generator    5:1" in lines["wgan_gp"]
    assert "autoencoder, critic  2:1" in lines["aae"]


def test_recipes_explains_the_options_of_one(capsys):
    # Kills: an option without a word of what it is; those of another recipe; a name that is not known and a traceback.
    assert main(["recipes", "gan_ada"]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80 and "wgan_gp" not in text
    assert re.search(r"^  --target 0.6 +mean sign of the logits of real examples, above", text, re.M)
    for title, recipe in RECIPES.items():
        silent = [name for name in recipes.defaults(recipe) if not recipes.explained(recipe, name)]
        assert not silent, f"{title}: explain {silent} in `Args:` of its docstring"
    assert main(["recipes", "gan_adda"]) == 2 and "did you mean 'gan_ada'" in capsys.readouterr().err


def test_train_hands_every_word_on(trained):
    # Kills: an option read and dropped; a weight of the recipe's own that keeps its default.
    config = json.loads((trained / "config.json").read_text())["config"]
    wanted = {
        "recipe": "beta_vae",
        "data": "cancer",
        "size": None,
        "labels": None,
        "steps": 3,
        "seed": 7,
        "batch_size": 16,
        "condition": None,
        "domains": [],
        "precision": "float32",
        "micro_batches": 1,
        "remat": False,
        "stream": False,
        "options": {"beta": 2.5, "likelihood": "default", "latent_dim": 2, "learning_rate": 0.01},
        "replaced": [],
    }
    assert config == wanted
    assert checkpoint.steps(trained / "checkpoints")[-1] == 3


def test_a_run_remembers_how_its_images_are_read(tmp_path, monkeypatch, capsys):
    # Kills: a size or labels that resume, sample or evaluate do not hear of, or a path that holds in one folder alone;
    # an array above 64 that is refused, or resized and not written down; an older run without the keys that is refused.
    x = np.random.default_rng(0).integers(0, 256, (40, 66, 70), dtype=np.uint8)
    np.save(tmp_path / "large.npy", x)
    (tmp_path / "photos").mkdir()
    for i, image in enumerate(x):
        Image.fromarray(image).save(tmp_path / "photos" / f"{i}.png")
    (tmp_path / "l.csv").write_text("\n".join(["file,label", *(f"{i},{'ab'[i % 2]}" for i in range(40))]))
    words = "train vae --steps 2 --batch-size 8 --latent-dim 2 --out".split()
    monkeypatch.chdir(tmp_path)
    assert main([*words, "a", "--data", "photos", "--size", "8", "--labels", "l.csv", "--condition", "label"]) == 0
    assert main([*words, "b", "--data", "large.npy", "--size", "8"]) == 0
    monkeypatch.chdir("photos")
    configs = [json.loads((tmp_path / out / "config.json").read_text()) for out in "ab"]
    assert [c["config"]["size"] for c in configs] == [8, 8] and [c["data"]["shape"] for c in configs] == [[8, 8, 1]] * 2
    assert configs[0]["config"]["labels"] == str(tmp_path / "l.csv") and configs[0]["data"]["classes"] == ["a", "b"]
    for out in "ab":
        assert main(["train", "--resume", f"../{out}", "--steps", "3"]) == 0
    assert main(["sample", "../a", "--out", "../a.npz", "--label", "b"]) == 0
    assert restore.load_data(tmp_path / "a")[0].digest == configs[0]["data"]["digest"]
    (tmp_path / "l.csv").unlink()
    assert main(["train", "--resume", "../a", "--steps", "4"]) == 2 and "l.csv cannot be" in capsys.readouterr().err
    assert restore.reading({"data": "x"}) == {"size": None, "labels": None}


def test_images_that_are_too_large_for_networks_become_smaller(monkeypatch):
    # Kills: an array above 64 that a recipe refuses; a size that is not written down, so that a resumed run reads
    # other data; images resized for networks of the caller's own, or images that fit.
    jobs = []
    monkeypatch.setattr(run, "begin", lambda job, *_: jobs.append(job))
    x = np.zeros((40, 65, 70), np.uint8)
    for what in ("vae", jaxgen.recipes.example_plan(RECIPES["vae"])):
        run.fit(what, x, steps=1, batch_size=8)
    run.fit("vae", x[:, :9, :9], steps=1, batch_size=8)
    run.fit("vae", x, steps=1, batch_size=8, size=np.int64(16))
    assert [(job.config["size"], job.data.shape) for job in jobs] == [
        (64, (64, 64, 1)),
        (None, (65, 70, 1)),
        (None, (9, 9, 1)),
        (16, (16, 16, 1)),
    ]
    assert "65x70 images: centre square at 64x64." in jobs[0].data.notes and type(jobs[3].config["size"]) is int


def test_evaluate_writes_what_it_prints(trained, capsys):
    # Kills: samples measured against themselves; a figure that is printed and not written; a ceiling mixed up.
    assert main(["evaluate", str(trained)]) == 0
    printed = capsys.readouterr().out
    found = json.loads((trained / "evaluation.json").read_text())
    assert found["data"] == "cancer" and found["step"] == 3 and found["failed"] is None
    frechet, recall = found["figures"]["frechet"], found["figures"]["recall"]
    assert (frechet["bounds"], recall["bounds"]) == (None, [0, 1])
    assert frechet["value"] > 2 * abs(frechet["reference"]) > 0  # three steps teach little
    assert recall["value"] < recall["reference"] and recall["higher_is_better"] is True
    rows = {line.split()[0]: line.split()[1:] for line in printed.splitlines() if line.strip()}
    for name, figure in found["figures"].items():
        assert rows[name][:2] == [f"{figure['value']:.4g}", f"{figure['reference']:.4g}"]


@pytest.mark.parametrize("columns", [40, 80])
def test_tables_fit_the_terminal_and_are_plain_in_a_pipe(columns, monkeypatch, capsys):
    # Kills: a name or a number that is cut short; a line wider than the terminal; colours in a file.
    monkeypatch.setenv("COLUMNS", str(columns))
    _print_table(
        {"straightforwardness of a trajectory": {"value": 12.3456, "reference": None, "higher_is_better": None}}
    )
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= columns
    letters = "".join(sorted("".join(lines).replace(" ", "")))
    titles = "figure this run real data better straightforwardness of a trajectory 12.35 - neither way"
    assert letters == "".join(sorted(titles.replace(" ", "")))
    assert main(["recipes", "gan_ada"]) == 0
    texts = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert columns - 10 < max(map(len, texts)) <= columns


@pytest.mark.slow
def test_evaluate_of_few_examples_prints_what_can_be_had(tmp_path, capsys):
    # Kills: a run that train takes and evaluate refuses, for the neighbours that some of its figures need.
    np.savez(tmp_path / "few.npz", x=np.random.default_rng(0).normal(size=(20, 4)))
    out = str(tmp_path / "a")
    assert main(["train", "vae", "--data", str(tmp_path / "few.npz"), "--out", out, *SMALLEST]) == 0
    capsys.readouterr()
    assert main(["evaluate", out]) == 0
    printed = capsys.readouterr().out
    found = json.loads((tmp_path / "a" / "evaluation.json").read_text())["figures"]
    assert [name for name, figure in found.items() if figure["value"] is None] == [*synthesise.BALLS]
    assert "frechet" in printed and "\nrecall" not in printed
    assert (
        "not measured: precision, recall, density, coverage, for they need 6 test examples and there are 4" in printed
    )


def test_evaluate_draws_the_labels_of_the_test_split(tmp_path, monkeypatch):
    # Kills: labels in turn, by which the samples of unbalanced data are other than the data.
    out = tmp_path / "a"
    assert main(["train", "vae", "--data", "cancer", "--condition", "label", "--out", str(out), *SMALLEST]) == 0
    model, seen = jaxgen.load(out), []

    def draw(key, n, label):
        seen.append((n, np.bincount(label).tolist()))
        return model.draw(key, n, label)

    monkeypatch.setattr(jaxgen.runs.restore, "load", lambda out: model._replace(draw=draw))
    assert main(["evaluate", str(out)]) == 0
    label = jaxgen.data.load("cancer").test.label
    assert seen == [(len(label), np.bincount(label).tolist())] and len(set(seen[0][1])) == 2


def test_samples_are_in_the_units_of_the_data(trained, tmp_path):
    # Kills: a table that stays standardised; a seed that is ignored; another number of samples than asked for.
    files = [str(tmp_path / f"{i}.npz") for i in range(3)]
    for file, seed in zip(files, ("1", "1", "2"), strict=True):
        assert main(["sample", str(trained), "--n", "40", "--seed", seed, "--out", file]) == 0
    one, same, other = (np.load(file)["x"] for file in files)
    assert one.shape == (40, 30)
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0
    data, model = jaxgen.data.load("cancer"), jaxgen.load(trained)
    mean, std = data.scale
    key = jax.random.fold_in(jax.random.key(1), 3)  # the fourth key of a run
    np.testing.assert_allclose(one, np.asarray(model.sample(model.draw(key, 40))) * std + mean, rtol=1e-5)


def test_sample_draws_a_picture(trained, tmp_path):
    # Kills: an array written under the name of a picture.
    out = tmp_path / "samples.PNG"
    out.write_text("an older one")
    assert main(["sample", str(trained), "--out", str(out)]) == 0
    assert out.read_bytes()[:4] == b"\x89PNG"


def test_many_samples_come_in_blocks(trained):
    # Kills: a block left out, repeated or out of order; more than a block at a time.
    model, sizes = jaxgen.load(trained), []

    def sample(noise):
        sizes.append(len(jax.tree.leaves(noise)[0]))
        return model.sample(noise)

    n = 2 * BLOCK + 5
    key = jax.random.fold_in(jax.random.key(0), 3)
    got = draw(model._replace(sample=sample), n, key)
    assert sizes == [BLOCK, BLOCK, 5]
    np.testing.assert_allclose(got, model.sample(model.draw(key, n)), rtol=1e-4, atol=1e-5)


def test_export_names_arrays(trained, tmp_path):
    # Kills: the state exported in place of the params; names that say nothing.
    file = tmp_path / "weights.npz"
    assert main(["export", str(trained), str(file)]) == 0
    arrays = np.load(file)
    assert arrays.files and all(name.startswith("vae/") for name in arrays.files)


def test_resume_of_a_finished_run_has_nothing_left_to_do(trained, capsys):
    # Kills: --resume that starts again.
    before = (trained / "metrics.jsonl").read_text()
    assert main(["train", "--resume", str(trained)]) == 0
    assert "resumed at 3" in capsys.readouterr().err
    assert (trained / "metrics.jsonl").read_text() == before


def test_compare_hands_every_word_on(monkeypatch, tmp_path, capsys):
    # Kills: an option read and dropped; the default of the command line in place of that of jaxgen.compare.
    calls = []
    done = types.SimpleNamespace(out=tmp_path)
    room = types.SimpleNamespace(
        compare=lambda on_data, **options: calls.append(options) or done,
        repeat=lambda folder, out, on_data: calls.append((folder, out)) or done,
        resume=lambda folder, on_data: calls.append(folder) or done,
    )
    options = set(inspect.signature(jaxgen.compare).parameters)
    monkeypatch.setattr(jaxgen.comparison, "session", room)
    assert main(["compare"]) == 0
    words = "--data ring8 --models vae,aae --out o --seconds-per-model 1.5 --seeds 2 --seed 3 --anomaly 1,2"
    words += " --settings style --domains 1,2 --size 16 --labels l.csv"
    assert main(["compare", *words.split()]) == 0
    assert main(["compare", "--repeat", "o", "--out", "p"]) == main(["compare", "--resume", "q"]) == 0
    asked = {"data": "ring8", "models": ("vae", "aae"), "out": "o", "seconds": 1.5, "seeds": 2, "seed": 3}
    asked |= {"anomaly": ("1", "2"), "settings": ("style",), "domains": ("1", "2"), "size": 16, "labels": "l.csv"}
    assert calls == [{}, asked, ("o", "p"), "q"]
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "report.html")] * 4
    assert options == {*asked, "on_data", "on_record"}


@pytest.mark.parametrize(
    "problem, code, word",
    [
        (OSError(errno.ENOSPC, "No space left on device", "runs/a/checkpoints/9"), 1, "free some space"),
        (ValueError("INTERNAL: write failed: No space left on device"), 1, "free some space"),
        (MemoryError(), 1, "memory"),
        (jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes."), 1, "--batch-size"),
        (PermissionError(errno.EACCES, "Permission denied", "runs/a"), 2, "permissions"),
        (OSError(errno.ESTALE, "Stale file handle", "runs/a"), 1, "stale"),
        (OSError(errno.EBUSY, "Device or resource busy", "runs/a"), 1, "busy"),
        (jaxgen.BadRequest("a\nrequest"), 2, "a request"),
        (checkpoint.CheckpointCorrupt("checkpoint 3 is damaged"), 2, "damaged"),
        (Diverged("10 steps in a row were not finite."), 3, "checkpoints"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_how_a_command_ends(monkeypatch, tmp_path, capsys, problem, code, word):
    # Kills: a code mixed up; a line that does not say what to do; two lines; a traceback.
    def fail(*args, **options):
        raise problem

    monkeypatch.setattr(run, "train", fail)
    assert main(["train", "vae", "--data", "ring8", "--out", str(tmp_path / "a"), "--steps", "1"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("jaxgen: ") and word.lower() in line.lower()
    if code == 1:
        assert "last checkpoint is kept" in line and "none yet, start again" in line and "then resume" not in line


def test_a_variable_that_jax_refuses_is_one_line():
    # Kills: a traceback of JAX's import, twice.
    found = python("-m", "jaxgen", "recipes", env={**os.environ, "JAX_DEFAULT_MATMUL_PRECISION": "nonsense"})
    (line,) = found.stderr.splitlines()
    assert found.returncode == 2 and line.startswith("jaxgen: JAX refuses a variable") and "nonsense" in line


def test_an_error_of_ours_keeps_its_traceback(monkeypatch, tmp_path):
    # Kills: a handler that turns every exception into a line.
    def fail(*args, **options):
        raise FileNotFoundError(errno.ENOENT, "No such file or directory", "x")

    monkeypatch.setattr(run, "train", fail)
    with pytest.raises(FileNotFoundError):
        main(["train", "vae", "--data", "ring8", "--out", str(tmp_path / "a"), "--steps", "1"])
    assert explain(ZeroDivisionError()) == (None, "")


@pytest.mark.parametrize(
    "words, says",
    [
        ("train vae --out a", "lower --batch-size, or close"),
        ("train --resume a", "memory: close other programs"),
        ("compare", "fewer examples"),
        ("sample a --out b.png", "lower --n,"),
        ("all --quick", "memory: close other programs"),
    ],
)
def test_out_of_memory_is_told_by_the_command(words, says, capsys):
    # Kills: advice of a flag that the command does not have.
    def dispatch(argv):
        raise MemoryError

    assert cli.exit_code("jaxgen", dispatch, words.split()) == 1
    said = capsys.readouterr().err
    assert says in said and ("--batch-size" in said) == words.startswith("train vae")


def test_out_of_memory_deep_inside_is_found():
    # Kills: only the outermost exception looked at.
    try:
        try:
            raise MemoryError
        except MemoryError as error:
            raise RuntimeError("could not compute") from error
    except RuntimeError as error:
        assert explain(error)[0] == 1


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"]], ids=" ".join)
def test_nobody_reads_the_output(words):
    # Kills: a traceback, or a complaint at exit, where stdout is closed early (`jaxgen recipes | head -1`).
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "jaxgen", *words]
    buffered = {**os.environ, "PYTHONUNBUFFERED": ""}
    with os.fdopen(writer, "w") as out:
        found = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=True, env=buffered)
    assert (found.returncode, found.stderr) == (cli.UNREAD, "")


def test_divergence_ends_with_three(tmp_path, capsys):
    # Kills: a diverged run that reports success; a message that does not say where the last good state is.
    out = tmp_path / "a"
    words = ["train", "vae", "--data", "ring8", "--out", str(out), "--learning-rate", "1e30", "--steps", "200"]
    assert main(words) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert str(out / "checkpoints") in last and "not finite" in last
    assert checkpoint.steps(out / "checkpoints")
    assert main(["train", "--resume", str(out)]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("jaxgen: this run diverged by step 100") and line.count("rate") == 1 and "lower" in line


def test_nothing_measured_is_no_success(trained, tmp_path, monkeypatch, capsys):
    # Kills: a table of dashes and an exit code of 0; figures that are null and no word of why.
    out = tmp_path / "a"
    shutil.copytree(trained, out)
    model = jaxgen.load(out)
    broken = model._replace(sample=lambda noise: model.sample(noise) * np.nan)
    monkeypatch.setattr(jaxgen.runs.restore, "load", lambda out: broken)
    assert main(["evaluate", str(out)]) == 3
    said = capsys.readouterr()
    (line,) = said.err.splitlines()
    assert said.out == "" and "nothing was measured: train again with a lower --learning-rate" in line
    found = json.loads((out / "evaluation.json").read_text())
    assert "not all finite" in found["failed"] and found["figures"]["frechet"]["value"] is None


def start(*words):
    return subprocess.Popen([sys.executable, "-m", "jaxgen", *words], stderr=subprocess.PIPE, text=True)


def stop(process, out: Path, steps: int, number: int) -> str:
    """Sends a signal once the run is past `steps`; returns what it said."""
    deadline = time.monotonic() + 120
    lines = out / "metrics.jsonl"
    while time.monotonic() < deadline and process.poll() is None:
        said = lines.read_text().splitlines()[:-1] if lines.exists() else []
        if said and json.loads(said[-1])["step"] > steps:
            break
        time.sleep(0.05)
    process.send_signal(number)
    return process.communicate(timeout=60)[1]


def test_signals_end_in_a_checkpoint_and_the_run_goes_on(tmp_path):
    # Kills: a signal that kills without a checkpoint; codes mixed up; a resumed run that starts from nothing.
    out = tmp_path / "a"
    words = ["train", "vae", "--data", "ring8", "--out", str(out), *SMALLEST, "--steps", "100000000"]
    process = start(*words)
    said = stop(process, out, 0, signal.SIGTERM)
    assert process.returncode == 143, said
    first = checkpoint.steps(out / "checkpoints")[-1]
    assert first > 0 and said.splitlines()[-1].startswith("jaxgen: ") and f"step {first}" in said

    process = start("train", "--resume", str(out))
    said = stop(process, out, first, signal.SIGUSR1)  # by which SLURM warns of the end of a job
    assert process.returncode == 128 + signal.SIGUSR1, said
    assert f"resumed at {first}" in said
    assert checkpoint.steps(out / "checkpoints")[-1] > first, said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("words", ["train vae --steps 100000000", "compare"])
def test_a_signal_while_programs_are_compiled_ends_in_one_line(tmp_path, words, number):
    # Kills: SIGTERM left to its default, which says nothing; a signal that is held until there is something to save.
    code = f"""
import jax, os, sys
from jaxgen.__main__ import enter
jax.monitoring.register_event_duration_secs_listener(
    lambda event, seconds, **_: "backend_compile" in event and os.kill(os.getpid(), {number}))
sys.argv = ["jaxgen", *{words.split()!r}, "--out", {str(tmp_path / "a")!r}]
enter()
"""
    found = python("-c", code)
    assert found.returncode == 128 + number, found.stderr
    assert found.stderr.splitlines()[-1] == f"jaxgen: interrupted by {signal.Signals(number).name}."
    assert "Traceback" not in found.stderr and not (tmp_path / "a").exists()


@pytest.mark.parametrize("code, says", [(0, "kept, down"), (1, "kept"), (130, "kept"), (143, "kept")])
def test_a_process_that_failed_does_not_take_python_down(code, says):
    # Kills: the crash of an exception that JAX keeps until then, in place of the code; output that is left in a buffer.
    program = f"""
import atexit
from jaxgen.cli import leave
atexit.register(lambda: print(", down", end=""))
print("kept", end="")
leave({code})
"""
    found = python("-c", program, env={**os.environ, "PYTHONUNBUFFERED": ""})
    assert (found.returncode, found.stdout, found.stderr) == (code, says, "")


def test_a_limit_inside_a_checkpoint_is_one_line(tmp_path):
    # Kills: the error of the system left in the words of Orbax; what its threads print of it, then or later.
    words = ["train", "vae", "--data", "digits", "--out", str(tmp_path / "a"), "--steps", "3"]
    command = ["sh", "-c", 'ulimit -f 20; exec "$@"', "sh", sys.executable, "-m", "jaxgen", *words]
    own = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}  # limited as well
    found = subprocess.run(command, capture_output=True, text=True, env=own)
    (line,) = found.stderr.splitlines()
    assert found.returncode == 1 and line.startswith("jaxgen: the machine failed: File too large (")
    assert checkpoint.steps(tmp_path / "a" / "checkpoints") == []


def test_streams_that_are_closed_stop_nothing():
    # Kills: a flush of None after all work is done.
    command = f"exec {sys.executable} -m jaxgen recipes"
    for closed in (">&-", "2>&-", ">&- 2>&-"):
        assert subprocess.run(["sh", "-c", f"{command} {closed}"], stdout=subprocess.DEVNULL).returncode == 0


def test_a_path_without_its_flag_is_recognised(tmp_path, capsys):
    # Kills: "leave it out" said of the data itself.
    path = tmp_path / "a b.npz"
    path.write_bytes(b"")
    assert main(["compare", str(path)]) == 2
    assert f"did you mean --data '{path}'?" in capsys.readouterr().err


def test_a_place_is_what_a_shell_would_make_of_it(tmp_path, monkeypatch):
    # Kills: a folder called `~`; a folder `a` that is left behind by `a/../b`.
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert place("~/runs/a") == str(tmp_path / "runs" / "a")
    assert place("a/../b") == str(tmp_path / "b") and place("runs/a") == "runs/a"


@pytest.mark.parametrize("reason", ["", "Unable to initialize backend 'cuda'."])
def test_no_device_is_a_line(monkeypatch, reason):
    # Kills: JAX's traceback where JAX_PLATFORMS names a platform that is not installed; a fault that is hidden by it.
    def devices():
        raise AssertionError(reason)

    fault = ZeroDivisionError()
    assert explain(fault) == (None, "")
    monkeypatch.setattr(jax, "devices", devices)
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    code, line = explain(fault)
    assert code == 1 and line.startswith("JAX finds no device") and "unset JAX_PLATFORMS, which is 'cuda'" in line
    assert reason.rstrip(".") in line and ".)" not in line


def test_a_command_computes_in_float32(monkeypatch):
    # Kills: float64 params of convolutions, and a traceback, where the user's other programs want JAX_ENABLE_X64.
    seen = {}
    monkeypatch.setattr(os, "environ", {"JAX_ENABLE_X64": "1", "JAX_NUMPY_DTYPE_PROMOTION": "strict"})
    monkeypatch.setattr(__main__.signals, "for_life", list)  # which this process would keep
    monkeypatch.setattr(cli, "main", lambda early: seen.update(os.environ))
    monkeypatch.setattr(cli, "leave", lambda code: None)
    __main__.enter()
    assert (
        seen == __main__.SETTLED and seen["JAX_ENABLE_X64"] == "0" and seen["JAX_DEFAULT_PRNG_IMPL"] == "threefry2x32"
    )
