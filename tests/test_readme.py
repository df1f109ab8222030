"""What the README says is run: its Python blocks, its commands, its links."""

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
    # Kills: a README that grows past what one reads; a first screen without one of the two commands.
    head = TEXT.partition("\n## ")[0]
    assert len(head.splitlines()) <= 25 and len(blocks("bash")) >= 2
    assert "jaxgen compare" in head and "pytest" in head
    assert len(TEXT.splitlines()) <= 224


def test_its_pictures_and_links_are_there():
    # Kills: a picture or a page that was renamed; a section of a page that is gone.
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", TEXT):
        assert (ROOT / target).is_file(), target
    page = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
    for section in re.findall(r"\]\(experiments/README\.md#([^)]+)\)", TEXT):
        assert f"\n## {section}\n" in page or f'id="{section}"' in page, section
