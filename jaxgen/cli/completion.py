"""Completion of commands, flags, recipes and paths by a shell: shtab writes its script from the parsers."""

import argparse
from collections.abc import Callable, Mapping

from jaxgen.cli.commands import add_options
from jaxgen.cli.parser import Parser, Usage

_FOLDERS, _FILES = ("DIR", "FOLDER"), ("DATA", "FILE", "FILE.csv", "FILE.npz")


def script(shell: str, commands: Mapping[str, tuple[str, Callable[[], Parser]]]) -> str:
    """The script that completes `jaxgen` in `shell`. `commands` are summaries and parsers by name.

    Raises:
      Usage: shtab knows no such shell.
    """
    import shtab

    if shell not in shtab.SUPPORTED_SHELLS:
        what = f"no completion for {shell!r}" if shell else "name a shell after --completion"
        raise Usage(f"{what}: there are {', '.join(shtab.SUPPORTED_SHELLS)}.")
    from jaxgen.recipes import RECIPES

    root = argparse.ArgumentParser("jaxgen", description="VAE or GAN?")
    root.add_argument("--version", action="store_true", help="show the version and exit")
    root.add_argument("--completion", choices=shtab.SUPPORTED_SHELLS, help="print a script such as this one")
    below = root.add_subparsers()
    for name, (summary, parser_of) in commands.items():
        parser = parser_of()
        if name == "train":
            add_options(parser, RECIPES)
        for action in parser._actions:
            if action.metavar == "RECIPE":
                action.choices = tuple(RECIPES)
            elif action.metavar in _FOLDERS + _FILES:
                kind = shtab.DIRECTORY if action.metavar in _FOLDERS else shtab.FILE
                action.complete = kind  # type: ignore[attr-defined]
        below.add_parser(name, help=summary, parents=[parser], add_help=False)
    return shtab.complete(root, shell)
