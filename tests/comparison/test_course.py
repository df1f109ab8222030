"""The time left, on a clock that the tests move."""

import pytest

from jaxgen.comparison.course import MODEL, PRIOR, Course, Left, Piece

VAE, GAN = (MODEL, "vae", "main"), (MODEL, "gan", "main")


class Hands:
    """The hands of a clock, and the seconds compiled."""

    def __init__(self):
        self.now = self.compiled = 0.0

    def course(self, *pieces):
        course = Course(now=lambda: self.now, compiling=lambda: self.compiled)
        course.add(pieces)
        return course


@pytest.fixture
def hands():
    return Hands()


def test_a_training_is_counted_down_by_the_clock_and_measuring_by_its_guess(hands):
    # Kills: training that is counted as measuring too; the time left of a piece that is overrun, below zero.
    course = hands.course(Piece(VAE, 10.0))
    course.guess(VAE, 4.0, "measure")
    assert course.left() == (14.0, True)
    with course.at(VAE, "vae"):
        hands.now = 3.0
        course.trained(3.0)
        assert course.left() == (7.0 + 4.0, True)
        hands.now = 12.0
        course.trained(7.0)
        assert course.left() == (2.0, True)
        hands.now = 19.0
        assert course.left() == (0.0, True)
    assert course.left() == (0.0, True)


def test_an_earlier_seed_tells_how_long_the_same_takes(hands):
    # Kills: guesses kept after the fact; what was compiled once counted for each seed; the sum over trainings.
    course = hands.course(*3 * [Piece(VAE, 10.0), Piece(GAN, 10.0)])
    course.guess(VAE, 4.0, "measure")
    course.guess(GAN, 8.0, "measure")
    with course.at(VAE, "vae"):
        hands.now += 10.0 + 6.0 + 5.0
        hands.compiled += 5.0
        course.trained(10.0)
    # Measuring took 6 in place of 4, so the GAN will take 12 in place of 8.
    assert course.left() == (2 * 16.0 + 3 * 22.0, True)
    with course.at(GAN, "gan"):
        hands.now += 10.0 + 3.0
        course.trained(10.0)
    assert course.left() == (2 * 16.0 + 2 * 13.0, True)


def test_a_guess_that_is_overrun_lengthens_the_others_at_once(hands):
    # Kills: time left that stays until a piece is done, however long it takes.
    course = hands.course(Piece(VAE, 0.0), Piece(GAN, 0.0))
    course.guess(VAE, 4.0, "measure")
    course.guess(GAN, 8.0, "measure")
    with course.at(VAE, "vae"):
        hands.now = 8.0
        assert course.left() == (16.0, True)


def test_what_is_not_known_is_at_least(hands):
    # Kills: an unknown piece taken for nothing; guesses in a time that is said to be the least; a guess in units of
    # another machine shown as seconds.
    course = hands.course(Piece(("compile", "vae")), Piece(("compile", "gan")), Piece(VAE, 10.0), Piece(GAN, 10.0))
    course.guess(("compile", "vae"), 5.0, PRIOR)
    course.guess(("compile", "gan"), 15.0, PRIOR)
    assert course.left() == (20.0, False) and str(course.left()) == "at least 0:20 left"
    with course.at(("compile", "vae"), ""):
        hands.now = hands.compiled = 20.0
    assert course.left() == (20.0, False)
    course.guess(VAE, 2.0, "measure")  # and that of the GAN is taken to be as long
    assert course.left() == (60.0 + 24.0, True) and str(course.left()) == "about 1:24 left"
    course.skip(GAN)
    assert course.left() == (60.0 + 12.0, True)
    course.add([Piece((MODEL, "other", "main"), 1.0), Piece((MODEL, "other", "detect"), 1.0)])
    course.guess(
        (MODEL, "vae", "detect"), 8.0, "measure"
    )  # as long as that of the same training, or as the mean of all
    assert course.left() == (60.0 + 12.0 + 3.0 + 9.0, True)
    course.add([Piece((MODEL, "other", "restore"))])
    assert course.left() == (60.0 + 12.0 + 3.0 + 9.0 + 5.0, True)


def test_a_piece_that_is_none_of_the_usual_teaches_nothing(hands):
    # Kills: a first split that was made before, taken for how long a split takes.
    course = hands.course(*3 * [Piece(("split",))])
    with course.at(("split",), ""):
        hands.now = 5.0
    with course.at(("split",), "", usual=False):
        hands.now = 5.5
    assert course.left() == (5.0, True)


def test_a_piece_that_fails_is_done_and_teaches_nothing(hands):
    # Kills: a training that was interrupted, taken for a whole one.
    course = hands.course(Piece(VAE, 10.0), Piece(VAE, 10.0))
    with pytest.raises(KeyboardInterrupt), course.at(VAE, "vae"):
        course.trained(1.0)
        raise KeyboardInterrupt
    assert course.left() == (10.0, False)


def test_rows_show_the_whole_and_the_training(hands):
    # Kills: a bar that stands still inside a training; a share of the whole before it is known.
    course = hands.course(Piece(VAE, 10.0))
    assert [row.share for row in course.rows()] == [0.0]
    course.guess(VAE, 2.0, "measure")
    with course.at(VAE, "vae, main training"):
        hands.now = 3.0
        course.trained(3.0)
        whole, training = course.rows()
        assert whole.share == pytest.approx(3 / 12) and whole.ends[0] == "0:03 passed, about 0:09 left"
        assert training.text == "vae, main training" and training.share == pytest.approx(0.3)
    assert isinstance(course.left(), Left) and len(course.rows()) == 1


def test_no_time_left_is_shown_before_anything_is_planned(hands):
    # Kills: "about 0:00 left" while the data are read.
    hands.now = 2.0
    (row,) = hands.course().rows()
    assert row.ends == ("0:00 passed",)
