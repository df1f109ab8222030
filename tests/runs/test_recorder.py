"""What a run writes while it trains, and what is read of it after a kill."""

import json
import math

import pytest

from jaxgen.runs import recorder
from jaxgen.system import files
from jaxgen.training.loop import Chunk


def line(round, **figures):
    return {"step": round, "steps_per_s": 10.0, "finite": True, **figures}


def test_record_is_strict_json():
    # Kills: NaN written as NaN; a figure that is lost; a flag that looks at the loss alone.
    chunk = Chunk(30, None, {"critic": {"loss": 1.5, "gap": -math.inf}, "generator": {"loss": 2.0}}, 10, 4.0)
    said = recorder.record(chunk, seconds=7.25, seed=3)
    assert files.read_json(json.dumps(said, allow_nan=False).encode()) == {
        "step": 30,
        "seed": 3,
        "seconds": 7.25,
        "steps_per_s": 2.5,
        "finite": False,
        "critic/loss": 1.5,
        "critic/gap": None,
        "generator/loss": 2.0,
    }


def test_metrics_survive_a_kill_at_any_byte(tmp_path):
    # Kills: a reader that stops at a line cut short; lines flushed together at the end.
    path = tmp_path / "metrics.jsonl"
    for round in (10, 20, 30):
        recorder.append(path, line(round, loss=0.5))
        assert [said["step"] for said in recorder.read(path)][-1] == round
    content = path.read_bytes()
    first = content.index(b"\n") + 1
    for length in range(len(content) + 1):
        path.write_bytes(content[:length])
        assert len(recorder.read(path)) == length // first
    path.write_bytes(content[:-3])
    assert [said["step"] for said in recorder.keep_until(path, 10)] == [10]
    assert path.read_bytes() == content[:first] and sorted(tmp_path.iterdir()) == [path]
    assert recorder.read(tmp_path / "none") == []


@pytest.mark.parametrize(
    "damage", [b"{", b"", b"\xff\xfe", b"3", b"null", b'{"finite": true}', b'{"step": NaN}', b"[" * 9999]
)
def test_damaged_lines_are_dropped_and_said(tmp_path, capsys, damage):
    # Kills: a traceback in place of a resumed run; good lines that go with a damaged one; silence.
    path = tmp_path / "metrics.jsonl"
    good = [json.dumps(line(round)).encode() for round in (10, 20)]
    path.write_bytes(b"\n".join([good[0], damage, good[1], b'{"rou']))
    assert [said["step"] for said in recorder.keep_until(path, 20)] == [10, 20]
    assert path.read_bytes() == b"\n".join([*good, b""])
    said = capsys.readouterr().err
    assert str(path) in said and "damaged lines dropped: 1;" in said and said.count("\n") == 1
    assert [said["step"] for said in recorder.keep_until(path, 10)] == [10] and capsys.readouterr().err == ""
