"""What each command takes, and the call that it makes. A command imports what it needs once its words are checked."""

import argparse
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgen.cli.parser import SEED, Parser, given, number, option, whole

if TYPE_CHECKING:
    from jaxgen.recipes import Recipe

DATA = (
    "digits, ring8, grid25, cancer, a set that `jaxgen prepare` or TFDS has prepared (fashion_mnist, cifar10 ...), "
    "an .npz or .npy file, or a folder of images (sub-folders are labels) or idx files"
)


def compare(argv: Sequence[str]) -> None:
    """`jaxgen compare`: trains both sides and writes the report."""
    parser = Parser(
        "jaxgen compare",
        "Train the VAE and the GAN side for the same time, run every task that the\n"
        "data allows, and write report.html and report.json.",
        "jaxgen compare --data photos --models vae,r3gan,wgan_gp --out runs/photos",
    )
    option(parser, "--data", str, "DATA", DATA, "digits")
    option(parser, "--models", _names, "A,B,...", "recipes to compare", "vae,r3gan")
    option(parser, "--out", str, "DIR", "new or empty folder for the report", "the next free runs/compare-N")
    option(parser, "--seconds-per-model", number(), "S", "training time of one model and seed", "8")
    option(parser, "--seeds", whole(1), "N", "trainings of each model", "5")
    option(parser, "--seed", SEED, "I", "the first of them", "0")
    option(parser, "--repeat", str, "DIR", "run the comparison in DIR again, with the rounds recorded there")
    asked = given(parser.parse_args(argv))
    earlier = asked.pop("repeat", None)
    if earlier is not None and asked.keys() - {"out"}:
        parser.error("--repeat DIR takes all but --out from the comparison in DIR: leave the other flags out")
    from jaxgen.comparison import session

    out = (
        session.compare(session.Settings(**asked)) if earlier is None else session.repeat(earlier, out=asked.get("out"))
    )
    print(out / "report.html")


def train(argv: Sequence[str]) -> None:
    """`jaxgen train`: a new run, or on with one that stopped."""
    parser = Parser(
        "jaxgen train",
        "Train one recipe on one data set, or go on with a run that stopped.\n\n"
        "A recipe's own weights are flags too, such as --gamma for r3gan:\n"
        "`jaxgen recipes` lists them with their defaults. Ctrl-C stops with a checkpoint.",
        "jaxgen train r3gan --out runs/a --steps 2000 --gamma 0.5",
        usage="jaxgen train RECIPE --out DIR --steps N [options]\n       jaxgen train --resume DIR",
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a name that `jaxgen recipes` lists")
    option(parser, "--data", str, "DATA", DATA, "digits")
    option(parser, "--out", str, "DIR", "new or empty folder for the run")
    option(parser, "--steps", whole(1), "N", "rounds to train; in each, every turn of the recipe is taken")
    option(parser, "--seed", SEED, "I", "all randomness of the run follows from it", "0")
    option(parser, "--batch-size", whole(1), "N", "examples a turn", "the recipe's")
    option(parser, "--learning-rate", number(), "X", "of Adam", "the recipe's")
    option(parser, "--latent-dim", whole(1), "N", "numbers in a latent code", "the recipe's")
    option(parser, "--resume", str, "DIR", "go on with the run in DIR; nothing else goes with it")
    args, unknown = parser.parse_known_args(argv)
    own: set[str] = set()
    if unknown:  # only then is the table of recipes, and with it JAX, needed to read the line
        own = _add_weights(parser, _recipes())
        args = parser.parse_args(argv)
    asked = given(args)
    if args.resume is not None:
        if len(asked) > 1:
            parser.error("--resume DIR goes alone: the run goes on as it was asked for; leave the rest out")
        _resume(args.resume)
        return
    for name, shown in (("recipe", "RECIPE, or --resume DIR"), ("out", "--out DIR"), ("steps", "--steps N")):
        if name not in asked:
            parser.error(f"give {shown}")
    weights = {name: asked.pop(name) for name in own & asked.keys()}
    _train(asked.pop("out"), {"data": "digits", **asked, "weights": weights})


def _train(out: str, settings: dict[str, Any]) -> None:
    from jaxgen.runs import run

    config = run.Config(**settings)
    _play(out, lambda: run.train(config, out))


def _resume(out: str) -> None:
    from jaxgen.runs import run

    _play(out, lambda: run.resume(out))


def _play(out: str, run: Callable[[], object]) -> None:
    from jaxgen.training.loop import Diverged

    try:
        run()
    except Diverged as error:
        kept = Path(out) / "checkpoints"
        raise Diverged(f"{error} The last finite checkpoint is in {kept}; lower --learning-rate.") from error
    print(f"trained: {out}. Next: jaxgen evaluate {shlex.quote(out)}")


def prepare(argv: Sequence[str]) -> None:
    """`jaxgen prepare`: an official data set from downloaded files."""
    parser = Parser(
        "jaxgen prepare",
        "Prepare an official image set of TensorFlow Datasets from files at hand: every\n"
        "file is checked against its registered checksum; no TensorFlow, no network.",
        "jaxgen prepare fashion_mnist --from /usr/share/datasets/fashion-mnist",
    )
    parser.add_argument("name", metavar="NAME", help="such as mnist, fashion_mnist, cifar10 or celeb_a")
    option(parser, "--from", str, "FOLDER", "holds the files as they are downloaded")
    option(parser, "--data-dir", str, "DIR", "to prepare in", "TFDS_DATA_DIR, else ~/tensorflow_datasets")
    asked = given(parser.parse_args(argv))
    if "from" not in asked:
        parser.error("give --from FOLDER, the one with the downloaded files")
    name, place = asked["name"], asked.get("data_dir")
    from jaxgen.data.tfds import prepare

    folder, counts = prepare.prepare(name, asked["from"], place)
    said = ", ".join(f"{count} {split}" for split, count in counts.items())
    where = f"TFDS_DATA_DIR={shlex.quote(place)} " if place else ""
    print(f"prepared: {folder} ({said}). Next: {where}jaxgen compare --data {name}")


def recipes(argv: Sequence[str]) -> None:
    """`jaxgen recipes`: the table."""
    parser = Parser(
        "jaxgen recipes",
        "List the recipes: who plays, in which balance of turns, their own weights as\n"
        "flags of `jaxgen train` with the defaults, what they are, and the paper.",
        "jaxgen recipes",
    )
    parser.parse_args(argv)
    print(table(_recipes()))


def table(rows: "Mapping[str, Recipe]") -> str:
    """The recipes in at most 80 columns, two lines each."""
    from jaxgen.core import player

    lines = [("recipe", "players", "balance", "own weights", "paper")]
    for row in rows.values():
        moves = Counter(player(turn) for turns in row.turns for turn in turns)
        weights = " ".join(f"{_flag(name)} {value:g}" for name, value in row.weights.items())
        balance = ":".join(map(str, moves.values()))
        lines.append((row.name, ", ".join(moves), balance, weights or "-", row.paper))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    for i, row in enumerate(rows.values()):
        text[i + 1] += f"\n  {row.summary}"
    return "\n".join(text)


def _recipes() -> "Mapping[str, Recipe]":
    from jaxgen.recipes import RECIPES

    return RECIPES


def _add_weights(parser: Parser, rows: "Mapping[str, Recipe]") -> set[str]:
    names = {name for row in rows.values() for name in row.weights}
    for name in names:
        owners = ", ".join(row.name for row in rows.values() if name in row.weights)
        option(parser, _flag(name), number(zero=True), "X", f"of {owners}")
    return names


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"it must be names with commas between, such as vae,r3gan, not {text!r}")
    return names
