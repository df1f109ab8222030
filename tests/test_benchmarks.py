"""The benchmarks: our side, the workers, and the smallest form of each row."""

import contextlib
import importlib
import json
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks import __main__ as door
from benchmarks import figures, gan_2d, interleave, loop, measuring, mlp_vae, ours, startup, training, worker
from benchmarks.interleave import Measured, Variant
from jaxgen.core import Aux, Game
from jaxgen.runs import progress
from jaxgen.system import allocator
from jaxgen.training.program import Plan, compile_loop
from jaxgen.training.sources import arrays

ROOT = Path(door.__file__).parent.parent
KEYS = {"name", "unit", "ours", "peers", "ratio", "limit_fraction", "compile_s"}
WHERE = {"machine", "versions", "threads", "load_average", "rounds"}


def test_work_is_counted():
    # Kills: a gradient in the images or points counted; one of a layer left out; a factor of two.
    def dense(sizes, into_input=True):
        products = [a * b for a, b in zip(sizes[:-1], sizes[1:], strict=True)]
        return sum(3 * p for p in products) - (0 if into_input else products[0])

    per_image = dense((784, 400, 40), into_input=False) + dense((20, 400, 784))
    assert mlp_vae.flops(128, 400) == 2 * 128 * per_image == 419_840_000
    critic, generator = (2, 128, 128, 128, 1), (16, 128, 128, 128, 2)
    forward = {sizes: dense(sizes) // 3 for sizes in (critic, generator)}
    critic_turn = forward[generator] + 2 * dense(critic, into_input=False)
    generator_turn = dense(generator, into_input=False) + 2 * forward[critic]
    assert gan_2d.flops(256, 128) == 2 * 256 * (critic_turn + generator_turn)


def test_recorded_noise_is_what_the_step_draws():
    # Kills: a record of another step's or turn's noise, which would let a wrong step agree.
    def loss(params, noise, batch, context):
        return jnp.sum(params["p"] * noise["b"]), Aux({"first": noise["a"][0], "second": noise["b"][0]})

    game = Game(
        init=lambda key, batch: ({"p": jnp.zeros(2)}, {}),
        draw=lambda key, batch: {"a": jax.random.normal(key, (1,)), "b": jax.random.uniform(key, (1,))},
        losses={"p": loss, "p:again": loss},
        model=lambda params, state: None,
    )
    plan = Plan(game, {"p": optax.sgd(0.1)}, (("p",), ("p:again",)))
    source, at, key = arrays(np.ones((4, 1), np.float32)), np.zeros((3, 2, 1), np.int32), jax.random.key(3)
    program = compile_loop(plan, source, batch_size=1, chunk=3)
    _, infos = program.advance(program.init(jax.random.key(0)), key, at)
    drawn = [[infos[turn][part] for part in ("first", "second")] for turn in ("p", "p:again")]
    recorded = np.concatenate(ours.noise_of(plan, key, source, at), -1)
    np.testing.assert_array_equal(np.moveaxis(drawn, 2, 0), recorded)


def test_first_steps_need_not_fit_a_chunk(tmp_path):
    # Kills: the first 20 losses cut at the end of a chunk or of a block; a turn that comes twice told twice; noise or
    # indices of fewer steps than losses.
    def loss(params, noise, batch, context):
        return jnp.sum((params["p"] - jnp.mean(batch.x)) ** 2) * noise, Aux()

    game = Game(
        init=lambda key, batch: ({"p": jnp.zeros(2), "q": jnp.ones(2)}, {}),
        draw=lambda key, batch: jax.random.uniform(key),
        losses={"p": loss, "q": lambda params, noise, batch, context: (jnp.sum(params["q"] ** 2), Aux())},
        model=lambda params, state: None,
    )
    plan = Plan(game, {"p": optax.sgd(0.01), "q": optax.sgd(0.01)}, (("p",), ("p",), ("q",)))
    x = np.arange(8, dtype=np.float32)[:, None]
    work = ours.played(plan, x, batch=2, chunk=6, chunks=1)
    said = np.reshape(work.losses(tmp_path / "record.npz"), (10, 2))
    with np.load(tmp_path / "record.npz") as record:
        at, noise = record["at"], record["noise/0"]
    assert at.shape == (10, 3, 2) and noise.shape == (10, 3)
    np.testing.assert_allclose(said[:, 1], 2 * 0.98 ** (2 * np.arange(10)), rtol=1e-5)
    p = 0.0
    for n in range(10):
        for t in (0, 1):
            gap = p - x[at[n, t]].mean()
            last, p = 2 * gap**2 * noise[n, t], p - 0.01 * 2 * gap * noise[n, t]
        np.testing.assert_allclose(said[n, 0], last, rtol=1e-4)


def test_what_a_comparison_may_take():
    # Kills: loading or preparing left out of the time; a ratio turned over; the 2 GiB left out; MiB for bytes.
    spent = measuring.Spent(10, 1 << 30, preparing=30.0, training=20.0, measuring=90.0, peak_bytes=7 << 29)
    assert spent.time_ratio == (30 + 90) / (20 + 60) and spent.memory_ratio == 1


def test_images_are_made_alike_and_no_two_are():
    # Kills: images of another seed in each run; blocks that repeat; a kind of object that is never drawn.
    x, label = measuring.images(measuring.BLOCK + 20, 8)
    np.testing.assert_array_equal(x, measuring.images(measuring.BLOCK + 20, 8)[0])
    assert len({image.tobytes() for image in x}) == len(x) and set(label) == set(range(measuring.CLASSES))


@contextlib.contextmanager
def here(name, variant, folder):
    """A worker in this process, which has JAX already."""
    module, _, function = variant.target.partition(":")
    work = getattr(importlib.import_module(module), function)(**variant.size)

    def ask(order):
        if order is None:
            return {"facts": work.facts}
        return worker.played(work) if order["do"] == "block" else {"losses": work.losses(Path(order["path"]))}

    yield ask


LONG = ("conv_vae", "dcgan", "wgan_gp", "measuring")  # to compile


@pytest.mark.parametrize("long", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_all_without_torch(long, monkeypatch, tmp_path, capsys):
    # Kills: a row that needs its peer; a reason that is not said; JSON of another shape; a row missing from "all".
    find_spec, file = interleave.importlib.util.find_spec, tmp_path / "rows.json"
    monkeypatch.setattr(interleave.importlib.util, "find_spec", lambda n: None if n == "torch" else find_spec(n))
    monkeypatch.setattr(interleave, "SETTLE", 0.0)
    monkeypatch.setattr(interleave, "_worker", here)
    monkeypatch.setattr(allocator, "keep_freed_memory", lambda: False)  # it would hold for all other tests
    monkeypatch.setattr(progress, "shown", progress.shown)  # which the row `loop` wraps
    for commands, name in ((startup.COMMANDS, "import jax"), (startup.BESIDE, "jaxgen.fit")):
        monkeypatch.setitem(commands, name, ["-c", "pass"])  # seconds of imports that say nothing here
    assert {"mlp_vae", "gan_2d", *LONG, "estimators", "loop", "startup"} == set(door.ROWS)
    monkeypatch.setattr(door, "ROWS", {name: row for name, row in door.ROWS.items() if (name in LONG) == long})
    assert door.main(["all", "--quick", "--json", str(file)]) == 0
    rows, said = json.loads(file.read_text()), capsys.readouterr().out
    assert [row["name"] for row in rows] == list(door.ROWS)
    for row in rows:
        assert set(row) >= KEYS | WHERE
        assert set(row["ratio"]) == set(row["peers"]) == set(row["figures"]) - {"ours"}
        assert row["ours"] > 0 and row["rounds"] == door.QUICK_ROUNDS
        assert row["threads"] == interleave.THREADS and row["versions"]["jax"] == jax.__version__
    by_name = {row["name"]: row for row in rows}
    peers, as_met = {"torch eager", "torch compile"}, {"eager as met", "compile as met"}
    skipped = dict.fromkeys(("mlp_vae", "gan_2d", "estimators"), peers)
    skipped |= dict.fromkeys(("conv_vae", "dcgan"), peers | as_met)
    skipped["wgan_gp"] = peers | as_met | {training.EXACT}
    skipped = {name: left_out for name, left_out in skipped.items() if name in by_name}
    for name, left_out in skipped.items():
        assert by_name[name]["peers"] == {} and set(by_name[name]["skipped"]) == left_out
        assert by_name[name]["compile_s"] > 0 and by_name[name]["peak_mib"]["ours"] > 0
        assert name == "estimators" or 0 < by_name[name]["limit_fraction"] < 1
    if not long:
        assert set(by_name["loop"]["peers"]) == {"bare loop"} and set(by_name["startup"]["peers"]) == {"import jax"}
        assert by_name["startup"]["beside_s"]["jaxgen --help"] > 0
    else:
        (spent,) = by_name["measuring"]["spent"]
        assert min(spent[part] for part in ("preparing", "training", "measuring", "peak_bytes")) > 0
    assert said.count("pip install -e '.[bench]'") == sum(map(len, skipped.values()))
    assert max(map(len, said.splitlines()[3:])) <= 100


@pytest.mark.slow
@pytest.mark.parametrize("row", [name for name in door.ROWS if name not in ("loop", "startup", "measuring")])
def test_both_sides_do_the_same(row):
    # Kills: a loss, optimiser, layer or activation that differs between the sides; noise or batches of another step.
    pytest.importorskip("torch")
    made = door.ROWS[row](rounds=1, quick=True)
    exact = {training.EXACT} if row == "wgan_gp" else set()  # which is compared, and not timed
    assert not made["skipped"] and set(made["agreement"]) == set(made["peers"]) | exact
    assert all(apart < figures.CLOSE for apart in made["agreement"].values()), made["agreement"]


def test_a_worker_answers(monkeypatch):
    # Kills: a worker whose answers a library's print disturbs; one that runs on more threads than are stated.
    monkeypatch.setattr(interleave, "SETTLE", 0.0)
    variant = Variant("benchmarks.ceiling:sgemm", {"side": 64, "repeats": 1}, optional=False)
    found = interleave.interleave({"ours": variant}, rounds=1)
    assert found.blocks["ours"][0] > 0 and found.facts["ours"]["threads"] == interleave.THREADS
    prints = interleave.interleave({"peer": Variant("builtins:print", {"sep": " "})}, rounds=1)
    assert "AttributeError" in prints.skipped["peer"]


def test_a_peer_that_fails_is_a_reason():
    # Kills: a run that dies of its peer; a hidden failure of our own side.
    broken = Variant("benchmarks.nosuch:eager", {})
    found = interleave.interleave({"peer": broken}, rounds=1)
    assert "No module named 'benchmarks.nosuch'" in found.skipped["peer"] and found.blocks == {}
    with pytest.raises(RuntimeError, match="ours: ModuleNotFoundError"):
        interleave.interleave({"ours": broken._replace(optional=False)}, rounds=1)


def test_variants_take_turns(monkeypatch):
    # Kills: A A B B; a warm round that is counted; a variant that is started after the clock.
    orders = []

    class Worker:
        def __init__(self, name, variant, folder):
            self.name = name

        def __enter__(self):
            return self.ask

        def __exit__(self, *error):
            return None

        def ask(self, order):
            orders.append((self.name, None if order is None else order["do"]))
            return {"facts": {}} if order is None else {"block": float(len(orders)), "peak_mib": float(len(orders))}

    monkeypatch.setattr(interleave, "_worker", Worker)
    monkeypatch.setattr(interleave, "SETTLE", 0.0)
    found = interleave.interleave({name: Variant("x:y", {}) for name in "AB"}, rounds=2)
    assert orders == [("A", None), ("B", None), *[("A", "block"), ("B", "block")] * 3]
    assert found == Measured({"A": [5.0, 7.0], "B": [6.0, 8.0]}, {"A": {}, "B": {}}, {}, {}, {"A": 7.0, "B": 8.0})


def test_loop_refuses_another_chunk():
    # Kills: a bare loop of another chunk length than the one that `fit` plays.
    with pytest.raises(ValueError, match="100 steps per dispatch"):
        loop.full(**{**loop.QUICK, "chunk": 20}, blocks=1)


def test_command_line(tmp_path):
    # Kills: a traceback, or a run of minutes, before a wrong name or folder is refused.
    for words in (["nosuch"], ["all", "--json", str(tmp_path / "no" / "rows.json")]):
        found = subprocess.run(
            [sys.executable, "-m", "benchmarks", *words], cwd=ROOT, capture_output=True, text=True, timeout=60
        )
        assert found.returncode == 2 and "Traceback" not in found.stderr
        assert words[0] in found.stderr or "no such folder" in found.stderr
    assert startup.COMMANDS["ours"][-1] == "import jaxgen"
