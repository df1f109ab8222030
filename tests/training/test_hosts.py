"""Several processes train what one would, and end together.

The slow ones, some three minutes: `pytest -m slow tests/training/test_hosts.py`.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from toys import apply, dense

from jaxgen.cli import main
from jaxgen.core import Aux, BadRequest, Game
from jaxgen.system import hosts
from jaxgen.training import devices
from jaxgen.training.checkpoint import steps as saved
from jaxgen.training.loop import train
from jaxgen.training.program import Plan, compile_loop, run_keys
from jaxgen.training.sources import arrays

PATIENCE = 240.0  # seconds for whatever is waited for
WORKER = Path(__file__).with_name("several.py")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(words, log, count=2):
    """A process of `count` simulated CPU devices."""
    environment = {**os.environ, "XLA_FLAGS": f"--xla_force_host_platform_device_count={count}", "JAX_PLATFORMS": "cpu"}
    with open(log, "w") as stderr:
        return subprocess.Popen([sys.executable, *map(str, words)], stdout=stderr, stderr=stderr, env=environment)


def together(tmp_path, *words):
    """Two processes of `jaxgen train`."""
    coordinator = ("--coordinator", f"127.0.0.1:{free_port()}", "--processes", 2, "--process")
    commands = [("-m", "jaxgen", "train", *words, *coordinator, i) for i in range(2)]
    return [start(command, tmp_path / f"log{i}") for i, command in enumerate(commands)]


def wait_for(ready, processes, seconds=PATIENCE):
    limit = time.monotonic() + seconds
    while not ready():
        assert all(process.poll() is None for process in processes), "a process ended before its time"
        assert time.monotonic() < limit
        time.sleep(0.05)


def said(tmp_path, process):
    """What a process said itself: not the log lines of JAX, nor the trace that it prints."""
    return [line for line in (tmp_path / f"log{process}").read_text().splitlines() if line.startswith("jaxgen:")]


def test_alone_a_process_agrees_with_itself():
    # Kills: a dispatch, or a look for others, in a process that is alone.
    assert hosts.writes() and not hosts.several()
    assert hosts.agreed(7) == 7 and hosts.same(7)
    tree = {"a": np.zeros(2), "b": jnp.ones(3)}
    assert hosts.local(tree) is tree
    with pytest.raises(BadRequest, match="no"):
        hosts.settle(lambda: _raise(BadRequest("no")))


def _raise(error):
    raise error


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--coordinator", "127.0.0.1:1234"], "--processes N and --process I together"),
        (["--process", "1"], "--processes N and --process I together"),
        (["--distributed", "--processes", "2"], "--distributed finds the other processes itself"),
        (["--coordinator", "here", "--processes", "2", "--process", "0"], "it must be HOST:PORT"),
        (["--coordinator", "a:99999", "--processes", "2", "--process", "0"], "it must be HOST:PORT"),
        (["--coordinator", "a:1", "--processes", "2", "--process", "2"], "it must be from 0 to 1"),
    ],
)
def test_processes_that_cannot_be_are_refused(capsys, words, says):
    # Kills: a wait of minutes for processes that are never started; a traceback.
    assert main(["train", "vae", "--out", "/nowhere/else", "--steps", "1", *words]) == 2
    assert says in capsys.readouterr().err


def test_copies_for_a_mesh_are_its_own():
    # Kills: a restored array that shares its buffer with what it was made of, and is donated.
    mesh = devices.make_mesh(jax.devices()[:4])
    a = np.arange(6.0, dtype=np.float32)
    copies = devices.put_copies({"a": a, "n": jnp.int32(3)}, mesh)
    a[:] = 0
    assert copies["a"].sharding.is_fully_replicated and len(copies["a"].sharding.device_set) == 4
    np.testing.assert_array_equal(copies["a"], np.arange(6))
    for shard in copies["a"].addressable_shards:
        np.testing.assert_array_equal(shard.data, np.arange(6))
    mine = jnp.ones(100)
    pointers = {part.data.unsafe_buffer_pointer() for part in devices.put_copies(mine, mesh).addressable_shards}
    assert len(pointers) == 4 and mine.unsafe_buffer_pointer() not in pointers


def regression() -> Plan:
    """A network that is fitted to a function of its input; it draws nothing, so parts of a batch are the batch."""

    def loss(params, noise, batch, context):
        y = apply(params["net"], batch.x)
        return jnp.mean((y - jnp.sin(3 * batch.x[:, :1])) ** 2), Aux()

    def init(key, batch):
        return {"net": dense(key, 3, 16, 1)}, {}

    return Plan(
        Game(init, lambda key, batch: (), {"net": loss}, lambda params, state: None),
        {"net": optax.adam(0.01)},
        (("net",),),
    )


def test_micro_batches_on_four_devices_are_the_whole_batch():
    # Kills: a mean over the parts of one device only; parts that see an example twice; a sum for a mean.
    x = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
    keys, ends = run_keys(0), []
    for micro, mesh in ((1, None), (4, devices.make_mesh(jax.devices()[:4]))):
        program = compile_loop(regression()._replace(micro=micro), arrays(x), batch_size=32, chunk=5, mesh=mesh)
        *_, last = train(program, program.init(keys.init), keys, steps=10)
        ends.append((last.state.params, last.info["net"]["loss"]))
    for a, b in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def equal_one(tmp_path, recipe, steps):
    port = free_port()
    two = [start((WORKER, i, 2, port, tmp_path / "two", recipe, steps), tmp_path / f"log{i}") for i in range(2)]
    assert [process.wait(PATIENCE) for process in two] == [0, 0], (tmp_path / "log1").read_text()[-2000:]
    assert start((WORKER, 0, 1, port, tmp_path / "one", recipe, steps), tmp_path / "log", 1).wait(PATIENCE) == 0
    one, other = (np.load(tmp_path / f"{name}.npz") for name in ("one", "two"))
    for name in one.files:
        gap = np.linalg.norm(one[name] - other[name])
        assert gap <= 1e-5 * np.linalg.norm(one[name]), (name, gap, np.linalg.norm(one[name]))
    assert saved(tmp_path / "two" / "checkpoints") == [0, steps]
    lines = [json.loads(line) for line in (tmp_path / "two" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [steps]
    assert (tmp_path / "two" / "samples" / "data.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "steps"), [("vae", 8), ("r3gan", 6), ("hinge_sn", 6)])
def test_two_processes_are_one(tmp_path, recipe, steps):
    # Kills: a gradient summed over processes; a part of a batch that two processes read, or none; noise, keys or a
    # first batch by process; both processes writing; a model that only works if all processes call it.
    # Over gloo on the loopback address, two devices each: `pytest -m slow tests/training/test_hosts.py -k are_one`.
    equal_one(tmp_path, recipe, steps)


@pytest.mark.slow
@pytest.mark.parametrize("victim", [0, 1])
def test_one_is_killed_and_the_other_ends(tmp_path, victim):
    # Kills: a process that waits for ever, or ends in an abort and a core dump; a run that cannot go on, or goes on
    # in other bits. `pytest -m slow tests/training/test_hosts.py -k killed`.
    out, words = tmp_path / "run", ("vae", "--seed", 3, "--batch-size", 32)
    processes = together(tmp_path, *words, "--out", out, "--steps", 100000)
    wait_for(lambda: (out / "metrics.jsonl").exists(), processes)
    processes[victim].kill()
    processes[victim].wait()
    began = time.monotonic()
    assert processes[1 - victim].wait(60) == 1
    print(f"the other ended after {time.monotonic() - began:.1f} s")
    assert len(said(tmp_path, 1 - victim)) == 1 and "another process of this run ended" in said(tmp_path, 1 - victim)[0]
    assert saved(out / "checkpoints") == [0]
    whole = tmp_path / "whole"
    for folder, command in (
        (out, ("--resume", out, "--steps", 100)),
        (whole, (*words, "--out", whole, "--steps", 100)),
    ):
        assert [process.wait(PATIENCE) for process in together(tmp_path, *command)] == [0, 0]
        assert saved(folder / "checkpoints") == [0, 100]
    digests = [json.loads((f / "checkpoints/100/record.json").read_text())["leaves"] for f in (out, whole)]
    assert digests[0] == digests[1]


@pytest.mark.slow
def test_a_signal_to_one_stops_all(tmp_path):
    # Kills: a signal that only the process that writes hears; a second folder, lock or line of metrics; one that ends
    # before all is saved. `pytest -m slow tests/training/test_hosts.py -k signal`.
    out = tmp_path / "run"
    processes = together(tmp_path, "vae", "--batch-size", 32, "--out", out, "--steps", 100000)
    wait_for(lambda: (out / "metrics.jsonl").exists(), processes)
    processes[1].send_signal(signal.SIGTERM)
    assert [process.wait(PATIENCE) for process in processes] == [143, 143]
    lines = (out / "metrics.jsonl").read_text().splitlines()
    assert saved(out / "checkpoints")[-1] == json.loads(lines[-1])["step"] == 100 * len(lines)
    assert all("stopped by SIGTERM" in said(tmp_path, i)[0] for i in range(2))
    again = together(tmp_path, "vae", "--out", out, "--steps", 10)
    assert [process.wait(PATIENCE) for process in again] == [2, 2]
    assert all("exists and is not empty" in said(tmp_path, i)[0] for i in range(2))
