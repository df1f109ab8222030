"""What TensorFlow Datasets (TFDS) has prepared on this machine: found by looking, without importing it."""

import importlib.util
import os
import re

from jaxgen.core import BadRequest

_NAME = re.compile(r"\w+(/\w[\w.+-]*)?")
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def data_dir() -> str:
    """Where TFDS keeps prepared data: `TFDS_DATA_DIR`, else `~/tensorflow_datasets`."""
    return os.path.expanduser(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets")


def find(name: str, root: str | None = None) -> str | None:
    """The folder of the newest prepared version of `NAME` or `NAME/CONFIG`, or None.

    >>> find("no_such_set")
    """
    if not _NAME.fullmatch(name):
        return None
    folder = os.path.join(root or data_dir(), name)
    versions = [
        (tuple(map(int, match.groups())), version)
        for version in listed(folder)
        if (match := _VERSION.fullmatch(version)) and os.path.isfile(os.path.join(folder, version, "dataset_info.json"))
    ]
    return os.path.join(folder, max(versions)[1]) if versions else None


def names() -> tuple[str, ...]:
    """What is prepared, in order: `NAME`, or `NAME/CONFIG` where a set comes in configurations."""
    root, found = data_dir(), []
    for name in listed(root):
        configs = [f"{name}/{config}" for config in listed(os.path.join(root, name))] if name != "downloads" else []
        found += [each for each in (name, *configs) if find(each)]
    return tuple(found)


def registered() -> tuple[str, ...]:
    """The sets that TFDS can prepare, as the files of the package tell: importing it would take a second."""
    spec = importlib.util.find_spec("tensorflow_datasets")
    home = spec.submodule_search_locations[0] if spec and spec.submodule_search_locations else ""
    older = {os.path.splitext(name)[0] for name in listed(os.path.join(home, "url_checksums"))}
    newer = {
        name for name in listed(os.path.join(home, "datasets")) if os.path.isdir(os.path.join(home, "datasets", name))
    }
    return tuple(sorted(name for name in older | newer if name[0] != "_"))


def unprepared(name: str) -> BadRequest:
    """What to say of a set that TFDS can prepare, and has not."""
    configs = [each for each in names() if each.startswith(f"{name}/")]
    if configs:
        return BadRequest(f"{name} comes in configurations: say which, of {', '.join(configs)}.")
    said = "set by TFDS_DATA_DIR" if os.environ.get("TFDS_DATA_DIR") else "TFDS_DATA_DIR can name another folder"
    return BadRequest(
        f"{name} is not prepared in {data_dir()} ({said}): `jaxgen prepare {name} --from FOLDER` does it "
        f"with the downloaded files, or `tfds build {name} --file_format=array_record` with TensorFlow and a network."
    )


def listed(folder: str) -> list[str]:
    """The names in a folder, in order; none where it is not there, or not ours to read."""
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
