"""Official sets of TensorFlow Datasets (TFDS) prepared from files at hand: checksums on, no TensorFlow, no network."""

import contextlib
import difflib
import hashlib
import io
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxgen.core import BadRequest
from jaxgen.data.tfds import catalogue
from jaxgen.data.tfds.patches import offline
from jaxgen.data.tfds.records import tfds
from jaxgen.system.bar import busy
from jaxgen.system.files import expanded
from jaxgen.system.signals import Interrupted, stoppable, unbroken

# Debian's package dataset-fashion-mnist holds upstream's deflate streams behind gzip headers without name and time. Of
# each file by its registered sha256: the time (seconds since 1970) that upstream's header holds.
TIMES = {
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84": 1504176606,  # train images
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845": 1504176606,  # train labels
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073": 1504176627,  # t10k images
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5": 1504176627,  # t10k labels
}
PLAIN = b"\x1f\x8b\x08\x00"  # a gzip header (RFC 1952): magic, deflate, and no optional field


class Prepared(NamedTuple):
    """What was written."""

    folder: Path
    counts: dict[str, int]  # examples by split


def prepare(name: str, source: str | os.PathLike, data_dir: str | os.PathLike | None = None) -> Prepared:
    """Prepares TFDS's official set `name` from the downloaded files in the folder `source`, below `data_dir`.

    Every file is compared with the sha256 that TFDS registers for it, here and again by TFDS. Nothing is written
    before, and what a failure leaves behind is removed. `data_dir` is by default where TFDS keeps its data.

    Raises:
      BadRequest: no such set or folder, a set that is already prepared, a file that is missing or not the official one,
        a set that takes TensorFlow to prepare.
    """
    source, root = expanded(source), expanded(data_dir or catalogue.data_dir())
    if not source.is_dir():
        raise BadRequest(f"there is no folder {source}: --from names the one that holds the downloaded files.")
    if found := catalogue.find(name, str(root)):
        raise BadRequest(f"{name} is already prepared in {found}: use it, or delete that folder to prepare it anew.")
    builder = _builder(name, root)
    registered = {info.filename: info for info in (builder.url_infos or {}).values() if info.filename}
    if not registered:
        raise BadRequest(f"{name} cannot be prepared from files: TFDS registers no checksum for it.")
    missing = [file for file in registered if not (source / file).is_file()]
    lacking = BadRequest(
        f"{source} lacks {', '.join(missing[:4])}{' and others' if len(missing) > 4 else ''}: download what {name} is "
        f"made of first ({builder.info.homepage})."
    )
    if len(missing) == len(registered):
        raise lacking
    files = {file: _official(source / file, info) for file, info in registered.items() if file not in missing}
    made = not root.exists()
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, FileExistsError, NotADirectoryError, PermissionError) as error:
        raise BadRequest(f"{root} cannot be made ({error.strerror}): --data-dir names a folder to write to.") from error
    try:
        with _stage(root) as stage:
            _write(builder, source, files, stage, lacking)
    finally:
        for folder in (*Path(builder.data_dir).parents[: len(Path(name).parts)], *([root] if made else [])):
            with contextlib.suppress(OSError):  # it is not empty, and stays
                folder.rmdir()
    counts = {split: builder.info.splits[split].num_examples for split in builder.info.splits}
    return Prepared(Path(builder.data_dir), counts)


@contextlib.contextmanager
def _stage(root: Path) -> Iterator[Path]:
    """A folder that goes again, whatever happens: a signal waits until it is gone."""
    with stoppable() as caught:
        stage = Path(tempfile.mkdtemp(prefix=".jaxgen-", dir=root))
    try:
        if caught:
            raise Interrupted(caught[0])
        yield stage
    finally:
        with unbroken():
            shutil.rmtree(stage, ignore_errors=True)


def _builder(name: str, root: Path) -> Any:
    known = tfds().list_builders(with_community_datasets=False)
    set_name, _, config = name.partition("/")
    if set_name not in known:
        near = difflib.get_close_matches(set_name.lower(), known, n=1, cutoff=0.7)
        hint = f"did you mean {near[0]!r}?" if near else "see tensorflow.org/datasets/catalog."
        raise BadRequest(f"TFDS has no set {set_name!r}: {hint}")
    configs = tfds().builder_cls(set_name).builder_configs
    if config and config not in configs:
        raise BadRequest(f"{set_name} has no configuration {config!r}: there are {', '.join(configs) or 'none'}.")
    return tfds().builder(name, data_dir=str(root), file_format="array_record")


def _official(path: Path, info: Any) -> bytes | None:
    """None where the file is the registered one as it stands, its content where a new gzip header makes it that.

    Raises:
      BadRequest: neither.
    """
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest == info.checksum:
        return None
    if info.checksum in TIMES:
        content = path.read_bytes()
        name = info.filename.removesuffix(".gz").encode()
        header = PLAIN[:3] + b"\x08" + TIMES[info.checksum].to_bytes(4, "little") + b"\x00\x03" + name + b"\x00"
        restored = header + content[10:]
        if content[:4] == PLAIN and hashlib.sha256(restored).hexdigest() == info.checksum:
            return restored
    raise BadRequest(
        f"{path} is not the official file: its sha256 begins {digest[:12]}, and {info.checksum[:12]} is registered. "
        "Download it again."
    )


def _write(builder: Any, source: Path, files: Mapping[str, bytes | None], stage: Path, lacking: BadRequest) -> None:
    manual = stage / "manual"
    manual.mkdir()
    for name, content in files.items():
        if content is None:
            (manual / name).symlink_to((source / name).resolve())
        else:
            (manual / name).write_bytes(content)
    config = tfds().download.DownloadConfig(
        manual_dir=manual,
        # Its own: files of other sets have the same names, and TFDS reuses what was once extracted under a name.
        extract_dir=stage / "extracted",
        try_download_gcs=False,
        force_checksums_validation=True,
    )
    print(f"preparing {builder.info.full_name}", file=sys.stderr, flush=True)
    tfds().disable_progress_bar()
    # What TFDS prints speaks of downloads that there are none of.
    with (
        busy("preparing"),
        offline(lambda url: lacking),
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        builder.download_and_prepare(download_dir=stage / "downloads", download_config=config)
