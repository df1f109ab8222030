"""SIGKILL at any moment: the resumed run ends in the bits of one that nothing happened to."""

import json
import re
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
@pytest.mark.parametrize("recipe", ["wgan_gp", "vae"])
def test_five_kills_one_of_them_inside_a_save(tmp_path, recipe):
    killed, whole, end, last = tmp_path / "killed", tmp_path / "whole", 2400, 0
    assert start(whole, recipe, end, tmp_path / "log").wait(PATIENCE) == 0
    for kill in range(5):
        log, inside = tmp_path / f"log{kill}", kill == 2
        process = start(killed, recipe, end, log, *([last + 101] if inside else []))
        if inside:
            kill_when(process, (killed / "paused").exists)
            (killed / "paused").unlink()
            assert list((killed / "checkpoints").glob(".*.partial"))
        else:
            kill_when(process, lambda last=last: (steps(killed / "checkpoints") or [0])[-1] > last)
        assert kill == 0 or f"resumed at {last}\n" in log.read_text()
        before, last = last, steps(killed / "checkpoints")[-1]
        assert before < last < end, "each kill comes after a new commit and before the end"
    assert start(killed, recipe, end, tmp_path / "log").wait(PATIENCE) == 0
    assert re.search(rf"^resumed at {last}$", (tmp_path / "log").read_text(), re.MULTILINE)
    check_end(killed, whole, end)
