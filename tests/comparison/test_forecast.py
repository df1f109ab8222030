"""What is said before the first training."""

from types import SimpleNamespace

import pytest

from jaxgen.comparison import budget, forecast
from jaxgen.comparison.contender import Steps
from jaxgen.comparison.forecast import enough
from jaxgen.data import load
from jaxgen.tasks import REPRESENT


def test_large_images_may_be_made_smaller():
    # Kills: a size for what is no image, or is small already; the seconds rounded down.
    digits = load("digits")
    large = digits._replace(train=digits.train._replace(x=digits.train.x.repeat(4, 1).repeat(4, 2)))
    assert enough(20.1, large) == "--seconds-per-model 21 or more would do, or smaller images, such as --size 16."
    for small in (digits, load("cancer")):
        assert enough(20.1, small) == "--seconds-per-model 21 or more would do."


def test_what_is_unknown_is_not_said(capsys):
    # Kills: a total without the time of measuring; a rest of all seeds, or of none, after the first.
    settings = SimpleNamespace(seconds_per_model=10.0, seeds=3)
    forecast.say_duration(settings, (REPRESENT,), 2, 40.4, 5.0)
    assert capsys.readouterr().err == (
        "expected to take 1 min 55 s: 40 s to prepare, then 3 seeds of 20 s training and 5 s measuring\n"
    )
    forecast.say_duration(settings, (REPRESENT,), 2, 40.4, None)
    said = capsys.readouterr().err
    assert "expected" not in said and "the first seed tells" in said and said.startswith("40 s to prepare")
    forecast.say_rest(121.0, 2)
    forecast.say_rest(121.0, 0)
    assert capsys.readouterr().err == (
        "the first seed took 2 min 1 s, measuring counted in; about 4 min 2 s to go\n"
        "the first seed took 2 min 1 s, measuring counted in\n"
    )


@pytest.mark.parametrize(("own", "total"), [([2.0, 3.0], 5.0), ([2.0, None], None), ([None, 3.0], None)])
def test_measuring_is_known_if_it_is_of_all_models(monkeypatch, own, total):
    # Kills: the time of one model for that of all.
    seconds = iter(own)
    monkeypatch.setattr(forecast, "evaluation_seconds", lambda *args: next(seconds))
    monkeypatch.setattr(forecast, "allowed", lambda *args: {})
    monkeypatch.setattr(forecast, "expected", lambda *args: {"main": Steps(100)})
    monkeypatch.setattr(forecast, "passes", lambda *args: 20.0)
    monkeypatch.setattr(forecast, "too_short", lambda *args: 1.0)
    contender = SimpleNamespace(of=lambda training: None)
    settings = SimpleNamespace(seconds_per_model=10.0, seeds=3, seed=0)
    reference = SimpleNamespace(data=load("digits"))
    contenders = dict.fromkeys(("vae", "gan"), contender)
    assert forecast.settle_lengths(settings, contenders, reference, (REPRESENT,), None)[1] == total


def test_untrained_models_of_large_images_are_not_measured(monkeypatch):
    # Kills: minutes of measuring that no figure comes of.
    monkeypatch.setattr(budget, "_untrained", lambda contender: pytest.fail("made a model"))
    large = SimpleNamespace(data=SimpleNamespace(shape=(64, 64, 3)))
    contender = SimpleNamespace(plays=lambda training: True, of=lambda training: None)
    assert budget.evaluation_seconds(contender, large, (REPRESENT,)) is None


@pytest.mark.parametrize(("seconds", "dispatches"), [(0.1, 4), (0.9, 3), (1.5, 2), (30.0, 2)])
def test_slow_dispatches_are_timed_for_a_short_while(monkeypatch, seconds, dispatches):
    # Kills: four dispatches of half a minute each; the first one counted, which is slower; seconds of a chunk for those
    # of a step.
    made = []

    def train(program, state, keys, *, steps):
        assert steps == 4 * 5
        for i in range(4):
            made.append(i)
            yield SimpleNamespace(seconds=seconds * (7 if i == 0 and seconds < 0.5 else 1), steps=5)

    monkeypatch.setattr(budget, "train", train)
    program = SimpleNamespace(chunk=5, init=lambda key: None)
    assert budget._seconds_per_step(program, None) == pytest.approx(seconds / 5)
    assert len(made) == dispatches
