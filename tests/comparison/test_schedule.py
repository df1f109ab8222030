"""What a signal leaves of a comparison, without one."""

import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from jaxgen.comparison import schedule
from jaxgen.comparison.outcome import Outcome
from jaxgen.comparison.schedule import play_all, whole
from jaxgen.data import Split
from jaxgen.system.signals import stoppable

SPLIT = Split(np.arange(6, dtype=np.float32).reshape(3, 2), None)
CONTENDERS = {
    name: SimpleNamespace(
        on=lambda data, place, name=name: (f"{name} of it", np.asarray(place(None).resident[0]).tolist())
    )
    for name in ("vae", "gan")
}


def of_seed(seed):
    return SimpleNamespace(data=SimpleNamespace(train=SPLIT._replace(x=SPLIT.x + seed)), release=lambda: None)


def played(monkeypatch, play, signals, **more):
    outcomes, by_baselines = {name: {} for name in CONTENDERS}, {}
    monkeypatch.setattr(schedule, "play", play)
    monkeypatch.setattr(schedule, "baselines", lambda reference, seed, tasks: {})
    monkeypatch.setattr(schedule, "groups_of", lambda reference: "groups")
    seeds = []
    watch = {"seconds": 1.0, "on_seed": seeds.append, "on_trained": lambda *args: None, **more}
    play_all(
        range(3, 6), CONTENDERS, of_seed, lambda name, seed: None, (), by_baselines, signals, outcomes=outcomes, **watch
    )
    assert seeds == list(by_baselines)
    return outcomes, by_baselines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_keeps_what_was_measured_before_it(monkeypatch, number):
    # Kills: a signal that waits for the end of a training; outcomes that are lost with it; a model that trains on the
    # split of another seed than it is measured on; groups of test examples left out on every seed, or on none.
    def play(contender, reference, lengths, seed, **more):
        assert contender[1] == reference.data.train.x.tolist() == (SPLIT.x + seed).tolist()
        assert more["groups"] == ("groups" if seed == 3 else None)
        if (contender[0], seed) == ("gan of it", 4):
            os.kill(os.getpid(), number)
            raise AssertionError("went on")
        return Outcome({}, {}, {}, {}, {}, 1.0, "")

    with stoppable() as held:
        outcomes, by_baselines = played(monkeypatch, play, held)
    assert {name: list(by_seed) for name, by_seed in outcomes.items()} == {"vae": [3, 4], "gan": [3]}
    assert list(by_baselines) == [3] and held == [number]


def test_a_signal_before_the_first_training_starts_none(monkeypatch):
    # Kills: a signal that is held while the bar is drawn, and then for the hours of the trainings.
    def play(*args, **kwargs):
        raise AssertionError("went on")

    held = [signal.SIGTERM]
    outcomes, by_baselines = played(monkeypatch, play, held)
    assert outcomes == {"vae": {}, "gan": {}} and by_baselines == {} and held == [signal.SIGTERM]


def test_only_seeds_that_all_have_are_compared():
    # Kills: `any` for `all` (one side with a seed more than the other); seeds without their baselines; the first seeds.
    outcomes = {"vae": {3: "a", 4: "b", 5: "c"}, "gan": {3: "d", 4: "e"}}
    assert whole(outcomes, {3: "x"}) == ({"vae": {3: "a"}, "gan": {3: "d"}}, {3: "x"})
    all_of_it = {3: "x", 4: "y", 5: "z"}
    assert whole(outcomes, all_of_it) == ({"vae": {3: "a", 4: "b"}, "gan": {3: "d", 4: "e"}}, {3: "x", 4: "y"})
    assert whole({"vae": {3: "a"}, "gan": {}}, {3: "x"}) == ({"vae": {}, "gan": {}}, {})


def test_the_bar_is_corrected_by_what_models_take(monkeypatch):
    # Kills: time left by the first guess until the end; a resumed comparison whose seeds of before count as played.
    now = iter([100.0, 130.0, 140.0])
    monkeypatch.setattr(schedule.time, "perf_counter", lambda: next(now))
    with schedule.Progress(disable=True) as progress:
        bar = schedule._Bar(progress, 6, 5.0)
        (task,) = progress.tasks
        bar.says("split", 2)  # the models of one seed were played before
        assert (task.completed, task.total, task.description) == (10, 30, "split")
        bar.done(3)
        assert (task.completed, task.total) == (90, 180)  # the one that was played took 30
        bar.advance(5)
        bar.done(4)
        assert (task.completed, task.total) == (80, 120)


@pytest.mark.parametrize("known", [True, False])
def test_what_is_left_is_said_after_the_first_seed_where_it_was_unknown(monkeypatch, capsys, known):
    # Kills: the line after each seed, or where the time was known; seeds left that were played already.
    done = lambda *args, **more: Outcome({}, {}, {}, {}, {}, 1.0, "")  # noqa: E731
    said = []
    monkeypatch.setattr(schedule, "say_rest", lambda seconds, left: said.append(left))
    outcomes, by_baselines = played(monkeypatch, done, [], known=known)
    assert said == ([] if known else [2])
    said.clear()
    for known_seeds in (*outcomes.values(), by_baselines):
        del known_seeds[4], known_seeds[5]
    play_all(
        range(3, 6),
        CONTENDERS,
        of_seed,
        lambda name, seed: None,
        (),
        by_baselines,
        [],
        outcomes=outcomes,
        seconds=1.0,
        known=known,
        on_seed=lambda seed: None,
        on_trained=lambda *args: None,
    )
    assert said == ([] if known else [1])
