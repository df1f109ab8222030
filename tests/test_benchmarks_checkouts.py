"""The comparison of two checkouts: what is started where, and which figures are paired."""

import shutil
from pathlib import Path

import pytest

from benchmarks import __main__ as door
from benchmarks import checkouts, conv_vae, interleave, mlp_vae, worker
from benchmarks.interleave import Measured, Variant

OTHER = Path("/another/checkout")


@pytest.fixture
def starts(monkeypatch):
    """Each call of `interleave`, which says that ours takes 2 s of the first start, then 4 s, and the other half."""
    made = []

    def stand_in(variants, *, rounds, reference=None):
        made.append((variants, rounds, reference))
        seconds = {"ours": 2.0 * len(made), "other": 1.0 * len(made)}
        blocks = {side: [seconds[side]] * rounds for side in variants}
        facts = {side: {"compile_s": 10 * seconds[side]} for side in variants}
        losses = {} if reference is None else {"ours": [1.0, 3.0], "other": [2.0, 2.5]}
        return Measured(blocks, facts, losses, {}, {side: 100.0 * seconds[side] for side in variants})

    monkeypatch.setattr(checkouts, "interleave", stand_in)
    return made


def test_both_sides_start_anew_and_in_turn(starts):
    # Kills: both sides from one checkout; sizes that differ; one side always first; as many starts as blocks; rates of
    # one start paired with those of another; the ratio upside down; the peak of one start alone.
    row = checkouts.rows(OTHER)["mlp_vae"](rounds=6, quick=False)
    assert [list(variants) for variants, _, _ in starts] == [["ours", "other"], ["other", "ours"]]
    assert [(rounds, reference) for _, rounds, reference in starts] == [(3, "ours"), (3, None)]
    for variants, _, _ in starts:
        assert variants["ours"] == Variant("benchmarks.mlp_vae:ours", mlp_vae.FULL, optional=False)
        assert variants["other"] == variants["ours"]._replace(root=OTHER)
    assert row["figures"] == {"ours": [100.0] * 3 + [50.0] * 3, "other": [200.0] * 3 + [100.0] * 3}
    assert row["ratio"] == {"other": 0.5} and row["target"]["met"] is False
    assert row["compile_ratio"]["median"] == 2.0 and "at most 1.1: MISSED" in row["notes"][0]
    assert (row["compile_s"], row["peers_compile_s"]) == (30.0, {"other": 15.0})
    assert row["peak_mib"] == {"ours": 400.0, "other": 200.0}
    assert row["notes"][-1].endswith("ours 2, other 2.25")


def test_the_smallest_form(starts):
    # Kills: more blocks than were asked for; the sizes of the full form; a recipe that is not handed on.
    checkouts.rows(OTHER)["conv_vae"](rounds=1, quick=True)
    ((variants, rounds, _),) = starts
    assert rounds == 1 and variants["ours"].size == {**conv_vae.QUICK, "recipe": "vae"}


def test_a_worker_runs_the_checkout_that_it_is_told(monkeypatch, tmp_path):
    # Kills: a process of this checkout; one that imports this one's package by PYTHONPATH.
    monkeypatch.setattr(interleave, "SETTLE", 0.0)
    monkeypatch.setenv("PYTHONPATH", str(interleave.ROOT))
    shutil.copytree(Path(worker.__file__).parent, tmp_path / "benchmarks")
    (tmp_path / "jaxgen.py").write_text("")
    told = "import jaxgen\nfrom benchmarks.worker import Work\n"
    told += "def told():\n    return Work(lambda: 1.0, {'at': jaxgen.__file__})\n"
    (tmp_path / "benchmarks" / "mine.py").write_text(told)
    found = interleave.interleave(
        {"other": Variant("benchmarks.mine:told", {}, optional=False, root=tmp_path)}, rounds=1
    )
    assert found.facts["other"]["at"] == str(tmp_path / "jaxgen.py")


@pytest.mark.parametrize(("words", "says"), [("mlp_vae --against nowhere", "nowhere"), ("loop --against .", "wgan_gp")])
def test_refusals(words, says, monkeypatch, capsys):
    # Kills: minutes of work before a folder without a checkout is refused; a row that another checkout does not have.
    monkeypatch.chdir(interleave.ROOT)
    with pytest.raises(SystemExit) as ended:
        door.main(words.split())
    assert ended.value.code == 2 and says in capsys.readouterr().err
