"""`jaxgen train` and `jaxgen recipes`. A command imports what it needs once its words are checked."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgen.cli.parser import DATA, SEED, Parser, given, number, option, whole

if TYPE_CHECKING:
    from jaxgen.recipes import Recipe


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
