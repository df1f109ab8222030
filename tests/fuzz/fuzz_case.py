"""One input of a reader, and what must be true of the answer."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from jaxgen.core import BadRequest, one_line
from jaxgen.data.data import Examples
from jaxgen.training.checkpoint import CheckpointCorrupt

LONGEST = 20_000  # characters of a message


class Case(NamedTuple):
    """What is tried."""

    read: Callable[[], int | None]  # reads, looks at what came, and returns how many examples; None: there are none
    names: tuple[str, ...]  # of which a refusal has to hold one
    expected: Callable[[], int | None]  # how many examples there are, by other means; None: that is not known


class Fault(AssertionError):
    """A reader did what none may do."""


def tried(case: Case) -> str:
    """ "read" or "refused".

    Raises:
      Fault: another exception, a message that is not one line or names nothing, examples that are lost, a line of
        output that cannot be shown.
    """
    try:
        count = case.read()
    except (BadRequest, CheckpointCorrupt) as error:
        _check_line(str(error))
        if not any(name in str(error) for name in case.names):
            raise Fault(f"names none of {case.names}: {error}") from error
        chain: Any = error
        while chain is not None:
            if isinstance(chain, MemoryError):
                raise Fault(f"more memory than allowed: {error}") from error
            chain = chain.__cause__ or chain.__context__
        return "refused"
    except Exception as error:
        raise Fault(f"{type(error).__name__}: {error}") from error
    expected = case.expected()
    if None not in (count, expected) and count != expected:
        raise Fault(f"{count} examples of {expected}")
    return "read"


def _check_line(line: str) -> None:
    if one_line(line) != line or not line.strip() or len(line) > LONGEST:
        raise Fault(f"no line to print: {line[:300]!r} ({len(line)} characters)")
    line.encode()


def examples_read(kind: str, found: Examples) -> int:
    """The number of examples, once all of them were read and have one shape, and labels and notes are whole."""
    x = found.read(np.arange(found.total))
    if len(x) != found.total or x.ndim != {"image": 4, "table": 2}[kind]:
        raise AssertionError(f"{kind} of shape {x.shape}, {found.total} examples")
    if kind == "image" and x.dtype != np.uint8:
        raise AssertionError(f"pixels of {x.dtype}")
    if (found.label is None) != (found.classes == ()):
        raise AssertionError("classes without labels")
    if found.label is not None:
        if found.label.shape != (found.total,) or set(found.label) != set(range(len(found.classes))):
            raise AssertionError("labels that are no positions in the classes")
        if len(set(found.classes)) < len(found.classes):
            raise AssertionError("two classes of one name")
    for line in (*found.notes, *found.classes):
        if one_line(line) != line:
            raise AssertionError(f"no line to print: {line!r}")
        line.encode()
    return found.total
