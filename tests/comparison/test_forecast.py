"""What is said before the first training."""

from collections import Counter
from types import SimpleNamespace

import pytest

from jaxgen.comparison import budget, forecast
from jaxgen.comparison.contender import Steps
from jaxgen.comparison.course import Course, Left
from jaxgen.comparison.forecast import enough
from jaxgen.data import load
from jaxgen.tasks import DETECT, REPRESENT


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
    forecast.say_duration(settings, (REPRESENT,), 2, 40.4, Left(75.0, True))
    assert capsys.readouterr().err == (
        "expected to take 1 min 55 s: 40 s to prepare, then 3 seeds of 20 s training and measuring\n"
    )
    forecast.say_duration(settings, (REPRESENT,), 2, 40.4, Left(60.0, False))
    said = capsys.readouterr().err
    assert "expected" not in said and "the first trainings tell" in said and said.startswith("40 s to prepare")


def test_all_that_is_to_do_is_foreseen():
    # Kills: baselines, saving or the report left out; trainings without their share of the time; seeds that are done
    # counted again.
    settings, course = SimpleNamespace(seconds_per_model=10.0), Course()
    pieces = forecast.foresee(settings, {"vae": "vae", "gan": "gan"}, (REPRESENT, DETECT), 2, course)
    assert Counter(piece.key[0] for piece in pieces) == {
        **{"compile": 1, "settle": 2, "first": 2, "split": 3, "model": 8, "baselines": 2, "save": 2, "report": 1}
    }
    trained = {piece.key[1:]: piece.training for piece in pieces if piece.key[0] == "model"}
    assert trained == pytest.approx(
        {("vae", "main"): 10.0, ("gan", "main"): 10.0, ("vae", "detect"): 6.0, ("gan", "detect"): 6.0}
    )
    course.add(pieces)
    assert course.left() == (pytest.approx(2 * 32.0), False)
    assert [piece.key for piece in pieces][-1] == ("report",)


@pytest.mark.parametrize("own", [({"main": 2.0}, {"main": 3.0}), ({"main": 2.0}, None)])
def test_measuring_is_known_by_model_and_training(monkeypatch, own):
    # Kills: the time of one model for that of another; a time of what is not known.
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
    assert forecast.settle_lengths(settings, contenders, reference, (REPRESENT,), None)[1] == {
        (name, "main"): by["main"] for name, by in zip(contenders, own, strict=True) if by is not None
    }


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
