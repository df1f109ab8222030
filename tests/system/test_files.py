"""Small files: whole or not at all, and read strictly."""

import errno
import math
import os

import pytest

from jaxgen.system import files


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


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_that_does_not_sync_is_written_to(tmp_path, monkeypatch, number):
    # Kills: no run at all on CIFS and some FUSE.
    def refuse(descriptor):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(files.os, "fsync", refuse)
    files.write_json(tmp_path / "config.json", {"a": 1})
    assert files.read_json((tmp_path / "config.json").read_bytes()) == {"a": 1}


@pytest.mark.parametrize("content", [b'{"a": NaN}', b'{"a": 1, "a": 2}', b"\xff", b"{"])
def test_json_is_read_strictly(content):
    # Kills: NaN let in; the last of two values taken in silence.
    with pytest.raises(ValueError):
        files.read_json(content)
