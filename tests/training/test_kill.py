"""SIGKILL at any moment: the resumed run ends in the bits of one that nothing happened to."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killed import X
from toys import linear

from jaxgen.runs import run
from jaxgen.training.checkpoint import steps

PATIENCE = 240.0  # seconds for whatever is waited for


def start(out, recipe, steps, log, *pause):
    words = [str(Path(__file__).with_name("killed.py")), str(out), recipe, str(steps), *map(str, pause)]
    with open(log, "w") as stderr:
        return subprocess.Popen([sys.executable, *words], stderr=stderr)


def kill_when(process, ready):
    limit = time.monotonic() + PATIENCE
    while not ready():
        assert process.poll() is None, "the run ended before it could be killed"
        assert time.monotonic() < limit
        time.sleep(0.002)
    process.kill()
    process.wait()


def leaves(out, step):
    """The digests of all leaves, as the checkpoint recorded them."""
    return json.loads((out / "checkpoints" / str(step) / "record.json").read_text())["leaves"]


def check_end(killed, whole, steps):
    # Kills: optimiser, average, state, noise or position that is not what it was; a half-written step taken for one.
    assert leaves(killed, steps) == leaves(whole, steps)
    lines = (killed / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(100, steps + 1, 100))
    assert not list((killed / "checkpoints").glob(".*"))


def test_one_kill_inside_a_save(tmp_path, capsys):
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = start(killed, "linear", 500, tmp_path / "log", 300)
    kill_when(process, (killed / "paused").exists)
    assert steps(killed / "checkpoints") == [100, 200] and list((killed / "checkpoints").glob(".300.partial"))
    run.resume(killed, what=linear(ema=0.05), data=X)
    assert "resumed at 200\n" in capsys.readouterr().err
    run.fit(linear(ema=0.05), X, steps=500, batch_size=16, out=whole)
    check_end(killed, whole, 500)


@pytest.mark.slow
def test_a_hundred_kills(tmp_path):
    # Kills: see `check_end`; a part of a save that is not looked at, such as the rename or the removal of older steps.
    found = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("kills.py")), str(tmp_path)], capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr
    kills = inside = 0
    for line in found.stdout.splitlines():
        ((name, run),) = json.loads(line).items()
        assert leaves(tmp_path / name / "killed", run["end"]) == leaves(tmp_path / name / "whole", run["end"]), name
        lines = (tmp_path / name / "killed" / "metrics.jsonl").read_text().splitlines()
        assert [json.loads(line)["step"] for line in lines] == list(range(10, run["end"] + 1, 10))
        assert run["half"] > 0, "no kill left a save half done"
        kills, inside = kills + run["kills"], inside + run["inside"]
        print(name, run)
    assert (kills, inside) == (100, 30)
    print(f"{kills} of 100 kills, {inside} inside a save: bitwise equal to the unbroken run")
