"""`jaxgen train` and `jaxgen recipes`. A command imports what it needs once its words are checked."""

import contextlib
import inspect
import shlex
import shutil
import textwrap
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxgen.cli.parser import DATA, SEED, Parser, given, number, of_images, option, place, switch, whole

if TYPE_CHECKING:
    from jaxgen.recipes import Recipe
    from jaxgen.runs.run import Run


def train_parser() -> Parser:
    """What `jaxgen train` takes beside the options of recipes."""
    parser = Parser(
        "jaxgen train",
        "Train one recipe on one data set, or go on with a run that stopped.\n\n"
        "The options of a recipe are flags too, such as --gamma for r3gan:\n"
        "`jaxgen recipes` lists them with their defaults. Ctrl-C stops with a checkpoint.",
        "jaxgen train r3gan --out runs/a --steps 2000 --gamma 0.5",
        usage="jaxgen train RECIPE --out DIR --steps N [options]\n       jaxgen train --resume DIR [--steps N]",
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="a name that `jaxgen recipes` lists")
    option(parser, "--data", str, "DATA", DATA, "digits")
    of_images(parser)
    option(parser, "--out", place, "DIR", "new or empty folder for the run")
    option(parser, "--steps", whole(1), "N", "steps to train; in each, every turn of the recipe is taken")
    option(parser, "--seed", SEED, "I", "all randomness of the run follows from it", "0")
    option(parser, "--condition", str, "WHAT", "give the networks the label, or with small:4 the image in 4x4 pixels")
    option(parser, "--domains", str, "A,B", "two classes to translate between", "those of the data, if two")
    option(parser, "--batch-size", whole(1), "N", "examples a turn", "the recipe's")
    option(
        parser,
        "--micro-batches",
        whole(1),
        "M",
        "parts of a batch, one after the other, to save memory",
        "the recipe's",
    )
    option(parser, "--precision", str, "P", "float32 or bfloat16, for the networks; params stay float32", "float32")
    switch(parser, "--remat", "compute forward passes twice, to save memory")
    switch(parser, "--stream", "leave the data where they are, and read a batch at a time, as if they did not fit")
    option(parser, "--learning-rate", number(), "X", "of the optimiser", "the recipe's")
    option(parser, "--latent-dim", whole(1), "N", "numbers in a latent code", "the recipe's")
    option(
        parser, "--resume", place, "DIR", "go on with the run in DIR; only --steps and how many processes go with it"
    )
    switch(parser, "--distributed", "be one of several processes, which JAX finds (SLURM, GKE, TPU pods)")
    option(parser, "--coordinator", str, "HOST:PORT", "be one of several, by the address of process 0; with it go:")
    option(parser, "--processes", whole(1), "N", "how many there are")
    option(parser, "--process", whole(0), "I", "which this one is, from 0 on")
    return parser


def train(parser: Parser, argv: Sequence[str]) -> None:
    """`jaxgen train`: a new run, or on with one that stopped."""
    args, unknown = parser.parse_known_args(argv)
    names = {"learning_rate", "latent_dim"}
    if unknown:  # only then is the table of recipes, and with it JAX, needed to read the line
        names |= add_options(parser, _recipes())
        args = parser.parse_args(argv)
    settings = given(args)
    hosts = _hosts(parser, settings)
    if args.resume is not None:
        if settings.keys() - {"resume", "steps"}:
            parser.error("with --resume DIR goes --steps N alone: the rest is as the run was started; leave it out")
        _resume(args.resume, args.steps, hosts)
        return
    for name, shown in (("recipe", "RECIPE, or --resume DIR"), ("out", "--out DIR"), ("steps", "--steps N")):
        if name not in settings:
            parser.error(f"give {shown}")
    options = {name: settings.pop(name) for name in names & settings.keys()}
    if "domains" in settings:
        settings["domains"] = tuple(settings["domains"].split(","))
    _train(settings.pop("out"), {"data": "digits", **settings, "options": options}, hosts)


def _hosts(parser: Parser, settings: dict[str, Any]) -> dict[str, Any]:
    """Takes out of `settings` what it says of several processes: the arguments of `jaxgen.system.hosts.joined`."""
    names = ("coordinator", "processes", "process")
    found = {name: settings.pop(name) for name in names if name in settings}
    if settings.pop("distributed", False):
        if found:
            parser.error("--distributed finds the other processes itself: leave out the flags that name them")
        return dict.fromkeys(names)
    if found and len(found) < len(names):
        parser.error("give --coordinator HOST:PORT, --processes N and --process I together")
    return found


