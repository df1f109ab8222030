"""argparse whose errors are one line that says what to do, and the types of its options.

Nothing here imports JAX: what can be refused from the command line alone is refused at once.
"""

import argparse
import difflib
import math
import os
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

LARGEST = 2**31 - 1  # steps and sizes are int32 on the device, and seeds are held to the same
DATA = (
    "digits, shapes, shapes64, ring8, grid25, stacked_digits, cancer, a set that `jaxgen prepare` or TFDS has prepared "
    "(fashion_mnist, cifar10 ...), an .npz or .npy file, or a folder of images (sub-folders are labels) or idx files"
)


class Usage(Exception):
    """A command line that cannot be followed; the message is one line that says what to do. Exit code 2."""


class Parser(argparse.ArgumentParser):
    """A parser of one command: no abbreviations, errors raised as `Usage`, the nearest flag offered."""

    def __init__(self, prog: str, description: str, example: str, usage: str | None = None):
        """`prog` as in `jaxgen train`; `description` and `example` are shown as they stand."""
        super().__init__(
            prog=prog,
            usage=usage,
            description=description,
            epilog=f"example:\n  {example}",
            formatter_class=_Formatter,
            allow_abbrev=False,
        )

    def parse_args(self, args: Sequence[str]) -> argparse.Namespace:  # type: ignore[override]
        """All of `args`, or `Usage`."""
        found, rest = self.parse_known_args(args)
        if rest:
            self.error(self._unknown(rest))
        return found

    def error(self, message: str) -> NoReturn:
        """Raises `Usage` with `message` and where to read more."""
        message = message.removeprefix("argument ")
        for said, plain in _PLAINER.items():
            message = message.replace(said, plain)
        end = "" if message.endswith(("?", ".")) else "."
        raise Usage(f"{message}{end} See {self.prog} --help.")

    def _unknown(self, rest: Sequence[str]) -> str:
        flags = [argument.partition("=")[0] for argument in rest if argument.startswith("--")]
        if not flags:
            if "--data" in self._option_string_actions and os.path.exists(rest[0]):
                return f"unknown argument {rest[0]!r}: did you mean --data {shlex.quote(rest[0])}?"
            return f"unknown argument {rest[0]!r}: leave it out, or quote what belongs together"
        known = [flag for flag in self._option_string_actions if flag.startswith("--")]
        meant = _ELSEWHERE.get(flags[0])
        return f"unknown flag {flags[0]}: {f'did you mean {meant}?' if meant in known else nearest(flags[0], known)}"


class _Formatter(argparse.RawDescriptionHelpFormatter):
    """Help for 80 columns: an option and its value side by side, text from column 26 on."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=26, width=80)


_ELSEWHERE = {
    **dict.fromkeys(("--rounds", "--epochs", "--iterations"), "--steps"),
    "--lr": "--learning-rate",
    "--seconds": "--seconds-per-model",
}
_PLAINER = {
    "the following arguments are required: ": "give ",
    "expected one argument": "give it a value",
    "ignored explicit argument": "it takes no value, leave out",
}


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say about a name that is not among `known`.

    >>> nearest("trian", ["train", "sample"]), nearest("x", ["train", "sample"])
    ('did you mean train?', 'there are train, sample.')
    """
    known = list(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."


def place(text: str) -> str:
    """The type of an option that takes a path: `~` is the home directory, and `a/../b` is what it means.

    >>> place("runs/a")
    'runs/a'
    """
    text = os.path.expanduser(text)
    return os.path.realpath(text) if os.pardir in text.split(os.sep) else text


def whole(least: int, most: int = LARGEST) -> Callable[[str], int]:
    """The type of an option that takes whole numbers from `least` to `most`."""

    def convert(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < least:
            _refuse(text, f"a whole number of at least {least}")
        if value > most:
            _refuse(text, f"a whole number of at most {most}")
        return value

    return convert


def number(*, zero: bool = False) -> Callable[[str], float]:
    """The type of an option that takes finite numbers above 0, or from 0 on."""

    def convert(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
            _refuse(text, "a number of at least 0" if zero else "a number above 0")
        return value

    return convert


def file_of(*endings: str) -> Callable[[str], str]:
    """The type of a file to be written: its folder exists, its ending is one of `endings`."""

    def convert(text: str) -> str:
        text = place(text)
        folder = os.path.dirname(os.path.abspath(text))
        if not text.lower().endswith(endings):
            _refuse(text, f"a file whose name ends in {' or '.join(endings)}")
        if os.path.isdir(text):
            raise argparse.ArgumentTypeError(f"{text} is a folder: name a file in it")
        if not os.path.isdir(folder):
            raise argparse.ArgumentTypeError(f"there is no folder {folder}: make it first")
        if not (os.access(folder, os.W_OK) and _takes_files(folder)):
            raise argparse.ArgumentTypeError(f"{folder} cannot be written to: name a file elsewhere")
        return text

    return convert


def _takes_files(folder: str) -> bool:
    """Whether a file can be made there, which permissions do not tell: root may write to /proc, and cannot."""
    import tempfile

    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False


def _refuse(text: str, wanted: str) -> NoReturn:
    raise argparse.ArgumentTypeError(f"it must be {wanted}, not {text!r}")


def given(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments that the command line holds, by name; the others keep the default of what is called with them."""
    return {name: value for name, value in vars(args).items() if value is not None}


def option(parser: Parser, flag: str, type: Callable[[str], Any], metavar: str, text: str, default: str = "") -> None:
    """Adds a flag of one value. `default` is what its help says where it is not given; the parser itself sets None."""
    shown = f"{text} (default: {default})" if default else text
    parser.add_argument(flag, type=type, metavar=metavar, help=shown.replace("%", "%%"))


def switch(parser: Parser, flag: str, text: str) -> None:
    """Adds a flag without a value, which is True if it is given; the parser itself sets None."""
    parser.add_argument(flag, action="store_const", const=True, help=text)


def of_images(parser: Parser) -> None:
    """Adds the flags that say how images are read."""
    option(
        parser, "--size", whole(8, 64), "N", "make images squares of N pixels a side, 8 to 64", "one that suits them"
    )
    option(parser, "--labels", str, "FILE.csv", "labels of a folder of images: columns file, label and, if any, split")


SEED = whole(0)
