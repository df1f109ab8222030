"""Rows on a terminal of any width, and nothing where there is none."""

import io
import re
import sys
import time

import pytest

from jaxgen.system import bar
from jaxgen.system.bar import Row, counted, drawn, fit


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_terminal(monkeypatch):
    found = Terminal()
    monkeypatch.setattr(sys, "stderr", found)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    return found


def lines(written):
    """Without what moves the cursor, removes lines and colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written).replace("\r", "\n").splitlines()


@pytest.mark.parametrize("width", [*range(1, 30), 39, 59, 79, 119])
def test_a_row_fits(width):
    # Kills: a row that is broken into two, which then stay on the terminal; a bar too short to say anything; the long
    # end where the short one has no room.
    row = Row(
        "seed 3 (4 of 6): r3gan, main training", 0.4, ("1:12 passed, about 2:10 left", "about 2:10 left", "2:10 left")
    )
    text, length, end = fit(row, width)
    parts = [len(text), length, len(end)]
    assert sum(parts) + sum(part > 0 for part in parts) - 1 <= width
    assert length == 0 or bar.NARROW <= length <= bar.WIDE
    assert end == next((own for own in row.ends if 2 * len(own) <= width), "2:10 left"[:width])
    assert text in row.text or text.endswith("…")


def test_rows_are_drawn_and_removed(monkeypatch):
    # Kills: rows that stay; a line that is lost under them, or broken into two by them; a cursor that stays hidden.
    terminal = on_terminal(monkeypatch)
    with drawn(lambda: [Row("training", 0.5, ("1:00 left",))]):
        print("a line that is longer than the terminal is wide", file=sys.stderr)
    written = terminal.getvalue()
    assert any(line.startswith("training ") and line.endswith(" 1:00 left") for line in lines(written))
    assert "a line that is longer than the terminal is wide" in lines(written)
    assert max(len(line) for line in lines(written) if "left" in line) < 40
    assert written.rindex("\x1b[?25h") > written.rindex("\x1b[?25l") and written.endswith("\x1b[2K")


def test_no_colour_is_no_colour(monkeypatch):
    # Kills: colours in spite of NO_COLOR.
    terminal = on_terminal(monkeypatch)
    monkeypatch.setenv("NO_COLOR", "1")
    with drawn(lambda: [Row("training", 0.5, ("1:00 left",))]):
        pass
    assert "1:00 left" in terminal.getvalue() and not re.search(r"\x1b\[[0-9;]*m", terminal.getvalue())


@pytest.mark.parametrize("dumb", [True, False])
def test_nothing_is_drawn_where_nobody_sees_it(monkeypatch, dumb):
    # Kills: control characters in a log file, a notebook or a terminal that cannot draw a line again.
    terminal = on_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "dumb" if dumb else "xterm")
    if not dumb:
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    with drawn(lambda: pytest.fail("asked for rows")), counted(1) as passed:
        passed()
    assert terminal.getvalue() == ""


def test_one_block_draws_for_those_inside_it(monkeypatch):
    # Kills: images that are decoded while a comparison draws its bar, and draw theirs over it, or none; rows of a block
    # that ended; the same rows twice.
    terminal = on_terminal(monkeypatch)

    def wait_for(words):
        found = len(lines(terminal.getvalue()))
        limit = time.monotonic() + 60
        while not re.search(words, "\n".join(lines(terminal.getvalue())[found:])):
            assert time.monotonic() < limit, terminal.getvalue()
            time.sleep(0.01)

    with drawn(lambda: [Row("outer")]):
        with counted(2, "inner") as passed:
            passed()
            wait_for(r"outer\n+inner .* \d:\d\d left")
        wait_for(r"outer\n+outer\n+")
    assert terminal.getvalue().count("\x1b[?25l") == 1

    def rows():
        return [Row("once")]

    with drawn(rows):
        with drawn(rows):
            assert bar._drawn == [rows]
        assert bar._drawn == [rows]
    assert bar._drawn == []
    with counted(2, "alone"):
        wait_for("alone")
