import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from jaxgen.core import BadRequest
from jaxgen.training.process import Interrupted, Stopped, check_new, interruptible, owned, stoppable


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_first_signal_is_a_note_second_acts(number):
    # Kills: a handler that stays; a second Ctrl-C that is swallowed.
    hits = []
    before = signal.signal(number, lambda *args: hits.append("old handler"))
    try:
        with stoppable() as caught:
            os.kill(os.getpid(), number)
            assert caught == [number] and hits == []
            os.kill(os.getpid(), number)
            assert caught == [number] and hits == ["old handler"]
        with stoppable() as caught:
            assert caught == []
        os.kill(os.getpid(), number)
        assert len(hits) == 2
    finally:
        signal.signal(number, before)
    assert str(Stopped(signal.SIGTERM, "round 7 is saved.")) == "stopped by SIGTERM: round 7 is saved."


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_strikes_at_once_where_work_is_interruptible(number):
    # Kills: SIGTERM left to its default, which ends the process before anything is kept; a handler that stays.
    before = signal.getsignal(number)
    with pytest.raises(Interrupted) as struck, interruptible():
        os.kill(os.getpid(), number)
        raise AssertionError("went on")
    assert struck.value.signal == number and signal.getsignal(number) is before


def test_other_threads_go_without():
    said = []

    def run():
        with stoppable() as caught:
            said.append(caught)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert said == [[]]


def test_one_writer(tmp_path):
    # Kills: two runs in one folder; a lock that outlives its process.
    out = tmp_path / "a" / "run"
    with owned(out, new=True):
        code = (
            "import sys; from pathlib import Path; from jaxgen.training.process import owned\n"
            "with owned(Path(sys.argv[1]), new=False): print('in')"
        )
        other = subprocess.run([sys.executable, "-c", code, str(out)], capture_output=True, text=True, check=False)
        assert "another process is writing" in other.stderr and other.stdout == ""
    with owned(out, new=True):
        (out / "config.json").write_text("")
    with pytest.raises(BadRequest, match="not empty"), owned(out, new=True):
        raise AssertionError
    with owned(out, new=False):
        assert (out / "lock").exists()


def test_a_folder_that_cannot_be_new(tmp_path):
    # Kills: a folder overwritten; a file taken for a folder; anything written by the check.
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("")
    for name, says in (("full", "not empty"), ("full/x", "is a file"), ("full/x/y", "cannot be written")):
        with pytest.raises(BadRequest, match=says):
            check_new(tmp_path / name)
    check_new(tmp_path / "a" / "b")
    assert os.listdir(tmp_path) == ["full"]
    with pytest.raises(BadRequest, match="cannot be written"), owned(tmp_path / "full" / "x" / "y", new=True):
        raise AssertionError


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="a folder in which nothing can be made, by nobody")
def test_a_folder_that_permissions_do_not_refuse(tmp_path, monkeypatch):
    # Kills: permissions believed, and hours of work without a place to put them; a trial that leaves parents behind.
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    for path in (Path("/proc/x"), Path("/proc/x/y"), tmp_path / "link"):
        with pytest.raises(BadRequest, match="cannot be made"):
            check_new(path)
    check_new(tmp_path / "a" / "b" / "c")
    assert os.listdir(tmp_path) == ["link"]


def test_a_folder_without_permission(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(BadRequest, match="no folder that you may write to"):
        check_new(tmp_path / "run")