def _train(out: str, settings: dict[str, Any], hosts: dict[str, Any]) -> None:
    from jaxgen.cli.process import settle_memory
    from jaxgen.runs import run

    config = run.Config(**settings)
    _play(out, lambda: run.train(config, out, on_data=settle_memory), hosts)


def _resume(out: str, steps: int | None, hosts: dict[str, Any]) -> None:
    from jaxgen.cli.process import settle_memory
    from jaxgen.runs import run

    _play(out, lambda: run.resume(out, steps=steps, on_data=settle_memory), hosts)


def _play(out: str, run: "Callable[[], Run]", hosts: dict[str, Any]) -> None:
    from jaxgen.system.hosts import joined
    from jaxgen.training.loop import Diverged

    try:
        with joined(**hosts) if hosts else contextlib.nullcontext(True) as writes:
            samples = run().model.sample
    except Diverged as error:
        kept = Path(out) / "checkpoints"
        raise Diverged(f"{error} The last finite checkpoint is in {kept}; lower --learning-rate.") from error
    if writes:
        following = f"Next: jaxgen evaluate {shlex.quote(out)}" if samples else f"Look at {Path(out) / 'samples'}"
        print(f"trained: {out}. {following}")


def recipes_parser() -> Parser:
    """What `jaxgen recipes` takes."""
    parser = Parser(
        "jaxgen recipes",
        "List the recipes: who plays, in which balance of turns, the paper, what each\n"
        "is, its options as flags of `jaxgen train` with their defaults, and how these\n"
        "depart from the paper. Of one recipe, also what its options mean.",
        "jaxgen recipes r3gan",
    )
    parser.add_argument("recipe", nargs="?", metavar="RECIPE", help="one of them")
    return parser


def recipes(parser: Parser, argv: Sequence[str]) -> None:
    """`jaxgen recipes`: the table."""
    name = parser.parse_args(argv).recipe
    if name is None:
        print(table(_recipes()))
        return
    from jaxgen.recipes import defaults, explained, find

    recipe = find(name)
    print(table({name: recipe}))
    for option_name, value in defaults(recipe).items():
        flag = f"{_flag(option_name)} {_shown(value)}"
        print(textwrap.fill(f"  {flag:<24}{explained(recipe, option_name)}", _width(), subsequent_indent=" " * 26))


def table(rows: "Mapping[str, Recipe]") -> str:
    """The recipes: a line of facts each, at most 80 columns wide, and texts as wide as the terminal, from 40 to 80."""
    from jaxgen.core import player
    from jaxgen.recipes import defaults, departures, example_plan, paper, summary

    facts, texts = [("recipe", "players", "balance", "paper")], [""]
    for name, recipe in rows.items():
        plan = example_plan(recipe)
        moves = Counter(player(loss) for turn in plan.turns for loss in turn)
        facts.append((name, ", ".join(moves), ":".join(map(str, moves.values())), paper(recipe)))
        flags = " ".join(f"{_flag(option)} {_shown(value)}" for option, value in defaults(recipe).items())
        departs = departures(recipe)
        parts = (summary(recipe), flags, f"Departs: {departs}" if departs else "")
        texts.append("\n".join(_wrapped(part) for part in parts if part))
    widths = [max(map(len, column)) for column in zip(*facts, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in facts]
    return "\n".join(f"{line}\n{text}".rstrip() for line, text in zip(lines, texts, strict=True))


def _wrapped(line: str) -> str:
    options: dict[str, Any] = {"initial_indent": "  ", "subsequent_indent": "    ", "break_on_hyphens": False}
    return textwrap.fill(line, _width(), break_long_words=False, **options)


def _width() -> int:
    return max(40, min(80, shutil.get_terminal_size().columns))


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _recipes() -> "Mapping[str, Recipe]":
    from jaxgen.recipes import RECIPES

    return RECIPES


def add_options(parser: Parser, rows: "Mapping[str, Recipe]") -> set[str]:
    """Adds the flags of all recipes that the parser does not know yet; their names."""
    from jaxgen.recipes import options

    owners: dict[str, list[str]] = {}
    parameters: dict[str, inspect.Parameter] = {}
    for name, recipe in rows.items():
        for option_name, parameter in options(recipe).items():
            owners.setdefault(option_name, []).append(name)
            parameters[option_name] = parameter
    added = owners.keys() - {"learning_rate", "latent_dim"}
    for name in sorted(added):
        kind = parameters[name].annotation
        value = str if kind is str else whole(0) if kind is int else number(zero=True)
        option(parser, _flag(name), value, "N" if kind is int else "X", f"of {', '.join(owners[name])}")
    return set(added)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
