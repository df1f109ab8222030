import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jaxgen.core import BadRequest
from jaxgen.runs.folder import unsaved
from jaxgen.system.lock import check_new, is_held, owned


def test_one_writer(tmp_path):
    # Kills: two runs in one folder; a lock that outlives its process, as a marker file outlives a kill; a look that
    # takes the lock away.
    out = tmp_path / "a" / "run"
    code = (
        "import sys; from pathlib import Path; from jaxgen.system.lock import owned\n"
        "with owned(Path(sys.argv[1]), new=True): print('in', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, str(out)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "in\n"
        assert is_held(out) and is_held(out)
        with pytest.raises(BadRequest, match="another process is writing"), owned(out, new=False):
            raise AssertionError
        process.kill()
    assert is_held(out) is False
    with owned(out, new=True):
        (out / "config.json").write_text("")
    with pytest.raises(BadRequest, match="not empty"), owned(out, new=True):
        raise AssertionError
    with owned(out, new=False):
        assert is_held(out)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP], ids=errno.errorcode.get)
def test_a_file_system_without_locks(tmp_path, monkeypatch, capsys, code):
    # Kills: NFS or Lustre without locks on which nothing can be trained; silence; a fault of the machine taken for
    # that; a run at work that is to be removed.
    def flock(file, how, code=code):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    with owned(tmp_path, new=True):
        (line,) = capsys.readouterr().err.splitlines()
        assert line == (
            f"{tmp_path} is on a file system without locks ({os.strerror(code)}): let no second process write there."
        )
        assert is_held(tmp_path) is None
        assert "if no process is at work there, remove that folder" in unsaved(tmp_path)
    monkeypatch.setattr(fcntl, "flock", lambda file, how: flock(file, how, errno.EIO))
    for use in (lambda: is_held(tmp_path), owned(tmp_path, new=False).__enter__):
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            use()


def test_a_folder_that_holds_strays_alone_is_new(tmp_path):
    # Kills: "not empty" of a folder that looks empty, because a file browser has opened it.
    (tmp_path / ".DS_Store").write_text("")
    check_new(tmp_path)
    with owned(tmp_path, new=True):
        assert (tmp_path / ".DS_Store").exists()


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
