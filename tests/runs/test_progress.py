import io
import json
import math
import sys

import pytest

from jaxgen.system import files
from jaxgen.runs import progress
from jaxgen.training.loop import Chunk


def line(round, **figures):
    return {"round": round, "rounds_per_s": 10.0, "finite": True, **figures}


def test_record_is_strict_json():
    # Kills: NaN written as NaN; a figure that is lost; a flag that looks at the loss alone.
    chunk = Chunk(30, None, {"critic": {"loss": 1.5, "gap": -math.inf}, "generator": {"loss": 2.0}}, 10, 4.0)
    said = progress.record(chunk)
    assert files.read_json(json.dumps(said, allow_nan=False).encode()) == {
        "round": 30,
        "rounds_per_s": 2.5,
        "finite": False,
        "critic/loss": 1.5,
        "critic/gap": None,
        "generator/loss": 2.0,
    }


def test_metrics_survive_a_kill_at_any_byte(tmp_path):
    # Kills: a reader that stops at a line cut short; lines flushed together at the end.
    path = tmp_path / "metrics.jsonl"
    for round in (10, 20, 30):
        progress.append(path, line(round, loss=0.5))
        assert [said["round"] for said in progress.read(path)][-1] == round
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        assert len(progress.read(path)) == length // first
    path.write_bytes(content[:-3])
    assert [said["round"] for said in progress.keep_until(path, 10)] == [10]
    assert path.read_bytes() == content[:first] and sorted(tmp_path.iterdir()) == [path]
    assert progress.read(tmp_path / "none") == []


@pytest.mark.parametrize(
    "damage", [b"{", b"", b"\xff\xfe", b"3", b"null", b'{"finite": true}', b'{"round": NaN}', b"[" * 9999]
)
def test_damaged_lines_are_dropped_and_said(tmp_path, capsys, damage):
    # Kills: a traceback in place of a resumed run; good lines that go with a damaged one; silence.
    path = tmp_path / "metrics.jsonl"
    good = [json.dumps(line(round)).encode() for round in (10, 20)]
    path.write_bytes(b"\n".join([good[0], damage, good[1], b'{"rou']))
    assert [said["round"] for said in progress.keep_until(path, 20)] == [10, 20]
    assert path.read_bytes() == b"\n".join([*good, b""])
    said = capsys.readouterr().err
    assert str(path) in said and "damaged lines dropped: 1;" in said and said.count("\n") == 1
    assert [said["round"] for said in progress.keep_until(path, 10)] == [10] and capsys.readouterr().err == ""


def test_plain_lines_every_ten_seconds_and_at_the_end(monkeypatch, capsys):
    # Kills: a line per chunk; the end left out; control codes in a log file.
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.shown(100, quiet=False) as show:
        for round, at in ((10, 1.0), (20, 10.5), (30, 12.0), (100, 13.0)):
            now[0] = at
            show(line(round, **{"critic/loss": 1.23456, "generator/loss": None}))
    said = capsys.readouterr()
    assert said.out == "" and said.err == (
        "round 20/100  10 rounds/s  8 s left  critic 1.235  generator not finite\n"
        "round 100/100  10 rounds/s  done  critic 1.235  generator not finite\n"
    )


def test_quiet_says_nothing(capsys):
    with progress.shown(10, quiet=True) as show:
        show(line(10))
    assert capsys.readouterr() == ("", "")


def test_bar_on_a_terminal(monkeypatch):
    # Kills: a bar without rate, time left or losses.
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    with progress.shown(100, quiet=False) as show:
        show(line(40, **{"vae/loss": 2.5}))
    said = terminal.getvalue()
    assert "40/100" in said and "10 rounds/s" in said and "vae 2.5" in said


def test_files_are_written_whole_or_not_at_all(tmp_path, monkeypatch):
    # Kills: a half-written config; a temporary file left behind.
    path = tmp_path / "config.json"
    files.write_json(path, {"a": 1})
    with pytest.raises(ValueError):
        files.write_json(path, {"a": math.nan})

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_json(path, {"a": 2})
    assert files.read_json(path.read_bytes()) == {"a": 1} and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", [b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b"{"])
def test_json_is_read_strictly(content):
    # Kills: NaN let in; the last of two values taken in silence.
    with pytest.raises(ValueError):
        files.read_json(content)
