"""Decoded images that are kept: written whole, found by content, replaced where they are damaged, never needed."""

import errno
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from jaxgen.core import BadRequest
from jaxgen.data import cache, decoded, load
from jaxgen.data.streams import Stored

RNG = np.random.default_rng(0)


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """An empty place for what is kept, where every folder is worth keeping."""
    monkeypatch.setenv("JAXGEN_CACHE", str(tmp_path / "kept"))
    monkeypatch.setattr(decoded, "LONG", 0)
    return tmp_path / "kept"


@pytest.fixture
def photos(tmp_path):
    for i in range(20):
        folder = tmp_path / "photos" / "ab"[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(RNG.integers(0, 256, (10, 70, 3), dtype=np.uint8)).save(folder / f"{i:02}.png")
    return tmp_path / "photos"


def same(one, other):
    assert one.digest == other.digest and one.notes == other.notes and one.classes == other.classes
    assert np.array_equal(one.train.x[:], other.train.x[:])


def entries(kept):
    return sorted(path.suffix for path in kept.iterdir())


def test_a_second_reading_decodes_nothing(kept, photos, monkeypatch, capsys):
    # Kills: nothing kept, or kept and not found; rows in another order; other notes; a place that is not named, or
    # named again.
    with monkeypatch.context() as patch:
        patch.setenv("JAXGEN_CACHE", "off")
        plain = load(photos)
        assert not kept.exists() and capsys.readouterr().err == ""
    same(load(photos), plain)
    assert capsys.readouterr().err == f"decoding 20 images of {photos}, once: 0.0 MB are kept in {kept}\n"
    monkeypatch.setattr(decoded, "decode", None)
    monkeypatch.setattr(decoded, "read_header", None)
    second = load(photos)
    same(second, plain)
    assert second.train.x.flags.writeable and capsys.readouterr().err == "" and entries(kept) == [".json", ".npy"]
    shutil.move(photos, photos.with_name("elsewhere"))
    assert load(photos.with_name("elsewhere")).digest == plain.digest  # the content counts, not the place


def test_whatever_changes_the_images_changes_the_key(kept, photos):
    # Kills: a content of the same size and time that is not seen; another order of the same files; the size; a file
    # that is gone.
    load(photos)
    load(photos, size=8)
    assert len(entries(kept)) == 2 * 2
    file = photos / "a" / "00.png"
    stat, other = file.stat(), (photos / "a" / "02.png").read_bytes()
    file.write_bytes(other)
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    x = np.asarray(Image.open(file))
    assert sum(np.array_equal(row, load(photos).train.x[0]) for row in load(photos).train.x) >= 1
    assert len(entries(kept)) == 3 * 2 and x.shape == (10, 70, 3)
    file.rename(photos / "a" / "zz.png")
    load(photos)
    (photos / "b" / "01.png").unlink()
    with pytest.raises(BadRequest, match="19 examples"):
        load(photos)
    Image.fromarray(x).save(photos / "b" / "new.png")
    load(photos)
    assert len(entries(kept)) == 5 * 2


def test_what_is_damaged_is_made_again(kept, photos):
    # Kills: a cut or scribbled file trusted; one flipped byte; a file of another shape; half of an entry.
    plain = load(photos)
    for suffix in (".npy", ".json"):
        (file,) = kept.glob(f"*{suffix}")
        whole = file.read_bytes()
        flipped = bytearray(whole)
        flipped[-40] ^= 1
        for content in (b"", whole[:-3], whole[:40], bytes(flipped), b"[]", b"null"):
            file.write_bytes(content)
            same(load(photos), plain)
            assert file.read_bytes() == whole, (suffix, content[:50])
        file.unlink()
        same(load(photos), plain)
        assert file.read_bytes() == whole
    (file,) = kept.glob("*.npy")
    whole = file.read_bytes()
    np.save(file, np.load(file).reshape(20, 8, 24, 1))  # the same bytes
    same(load(photos), plain)
    assert file.read_bytes() == whole
    (about,) = kept.glob("*.json")
    about.write_text(json.dumps({**json.loads(about.read_text()), "about": 3}))
    same(load(photos), plain)


def refusing(number):
    def refuse(*args, **options):
        raise OSError(number, os.strerror(number))

    return refuse


@pytest.mark.parametrize(
    "where, what, says",
    [
        ("jaxgen.data.cache.Path.mkdir", refusing(errno.EACCES), "Permission denied"),
        ("jaxgen.data.cache.shutil.disk_usage", lambda place: shutil._ntuple_diskusage(9, 8, 1000), "0 MB free"),
        ("jaxgen.data.cache.os.posix_fallocate", refusing(errno.EDQUOT), "quota"),
        ("jaxgen.data.cache.os.replace", refusing(errno.EROFS), "Read-only"),
        ("jaxgen.data.cache.files.write_json", refusing(errno.ENOSPC), "No space"),
    ],
)
def test_a_place_that_cannot_be_written_is_no_error(kept, photos, monkeypatch, capsys, where, what, says):
    # Kills: data refused because they cannot be kept; silence; half of it left behind and trusted.
    monkeypatch.setattr(where, what)
    data = load(photos)
    said = capsys.readouterr().err
    assert "could not be kept" in said and says.lower() in said.lower(), said
    assert not kept.exists() or not (list(kept.glob(".partial*")) or list(kept.glob("*.json")))
    monkeypatch.undo()
    monkeypatch.setenv("JAXGEN_CACHE", "off")
    same(data, load(photos))


def test_what_does_not_fit_in_memory_is_mapped_or_decoded_as_it_is_asked_for(kept, photos, monkeypatch):
    # Kills: images decoded again in each epoch though they are kept; an array in memory that has no room there.
    plain, streamed = load(photos), load(photos, room=100)
    monkeypatch.setattr(decoded, "decode", None)
    assert isinstance(streamed.train.x, Stored) and np.array_equal(streamed.train.x[:], plain.train.x)
    monkeypatch.undo()
    monkeypatch.setattr(decoded, "LONG", 0)
    monkeypatch.setenv("JAXGEN_CACHE", os.path.join(os.devnull, "no folder"))
    monkeypatch.setattr(cache.np, "empty", None)
    assert cache.make("key", (20, 8, 8, 3), None, room=100)[0] is None
    monkeypatch.undo()
    monkeypatch.setattr(decoded, "LONG", 0)
    monkeypatch.setenv("JAXGEN_CACHE", os.path.join(os.devnull, "no folder"))
    assert np.array_equal(load(photos, room=100).train.x[:], plain.train.x)


def test_small_folders_are_not_kept(kept, photos, monkeypatch):
    # Kills: files in the home of the user for what takes no time.
    monkeypatch.setattr(decoded, "LONG", 1e6)
    load(photos)
    assert not kept.exists()


def test_files_that_cannot_be_opened_are_named(kept, photos):
    # Kills: an error of the system in place of the line, where contents are looked at before images are.
    for name in ("a/zz.png", "b/zz.png"):
        (photos / name).symlink_to(photos / "nowhere.png")
    with pytest.raises(BadRequest, match=r"2 images cannot be read: a/zz.png \(.*No such file.*\), b/zz.png"):
        load(photos)


def test_damaged_images_leave_nothing_behind(kept, photos):
    # Kills: an array with holes that is kept.
    for name in ("a/00.png", "b/01.png"):
        whole = (photos / name).read_bytes()
        (photos / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadRequest, match="2 images cannot be read"):
        load(photos)
    assert list(kept.iterdir()) == []


def test_several_processes_keep_the_same_images(kept, photos):
    # Kills: one name for what is not whole yet, by which processes write into the array of another.
    code = (
        "import sys; from jaxgen.data import load, decoded; decoded.LONG = 0; input(); print(load(sys.argv[1]).digest)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = [subprocess.Popen([sys.executable, "-c", code, str(photos)], text=True, **pipes) for _ in range(3)]
    found = [process.communicate("\n") for process in started]
    assert {out.strip() for out, _ in found} == {load(photos).digest}, found
    assert entries(kept) == [".json", ".npy"]


def test_what_two_keep_at_once_is_whole(kept):
    # Kills: one name for what is not whole yet, by which one writes into the array of another, or takes it away.
    inner = []

    def fill(x):
        x[:10] = 7
        if not inner:
            inner.append(True)
            assert cache.make("key", (20, 8, 8, 1), fill)[1] is None  # as another process does meanwhile
            assert (cache.find("key").x == 7).all()
        x[10:] = 7
        return {}

    x, why = cache.make("key", (20, 8, 8, 1), fill)
    assert why is None and (x == 7).all() and (cache.find("key").x == 7).all()
    assert entries(kept) == [".json", ".npy"]


def test_where_it_is_kept(monkeypatch, tmp_path):
    # Kills: a variable of the system or of ours that is not looked at, or looked at in another order.
    monkeypatch.delenv("JAXGEN_CACHE")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.folder() == tmp_path / ".cache" / "jaxgen"
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert str(cache.folder()) == "/x/jaxgen"
    monkeypatch.setenv("JAXGEN_CACHE", "~/y")
    assert cache.folder() == tmp_path / "y"
    monkeypatch.setenv("JAXGEN_CACHE", "OFF")
    assert cache.folder() is None


def test_what_is_kept_is_for_its_owner_and_what_was_left_goes(kept, photos):
    # Kills: copies that others may read; what a killed process left, for ever; what another one is filling just now.
    load(photos)
    assert {path.stat().st_mode & 0o077 for path in (kept, *kept.glob("*.npy"))} == {0}
    old, new = kept / ".partial-old", kept / ".partial-new"
    old.write_bytes(b"x")
    new.write_bytes(b"x")
    os.utime(old, (0, 0))
    load(photos, size=8)
    assert not old.exists() and new.exists() and len(entries(kept)) == 5
