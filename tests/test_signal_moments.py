"""Forty signals at random moments of `train`, `compare` and `prepare`: `pytest -s -m slow tests/test_signal_moments.py`

Half of the moments are drawn from the processor time that a command takes, from its first import to its end, so that a
busy machine does not move them; the other half from the times that it opens, makes, renames or removes something in its
folder.
"""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "data"))

from jaxgen.comparison import ledger
from jaxgen.runs import run
from jaxgen.system.signals import STOPS
from jaxgen.training import checkpoint

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc tells the time of another process"),
]
MOMENTS = 40
STEPS, SEEDS = 2000, 2
PATIENCE = 900.0  # seconds for a command
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture(autouse=True)
def little_compilation():
    """Here as in the processes that are signalled, whose bits are compared."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


def words(command, folder, given):
    """A command that writes to `folder` and ends soon."""
    return {
        "train": ["train", "vae", "--data", "ring8", "--steps", str(STEPS), "--out", folder],
        "compare": [
            *("compare", "--data", str(given / "x.npz"), "--models", "vae,gan", "--settings", "synthesis"),
            *("--seconds-per-model", "0.1", "--seeds", str(SEEDS), "--out", folder),
        ],
        "prepare": ["prepare", "fashion_mnist", "--from", str(given), "--data-dir", folder],
    }[command]


def environment(command, given):
    own = {**os.environ, "TFDS_DATA_DIR": str(given), "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    if command == "compare":  # `train` compiles as a user does, each time
        own |= {"JAX_COMPILATION_CACHE_DIR": str(given / "programs"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    return own


def start(command, folder, given, number=0, event=0, log=subprocess.DEVNULL):
    driver = [sys.executable, str(Path(__file__).with_name("signalled.py")), str(folder), str(number), str(event)]
    own = environment(command, given)
    return subprocess.Popen(
        [*driver, *words(command, str(folder), given)], stdout=subprocess.PIPE, stderr=log, text=True, env=own
    )


def processor_time(process) -> float:
    """Seconds that a process has computed, all threads together."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait(process, moment=None):
    """Waits until `process` has computed for `moment`, or has ended; returns the time that it computed."""
    limit, spent = time.monotonic() + PATIENCE, 0.0
    while process.poll() is None and (moment is None or spent < moment):
        assert time.monotonic() < limit
        try:
            spent = max(spent, processor_time(process))
        except (ValueError, FileNotFoundError):
            pass
        time.sleep(0.002)
    return spent


def signalled(command, folder, given, number, *, moment=None, event=0):
    """The code and stderr of a command that gets a signal; None of one that ended before it."""
    with open(f"{folder}.log", "w") as log:
        process = start(command, folder, given, number if event else 0, event, log)
    if not event:
        wait(process, moment)
        process.send_signal(number)  # nothing, if it has ended
    process.communicate(timeout=PATIENCE)
    text = Path(f"{folder}.log").read_text()
    return None if process.returncode == 0 else (process.returncode, text)


def check_line(code, text, number):
    # Kills: the default action, which says nothing; an exception that Python prints and forgets; a traceback.
    assert code == 128 + number, (code, text)
    lines = text.splitlines()
    assert lines and lines[-1].startswith("jaxgen: ") and signal.Signals(number).name in lines[-1], text
    assert sum(line.startswith("jaxgen: ") for line in lines) == 1, text
    assert not any(word in text for word in ("Traceback", "Exception ignored", "Fatal")), text


def check_train(folder, given, whole):
    # Kills: a folder without a checkpoint; a resumed run that is not the unbroken one.
    if not folder.exists():
        return "nothing"
    assert not list((folder / "checkpoints").glob(".*")) and checkpoint.steps(folder / "checkpoints")
    run.resume(folder)
    leaves = [
        json.loads((out / "checkpoints" / str(STEPS) / "record.json").read_text())["leaves"] for out in (folder, whole)
    ]
    assert leaves[0] == leaves[1]
    return "resumed"


def check_compare(folder, given, whole):
    # Kills: a report that counts a seed which is not on the disk; a model without its checkpoint; a `--resume` that is
    # advised and refused.
    if not folder.exists():
        return "nothing"
    left = json.loads((folder / "report.json").read_text())
    asked, _, _ = ledger.read(folder)
    outcomes, baselines = ledger.load(folder)
    done = left["protocol"]["seeds"]
    assert list(baselines) == [list(by_seed) for by_seed in outcomes.values()][0] == list(range(done))
    assert asked["seeds"] == SEEDS and (folder / "report.html").read_text().rstrip().endswith("</html>")
    assert all(checkpoint.steps(model / "checkpoints") for model in (folder / "models").iterdir())
    if done == SEEDS:
        return "all seeds"
    process = subprocess.run(
        [sys.executable, "-m", "jaxgen", "compare", "--resume", str(folder)],
        capture_output=True,
        text=True,
        env=environment("compare", given),
    )
    assert process.returncode == 0, process.stderr
    assert json.loads((folder / "report.json").read_text())["protocol"]["seeds"] == SEEDS
    return f"{done} seeds, resumed"


def check_prepare(folder, given, whole):
    # Kills: a half-written set, or the stage that it is made in, left behind.
    if not folder.exists():
        return "nothing"
    (made,) = folder.iterdir()
    assert made.name == "fashion_mnist", list(folder.rglob("*"))
    (version,) = made.iterdir()
    assert {p.name for p in version.iterdir()} == {p.name for p in (whole / "fashion_mnist" / version.name).iterdir()}
    return "prepared"


CHECKS = {"train": check_train, "compare": check_compare, "prepare": check_prepare}


@pytest.mark.parametrize("command, count", [("train", 14), ("compare", 12), ("prepare", 14)])
def test_signals_at_random_moments(tmp_path, command, count):
    from toy_sets import contents

    given, whole, rng = tmp_path / "given", tmp_path / "whole", random.Random(command)
    given.mkdir()
    for name, content in contents().items():
        (given / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
    np.savez(given / "x.npz", x=np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32))
    process = start(command, whole, given)
    total = wait(process)
    process.communicate()
    assert process.returncode == 0
    events = int(Path(f"{whole}.events").read_text())
    kept = 0
    while kept < count:
        folder, number = tmp_path / f"a{kept}" / "b", STOPS[kept % len(STOPS)]
        folder.parent.mkdir(exist_ok=True)
        at = {"event": rng.randint(1, events)} if kept % 2 else {"moment": rng.uniform(0.05, total)}
        found = signalled(command, folder, given, number, **at)
        if found is None:  # it had ended: another folder and moment
            folder.parent.rename(tmp_path / f"ended{time.monotonic_ns()}")
            continue
        check_line(*found, number)
        left = CHECKS[command](folder, given, whole)
        kept += 1
        print(f"{command} {kept}: {signal.Signals(number).name} at {at}: {left}; {found[1].splitlines()[-1][:90]}")
    print(f"{command}: {kept} of {count} (of {MOMENTS} in all), {total:.1f} s of processor time, {events} file events")
