"""What a signal leaves of a comparison, without one."""

import contextlib
import os
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from jaxgen.comparison import schedule
from jaxgen.comparison.course import BASELINES, FIRST, MODEL, SAVE, Course, Piece
from jaxgen.comparison.forecast import planned
from jaxgen.comparison.outcome import Outcome
from jaxgen.comparison.schedule import play_all, whole
from jaxgen.data import Split
from jaxgen.system.signals import stoppable
from jaxgen.tasks import MAIN, REPRESENT

SPLIT = Split(np.arange(6, dtype=np.float32).reshape(3, 2), None)
CONTENDERS = {
    name: SimpleNamespace(
        on=lambda data, place, name=name: (f"{name} of it", np.asarray(place(None).resident[0]).tolist())
    )
    for name in ("vae", "gan")
}


def of_seed(seed):
    return SimpleNamespace(data=SimpleNamespace(train=SPLIT._replace(x=SPLIT.x + seed)), release=lambda: None)


def played(monkeypatch, play, signals, tasks=(), **more):
    outcomes, by_baselines = {name: {} for name in CONTENDERS}, {}
    monkeypatch.setattr(schedule, "play", play)
    monkeypatch.setattr(schedule, "baselines", lambda reference, seed, tasks: {})
    monkeypatch.setattr(schedule, "groups_of", lambda reference: "groups")
    seeds = []
    watch = {"seconds": 1.0, "on_seed": seeds.append, "on_trained": lambda *args: None, **more}
    play_all(
        range(3, 6),
        CONTENDERS,
        of_seed,
        lambda name, seed: None,
        tasks,
        by_baselines,
        signals,
        outcomes=outcomes,
        **watch,
    )
    assert seeds == list(by_baselines)
    return outcomes, by_baselines


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_keeps_what_was_measured_before_it(monkeypatch, number):
    # Kills: a signal that waits for the end of a training; seeds that are lost with it; a model that trains on the
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
    assert {name: list(by_seed) for name, by_seed in outcomes.items()} == {"vae": [3], "gan": [3]}
    assert list(by_baselines) == [3] and held == [number]


def test_a_signal_that_a_library_swallows_ends_the_comparison_too(monkeypatch):
    # Kills: a seed that is saved as whole after Ctrl-C cut a part of it short, as scikit-learn does to an epoch.
    def play(contender, reference, lengths, seed, **more):
        if seed == 4:
            with contextlib.suppress(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
        return Outcome({}, {}, {}, {}, {}, 1.0, "")

    with stoppable() as signals:
        _, by_baselines = played(monkeypatch, play, signals)
    assert signals == [signal.SIGINT] and list(by_baselines) == [3]


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


def test_lines_say_what_is_left(monkeypatch, capsys):
    # Kills: no plain line where nobody sees a bar; what is compiled once still expected after the first seed.
    def play(contender, reference, lengths, seed, *, during, on_seconds, **more):
        with during(MAIN):
            on_seconds(8.0)
        return Outcome({}, {}, {}, {}, {}, 8.0, "")

    course = Course(now=lambda: 0.0, compiling=lambda: 0.0)
    course.add([*planned(3, list(CONTENDERS), (REPRESENT,), 8.0), Piece((FIRST, "vae")), Piece((FIRST, "gan"))])
    for key in (("split",), (SAVE,), (BASELINES,), (MODEL, "vae", "main")):
        course.guess(key, 0.0, "measure")
    for name in CONTENDERS:
        course.guess((FIRST, name), 5.0, "measure")
    outcomes, by_baselines = played(monkeypatch, play, [], course=course, tasks=(REPRESENT,))
    assert capsys.readouterr().err.splitlines() == [
        f"{name}, seed {seed}: trained 8.0 s; about 0:{left:02d} left"
        for (seed, name), left in zip(
            [(seed, name) for seed in (3, 4, 5) for name in CONTENDERS], (45, 32, 24, 16, 8, 0), strict=True
        )
    ]


def test_what_a_callback_raises_says_whose_it_is(monkeypatch):
    # Kills: an error of a callback that reads as one of the training; one that is swallowed.
    def play(contender, reference, lengths, seed, *, on_record, **more):
        on_record({"step": 25, "seed": seed})

    def fail(line):
        assert line == {"model": "vae", "seed": 3, "step": 25}
        raise OSError("no connection")

    with pytest.raises(OSError, match="no connection") as error:
        played(monkeypatch, play, [], on_record=fail)
    assert error.value.__notes__ == ["on_record raised this, in the training of vae on seed 3, after step 25."]
