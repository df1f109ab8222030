"""Small files written whole or not at all."""

import errno
import json
import os
from pathlib import Path
from typing import Any

from jaxgen.core import BadRequest

STRAYS = ("thumbs.db", "desktop.ini")


def is_stray(name: str) -> bool:
    """Whether a file of this name is left by file browsers, file systems or a write that was cut short: not content.

    >>> is_stray(".DS_Store"), is_stray("Thumbs.db"), is_stray("config.json")
    (True, True, False)
    """
    return name.startswith(".") or name.lower() in STRAYS


def expanded(path: str | os.PathLike) -> Path:
    """The path with its `~` as the home directory; that of a user who is not known stays as it is.

    >>> str(expanded("runs/a")), str(expanded("~nobody knows/a"))
    ('runs/a', '~nobody knows/a')
    """
    return Path(os.path.expanduser(path))


def write(path: Path, content: bytes) -> None:
    """Writes beside `path` and renames: whoever reads sees the old content or the new."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            file.write(content)
            file.flush()
            _sync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


_NO_SYNC = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def _sync(descriptor: int) -> None:
    """`os.fsync`, where the file system has it: CIFS and FUSE may not, and the content is written all the same."""
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def write_output(path: Path, content: bytes) -> None:
    """`write` to a place that the user named.

    Raises:
      BadRequest: nothing can be written there.
    """
    try:
        write(path, content)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, PermissionError) as error:
        raise BadRequest(f"{path} cannot be written: {error.strerror}.") from error


def write_json(path: Path, value: Any) -> None:
    """Strict JSON: a number that is not finite raises ValueError."""
    write(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(content: bytes) -> Any:
    """Strict JSON: NaN, Infinity and a name given twice raise ValueError, as does what is no UTF-8."""

    def refuse(constant: str):
        raise ValueError(f"{constant} is no JSON")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name for name, _ in pairs}) < len(pairs):
            raise ValueError("a name is given twice")
        return dict(pairs)

    return json.loads(content.decode(), parse_constant=refuse, object_pairs_hook=once)
