"""One model on one seed: the examples and keys that its four trainings see. Programs are hollow, the loop is not."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from jaxgen.comparison import contender as module
from jaxgen.comparison.contender import STAGES, Contender, Rounds, play
from jaxgen.comparison.measures import DETECT, SYNTHESISE
from jaxgen.core import Memo
from jaxgen.data import Data, Split
from jaxgen.training.program import Program, run_keys
from jaxgen.training.step import State

TURNS, BATCH = 2, 8
SEED, LEFT_OUT = 4, 1


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    splits = [
        Split(rng.normal(size=(n, 3)).astype(np.float32), (np.arange(n) % 3).astype(np.int32)) for n in (90, 30, 45)
    ]
    return Data("toy", "table", *splits, ("a", "b", "c"), None, None, "", ())


def hollow(name, examples, seen):
    """A program that plays nothing and notes which keys and which examples reach it."""

    def init(key):
        seen.append((name, "init", key, None))
        zero = np.int32(0)
        return State({"net": np.zeros(1)}, {}, Memo(zero, {}), None, zero, zero)

    def advance(state, key, at):
        seen.append((name, "noise", key, at))
        memo = state.memo._replace(round=state.memo.round + len(at))
        return state._replace(memo=memo), {"net": {"loss": np.zeros(len(at))}}

    return Program(init, advance, lambda count: None, lambda state: state, (TURNS, BATCH), examples, 2, "scanned", {})


@pytest.fixture
def seen(data, monkeypatch):
    """What reached the programs of a GAN on one seed: (program, use, key, indices), in order."""
    found, measured = [], []
    programs = [hollow(name, len(data.train.x), found) for name in ("gan", "encoder")]

    def watched(order):
        def indices(key, *args, **kwargs):
            found.append(("order", "data", key, None))
            return order(key, *args, **kwargs)

        return indices

    from jaxgen.training import loop

    monkeypatch.setattr(loop, "indices", watched(loop.indices))
    parts = {
        name: lambda outcome, model, stage, *args, name=name: measured.append((name, stage))
        for name in ("measure", "detect")
    }
    monkeypatch.setattr(module, "measures", SimpleNamespace(**parts, pictures=lambda model, data, seed: {}))
    entrant = Contender(None, programs[0], lambda *args: "a GAN", programs[1], lambda *args: "with an encoder", {}, 0.0)
    outcome = play(entrant, data, None, Rounds(8, 4, 16, 12), SEED, tasks=(SYNTHESISE, DETECT))
    assert outcome.failed == ""
    assert measured == [(name, stage) for name in ("measure", "detect") for stage in (*STAGES, "")]
    return found


def test_the_model_that_never_saw_a_class_never_saw_it(seen, data):
    # Kills: the subset dropped on its way from the task to the program, in either of the two trainings that need it;
    # another class left out than the one that is then looked for; a subset in the main training.
    at = [(name, np.unique(data.train.label[indices])) for name, _, _, indices in seen if indices is not None]
    assert [name for name, _ in at] == ["gan"] * 4 + ["encoder"] * 2 + ["gan"] * 8 + ["encoder"] * 6
    everything, without = np.arange(3), np.array([0, 2])
    for i, (_, classes) in enumerate(at):
        np.testing.assert_array_equal(classes, everything if i < 6 else without)
    indices = np.concatenate([a.ravel() for *_, a in seen if a is not None][6:])
    assert set(indices) == set(np.flatnonzero(data.train.label != LEFT_OUT))


def test_no_key_of_one_training_is_a_key_of_another(seen):
    # Kills: one set of keys for the four trainings of a seed; the key of a round of one as the noise key of another;
    # keys that are those of `jaxgen train`, or of the seed beside it.
    trainings, own = [], {}
    for name, use, key, _ in seen:
        if use == "init":
            own = {}
            trainings.append((name, own))
        own[use] = key
    assert [name for name, _ in trainings] == ["gan", "encoder", "gan", "encoder"]
    used = []
    for _, keys in trainings:
        assert set(keys) == {"init", "data", "noise"}
        derived = [jax.random.fold_in(keys["noise"], n) for n in range(20)]
        used.append({jax.random.key_data(key).tobytes() for key in (*keys.values(), *derived)})
        assert len(used[-1]) == 23
    alone = [*run_keys(SEED), *run_keys(SEED + 1), *(jax.random.fold_in(run_keys(SEED).noise, n) for n in range(20))]
    used.append({jax.random.key_data(key).tobytes() for key in alone})
    beside = [module._keys(SEED + 1, part) for part in range(4)]
    used.append({jax.random.key_data(key).tobytes() for keys in beside for key in keys})
    assert len(set.union(*used)) == sum(map(len, used))
