"""The benchmarks: their arithmetic on made-up times, and the smallest form of each row."""

import contextlib
import doctest
import importlib
import json
import math
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from benchmarks import __main__ as door
from benchmarks import figures, gan_2d, interleave, loop, mlp_vae, ours, startup
from benchmarks.figures import Ratio, Target
from benchmarks.interleave import Measured, Variant
from jaxgen.core import Game, Note
from jaxgen.training import progress
from jaxgen.training.loop import Plan, compile_loop

ROOT = Path(door.__file__).parent.parent
KEYS = {"name", "unit", "ours", "peers", "ratio", "limit_fraction", "compile_s"}
WHERE = {"machine", "versions", "threads", "load_average", "rounds"}


def test_ratio_pairs_rounds():
    # Kills: a ratio of medians (2.5 here); a mean (4.67); peer over ours; a spread of all against all.
    # A machine that slows down by ten for a round slows both sides, and the pairs do not see it.
    slow_round = figures.ratio([20.0, 2.0, 60.0], [10.0, 1.0, 6.0])
    assert slow_round == Ratio(2.0, 2.0, 10.0)
    with pytest.raises(ValueError, match="zip"):
        figures.ratio([1.0], [1.0, 2.0])


@pytest.mark.parametrize(
    ("low", "high", "resolved"), [(1.01, 1.4, True), (0.5, 0.99, True), (0.98, 1.4, False), (1.0, 1.4, False)]
)
def test_resolved(low, high, resolved):
    # Kills: a difference that is called one where the pairs fall on both sides of 1; `or` for `and` between the sides.
    assert Ratio(1.2, low, high).resolved is resolved


def test_not_resolved_is_printed():
    # Kills: a ratio within the spread printed as a result; the words printed beside one that is resolved.
    made = figures.row("r", "t", "images/s", {"ours": [3.0, 1.0], "a": [2.0, 2.0], "b": [0.5, 0.5]})
    lines = {line.split()[0]: line for line in figures.table(made).splitlines()}
    assert made["resolved"] == {"a": False, "b": True}
    assert "not resolved" in lines["a"] and "not resolved" not in lines["b"]


def test_row():
    # Kills: ours among the peers; best and worst swapped where seconds are better small; a median of ratios for ours.
    made = figures.row(
        "r", "t", "s", {"ours": [3.0, 1.0, 2.0], "jax": [4.0, 4.0, 1.0]}, compile_s={"ours": 0.5, "jax": 0.25}
    )
    assert (made["ours"], made["peers"], made["ratio"]) == (2.0, {"jax": 4.0}, {"jax": 0.75})
    assert (made["compile_s"], made["peers_compile_s"], made["rounds"]) == (0.5, {"jax": 0.25}, 3)
    mine = next(line.split() for line in figures.table(made).splitlines() if line.startswith("  ours"))
    assert mine == ["ours", "2", "1", "3", "0.5"]
    mine = figures.table({**made, "unit": "images/s"}).splitlines()[2].split()
    assert mine == ["ours", "2", "3", "1", "0.5"]


def test_target_wants_every_peer():
    # Kills: `any` for `all`, which compares with the weakest peer; at most for at least; a verdict without a peer.
    weak, strong = Ratio(2.0, 1.9, 2.1), Ratio(1.2, 1.1, 1.3)
    assert figures.met(Target(1.5, least=True), {"weak": weak}) is True
    assert figures.met(Target(1.5, least=True), {"weak": weak, "strong": strong}) is False
    assert figures.met(Target(1.5, least=False), {"strong": strong}) is True
    assert figures.met(Target(1.5, least=True), {}) is None
    assert figures.verdict({"bound": 1.5, "least": True, "met": False}).endswith("MISSED")


def test_agreement():
    # Kills: a NaN that `max` passes over; an absolute difference; a mean.
    assert figures.agreement([100.0, 2.0], [101.0, 2.0]) == pytest.approx(0.01)
    assert figures.agreement([1.0, 1.0], [math.nan, 1.0]) == math.inf


