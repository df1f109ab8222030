"""What the README says is run: its Python blocks, its table, its commands."""

import contextlib
import io
import re
import shlex
from pathlib import Path

import jax
import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("code", blocks("python"))
def test_python_blocks_run(code, capsys):
    # Kills: an example that rots.
    with jax.numpy_rank_promotion("allow"):  # a user's own session
        exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out


def test_the_table_is_the_first_lines_of_what_the_program_prints():
    # Kills: a recipe that is added to one of the two.
    from jaxgen.cli import main

    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        assert main(["recipes"]) == 0
    facts = [line for line in said.getvalue().splitlines() if not line.startswith("  ")]
    assert blocks("text")[0].splitlines() == facts


def test_commands_are_commands(capsys):
    # Kills: a command or a flag that was renamed.
    from jaxgen.cli import COMMANDS, main

    words = [shlex.split(said) for said in re.findall(r"`jaxgen ([a-z][^`]*)`", TEXT)]
    assert {command for command, *_ in words} <= set(COMMANDS)
    for command in {command for command, *_ in words}:
        assert main([command, "--help"]) == 0
        known = capsys.readouterr().out
        for flag in {w for one, *rest in words if one == command for w in rest if w.startswith("--")}:
            assert flag in known or flag == "--gamma", (command, flag)  # an option of a recipe


def test_it_fits():
    # Kills: a README that grows past what one reads. A recipe may add its line to the table.
    table = TEXT.split("```text\nrecipe ")[1].split("```")[0]
    assert len(TEXT.splitlines()) - len(table.splitlines()) <= 141
