"""What a comparison has to do, piece by piece, and how long that will take: the time left, and the bar that shows it.

A piece is a training with what is measured after it, or a part of the preparation. How long it trains is known, for
the clock ends it; how long the rest of it takes is known from the same piece on an earlier seed, or else from a guess
that is corrected by what the pieces took that were guessed in the same way.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import jax

from jaxgen.system.bar import Row, clock

Key = tuple[str, ...]  # what is done, for which model, in which training: on all seeds the same
COMPILE, SETTLE, SPLIT, MODEL = "compile", "settle", "split", "model"  # what is done
BASELINES, SAVE, REPORT = "baselines", "save", "report"
FIRST = "first"  # what is compiled on the first seed that a model plays, such as for its pictures: no piece of its own
PRIOR = "prior"  # the group of guesses that say only how many times as long one piece takes as another


class Piece(NamedTuple):
    """Something to do."""

    key: Key
    training: float = 0.0  # seconds that it trains


class Left(NamedTuple):
    """The time left."""

    seconds: float
    known: bool  # or it is at least that long

    def __str__(self) -> str:
        """In words, such as "about 2:10 left"."""
        return f"{'about' if self.known else 'at least'} {clock(self.seconds)} left"


class _Guess(NamedTuple):
    seconds: float
    group: str  # of guesses that are wrong by one factor


class _Took(NamedTuple):
    training: float
    rest: float


class _Current:
    """The piece that is being done."""

    def __init__(self, piece: Piece, text: str, began: float, compiled: float):
        self.piece, self.text, self.began, self.compiled = piece, text, began, compiled
        self.trained = 0.0


class Course:
    """The pieces that are left, and what the others took.

    Another thread may ask for the rows at any time: what it reads is replaced, and never changed.
    """

    def __init__(
        self,
        began: float | None = None,
        *,
        now: Callable[[], float] = time.perf_counter,
        compiling: Callable[[], float] | None = None,
    ):
        """`began`: when, if not now; `now`: the clock; `compiling`: the seconds that JAX compiled so far."""
        self._now, self._compiling = now, compiling or compile_seconds
        self._began = now() if began is None else began
        self._todo: list[Piece] = []
        self._took: dict[Key, _Took] = {}
        self._guesses: dict[Key, _Guess] = {}
        self._current: _Current | None = None

    def add(self, pieces: Iterable[Piece]) -> None:
        """More to do."""
        self._todo = [*self._todo, *pieces]

    def guess(self, key: Key, seconds: float, group: str) -> None:
        """How long such a piece takes beside its training. Guesses of a group are wrong by about one factor."""
        self._guesses = {**self._guesses, key: _Guess(seconds, group)}

    def skip(self, key: Key) -> None:
        """Nothing of this key will be done."""
        self._todo = [piece for piece in self._todo if piece.key != key]

    @contextlib.contextmanager
    def at(self, key: Key, text: str, *, usual: bool = True) -> Iterator[None]:
        """Does the first piece of this key that is left, shown as `text`. A piece that nobody added is one too.

        Others of this key are expected to take as long, unless it is none of the `usual` ones.
        """
        first = next((i for i, piece in enumerate(self._todo) if piece.key == key), len(self._todo))
        piece = next(iter(self._todo[first:]), Piece(key))
        outer, self._current = self._current, _Current(piece, text, self._now(), self._compiling())
        self._todo = [*self._todo[:first], *self._todo[first + 1 :]]
        try:
            yield
            if usual:
                took = _Took(self._current.trained, self._rest(self._current))
                self._took = {**self._took, key: took}
        finally:
            self._current = outer

    def trained(self, seconds: float) -> None:
        """So much longer was trained."""
        if self._current is not None:
            self._current.trained += seconds

    def spent(self) -> float:
        """Seconds since the beginning."""
        return self._now() - self._began

    def left(self) -> Left:
        """The time left. As long as nothing is known of some piece, it is at least that of all trainings."""
        seconds = trainings = 0.0
        known = True
        for piece in self._todo:
            rest = self._expected(piece.key)
            known = known and rest is not None
            trainings += self._training(piece)
            seconds += rest or 0.0
        if (current := self._current) is not None:
            rest = self._expected(current.piece.key)
            known = known and rest is not None
            trainings += max(self._training(current.piece) - current.trained, 0.0)
            seconds += max((rest or 0.0) - self._rest(current, compiling=False), 0.0)
        return Left(trainings + seconds if known else trainings, known)

    def rows(self) -> list[Row]:
        """What the terminal shows."""
        left, spent, current = self.left(), self.spent(), self._current
        if not (self._todo or self._took or current):  # the data are read, and nothing is known yet
            return [Row("", 0.0, (f"{clock(spent)} passed",))]
        share = spent / (spent + left.seconds) if left.known and spent else 0.0
        rows = [Row("", share, (f"{clock(spent)} passed, {left}", str(left), f"{clock(left.seconds)} left"))]
        if current is None:
            return rows
        planned = self._training(current.piece)
        part = current.trained / planned if planned else None
        return [*rows, Row(current.text, None if part is None else min(part, 1.0))]

    def _training(self, piece: Piece) -> float:
        took = self._took.get(piece.key)
        return took.training if took and took.training else piece.training

    def _rest(self, current: _Current, *, compiling: bool = True) -> float:
        """What the current piece took so far beside its training, and beside compiling, which is done once."""
        seconds = self._now() - current.began - current.trained
        if compiling and current.piece.key[0] != COMPILE:
            seconds -= self._compiling() - current.compiled
        return max(seconds, 0.0)

    def _expected(self, key: Key) -> float | None:
        """Seconds of a piece beside its training: as it took, as was guessed, or as others like it take."""
        if (own := self._one(key)) is not None:
            return own
        known = [*self._took, *self._guesses]
        for like in (lambda other: other[0] == key[0] and other[2:] == key[2:], lambda other: other[0] == key[0]):
            others = [
                value for other in dict.fromkeys(known) if like(other) and (value := self._one(other)) is not None
            ]
            if others:
                return sum(others) / len(others)
        return None

    def _one(self, key: Key) -> float | None:
        if (took := self._took.get(key)) is not None:
            return took.rest
        if (guess := self._guesses.get(key)) is None:
            return None
        factor = self._factor(guess.group)
        return None if factor is None else guess.seconds * factor

    def _factor(self, group: str) -> float | None:
        """By how much what was guessed so takes longer; a piece that overruns its guess counts with what it took."""
        took = {key: took.rest for key, took in self._took.items()}
        if (current := self._current) is not None and (own := self._guesses.get(current.piece.key)) is not None:
            if current.piece.key not in took and (rest := self._rest(current)) > own.seconds:
                took[current.piece.key] = rest
        pairs = [
            (took[key], guess.seconds) for key, guess in self._guesses.items() if guess.group == group and key in took
        ]
        guessed = sum(seconds for _, seconds in pairs)
        if not guessed:
            return None if group == PRIOR else 1.0
        return sum(seconds for seconds, _ in pairs) / guessed


_compiled = [0.0]
_EVENTS = ("jaxpr_trace_duration", "jaxpr_to_mlir_module_duration", "backend_compile_duration")


def _listen(event: str, duration_secs: float, **_: Any) -> None:
    if event.endswith(_EVENTS):
        _compiled[0] += duration_secs


def compile_seconds() -> float:
    """The seconds that JAX traced and compiled in this process, since the first call."""
    if not _listening:
        _listening.append(True)
        jax.monitoring.register_event_duration_secs_listener(_listen)
    return _compiled[0]


_listening: list[bool] = []