def test_table_fits():
    # Kills: a long reason that is not wrapped; a column that runs over.
    spread = {"ours": [123456.7, 123.4567], "torch compile": [0.001234567, 98765.4321]}
    made = figures.row("r", "t", "images/s", spread, skipped={"torch eager": "long words " * 30}, notes=["word " * 60])
    assert max(map(len, figures.table(made).splitlines())) <= 100


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
    # Kills: a record of another round's or turn's noise, which would let a wrong step agree.
    def loss(params, noise, batch, memo):
        return jnp.sum(params["p"] * noise), Note({"first": noise[0], "second": noise[1]})

    game = Game(
        init=lambda key, batch: ({"p": jnp.zeros(2)}, {}),
        draw=lambda key, batch: jax.random.normal(key, (2,)),
        losses={"p": loss, "p:again": loss},
        model=lambda params, carry: None,
    )
    plan = Plan(game, {"p": optax.sgd(0.1)}, (("p",), ("p:again",)))
    x, at, key = np.ones((4, 1), np.float32), np.zeros((3, 2, 1), np.int32), jax.random.key(3)
    program = compile_loop(plan, x, batch_size=1, chunk=3)
    _, infos = program.advance(program.init(jax.random.key(0)), key, at)
    drawn = [[infos[turn][part] for part in ("first", "second")] for turn in ("p", "p:again")]
    np.testing.assert_array_equal(np.moveaxis(drawn, 2, 0), ours.noise_of(plan, key, x, at))


@contextlib.contextmanager
def here(name, variant, folder):
    """A worker in this process, which has JAX already."""
    module, _, function = variant.target.partition(":")
    work = getattr(importlib.import_module(module), function)(**variant.size)

    def ask(order):
        if order is None:
            return {"facts": work.facts}
        return {"block": work.block()} if order["do"] == "block" else {"losses": work.losses(Path(order["path"]))}

    yield ask


def test_all_without_torch(monkeypatch, tmp_path, capsys):
    # Kills: a row that needs its peer; a reason that is not said; JSON of another shape; a row missing from "all".
    find_spec, file = interleave.importlib.util.find_spec, tmp_path / "rows.json"
    monkeypatch.setattr(interleave.importlib.util, "find_spec", lambda n: None if n == "torch" else find_spec(n))
    monkeypatch.setattr(interleave, "SETTLE", 0.0)
    monkeypatch.setattr(interleave, "_worker", here)
    monkeypatch.setattr(progress, "shown", progress.shown)  # which the row `loop` wraps
    for commands, name in ((startup.COMMANDS, "import jax"), (startup.BESIDE, "jaxgen.fit")):
        monkeypatch.setitem(commands, name, ["-c", "pass"])  # seconds of imports that say nothing here
    assert door.main(["all", "--quick", "--json", str(file)]) == 0
    rows, said = json.loads(file.read_text()), capsys.readouterr().out
    assert [row["name"] for row in rows] == list(door.ROWS)
    for row in rows:
        assert set(row) >= KEYS | WHERE
        assert set(row["ratio"]) == set(row["peers"]) == set(row["figures"]) - {"ours"}
        assert row["ours"] > 0 and row["rounds"] == door.QUICK_ROUNDS
        assert row["threads"] == interleave.THREADS and row["versions"]["jax"] == jax.__version__
    by_name = {row["name"]: row for row in rows}
    for name in ("mlp_vae", "gan_2d"):
        assert by_name[name]["peers"] == {} and set(by_name[name]["skipped"]) == {"torch eager", "torch compile"}
        assert 0 < by_name[name]["limit_fraction"] < 1 and by_name[name]["compile_s"] > 0
    assert set(by_name["loop"]["peers"]) == {"bare loop"} and set(by_name["startup"]["peers"]) == {"import jax"}
    assert by_name["startup"]["beside_s"]["jaxgen --help"] > 0
    assert said.count("pip install -e '.[bench]'") == 4
    assert max(map(len, said.splitlines()[3:])) <= 100


@pytest.mark.slow
@pytest.mark.parametrize("row", [mlp_vae, gan_2d])
def test_both_sides_do_the_same(row):
    # Kills: a loss, optimiser, layer or activation that differs between the sides; noise or batches of another round.
    pytest.importorskip("torch")
    made = row.measure(rounds=1, quick=True)
    assert made["peers"]
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
            return {"facts": {}} if order is None else {"block": float(len(orders))}

    monkeypatch.setattr(interleave, "_worker", Worker)
    monkeypatch.setattr(interleave, "SETTLE", 0.0)
    found = interleave.interleave({name: Variant("x:y", {}) for name in "AB"}, rounds=2)
    assert orders == [("A", None), ("B", None), *[("A", "block"), ("B", "block")] * 3]
    assert found == Measured({"A": [5.0, 7.0], "B": [6.0, 8.0]}, {"A": {}, "B": {}}, {}, {})


def test_loop_refuses_another_chunk():
    # Kills: a bare loop of another chunk length than the one that `fit` plays.
    with pytest.raises(ValueError, match="100 rounds per dispatch"):
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


def test_examples():
    # Kills: an example in a docstring that is no longer true; benchmarks/ is outside what pytest collects.
    found = doctest.testmod(figures)
    assert found.attempted >= 4 and not found.failed
