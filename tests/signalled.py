"""`jaxgen` with a signal at a file: `signalled.py FOLDER NUMBER EVENT WORDS...`, where FOLDER is where WORDS write.

Signal NUMBER is sent at the EVENT-th time that a file or folder below FOLDER is opened, made, renamed or removed; with
NUMBER 0 none is, and `FOLDER.events` gets how many times there were. `prepare` finds small files to be the official
ones of Fashion-MNIST (`toy_sets.contents`).
"""

import hashlib
import os
import sys
from pathlib import Path

TOUCH = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "shutil.rmtree", "os.listdir", "os.scandir")


def watch(folder: str, number: int, event: int) -> None:
    """Counts, and sends the signal."""
    seen, counted = 0, f"{folder}.events"

    def hook(name, args):
        nonlocal seen
        path = args[0] if name in TOUCH and args else None
        if isinstance(path, str | os.PathLike) and os.fspath(path).startswith(folder) and os.fspath(path) != counted:
            seen += 1
            if number == 0:
                with open(counted, "w") as file:
                    file.write(str(seen))
            elif seen == event:
                os.kill(os.getpid(), number)

    sys.addaudithook(hook)


def take_small_files(command):
    """The command `prepare`, to which the builder of Fashion-MNIST has small files."""

    def run(parser, argv):
        import gzip

        sys.path.insert(0, str(Path(__file__).parent / "data"))
        from toy_sets import TRAIN, X, contents

        from jaxgen.data.tfds.records import tfds

        tfds().list_builders(with_community_datasets=False)
        builder = tfds().builder_cls("fashion_mnist")
        module, info = sys.modules[builder.__module__], type(next(iter(builder.url_infos.values())))
        module._TRAIN_EXAMPLES, module._TEST_EXAMPLES = TRAIN, len(X) - TRAIN
        size = type(next(iter(builder.url_infos.values())).size)
        files = {f"{name}.gz": gzip.compress(content, mtime=0) for name, content in contents().items()}
        builder.url_infos = {
            f"{builder.URL}{name}": info(size(len(content)), hashlib.sha256(content).hexdigest(), name)
            for name, content in files.items()
        }
        command(parser, argv)

    return run


def main(folder: str, number: int, event: int, words: list[str]) -> None:
    watch(folder, number, event)
    if words[0] == "prepare":
        from jaxgen import cli

        row = cli.COMMANDS["prepare"]
        cli.COMMANDS["prepare"] = row._replace(run=take_small_files(row.run))
    from jaxgen.__main__ import enter

    sys.argv = ["jaxgen", *words]
    enter()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
