"""What a run says while it trains."""

import io
import sys
import time

import pytest

from jaxgen.runs import progress


def line(step, **figures):
    return {"step": step, "steps_per_s": 10.0, "finite": True, **figures}


def test_plain_lines_every_ten_seconds_and_at_the_end(monkeypatch, capsys):
    # Kills: a line per chunk; the end left out; control codes in a log file; the time left by the speed of one chunk,
    # or without the time between the chunks.
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.shown(100, quiet=False) as show:
        for step, at in ((10, 1.0), (20, 10.5), (30, 12.0), (100, 13.0)):
            now[0] = at
            show(line(step, **{"critic/loss": 1.23456, "generator/loss": None}))
    said = capsys.readouterr()
    assert said.out == "" and said.err == (
        "step 20/100  10 steps/s  1:16 left  critic 1.235  generator not finite\n"
        "step 100/100  10 steps/s  done  critic 1.235  generator not finite\n"
    )


def test_quiet_says_nothing(capsys):
    with progress.shown(10, quiet=True) as show:
        show(line(10))
    assert capsys.readouterr() == ("", "")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_bar_on_a_terminal(monkeypatch, term):
    # Kills: a bar without rate, time left or losses; nothing left of it at the end; control codes where TERM=dumb.
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", term)
    with progress.shown(100, quiet=False) as show:
        show(line(40, **{"vae/loss": 2.5}))
        show(line(100, **{"vae/loss": 2.25}))
        limit = time.monotonic() + (60 if term == "xterm" else 0)
        while "0:00 left" not in terminal.getvalue() and time.monotonic() < limit:
            time.sleep(0.01)
    said = terminal.getvalue()
    assert (
        "100/100" in said and "10 steps/s" in said and said.rpartition("step 100/100")[2].strip().endswith("vae 2.25")
    )
    assert ("\x1b" in said) is (term == "xterm") and ("0:00 left" in said) is (term == "xterm")
