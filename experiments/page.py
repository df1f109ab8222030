"""`experiments/README.md` and its pictures, from `evidence.json` files alone."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments import evidence
from jaxgen.core import BadRequest
from jaxgen.system import files

HEAD = """# Experiments

What a textbook claims about VAEs and GANs, measured with this library. A verdict is a function of the figures below it,
fixed before these runs were made (where trials went before, the page says so): *supported*, *not supported*, or
*depends*, and then on what.

`python -m experiments all --quick` measures all of it within a few minutes on a laptop, without `--quick` with all
seeds in half an hour or more; `python -m experiments readme --from DIR` wrote this page of what that left in DIR.
Pictures want `pip install 'jaxgen[experiments]'`.
"""


def write(source: Path, out: Path) -> Path:
    """Writes `out/README.md` and `out/pictures/NAME-FILE.png` from the evidence under `source`.

    Raises:
      BadRequest: no evidence there, or a damaged one; `out` is a file. Nothing is written then.
    """
    found = evidence.read(source)
    if out.exists() and not out.is_dir():
        raise BadRequest(f"{out} is a file: name a folder.")
    page = text(found)
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    for said in found:
        for picture in said["pictures"]:
            shutil.copyfile(said["folder"] / picture["file"], out / "pictures" / _named(said, picture))
    files.write(out / "README.md", page.encode())
    return out / "README.md"


def text(found: Sequence[Mapping[str, Any]]) -> str:
    """The whole page: verdicts first, then an experiment at a time."""
    rows = [
        [f"[{c['id']}](#{said['name']})", c["statement"], f"**{c['verdict']}**"]
        for said in found
        for c in said["claims"]
    ]
    return "\n".join([HEAD, _table(["row", "claim", "verdict"], rows), *map(_experiment, found)])


def _experiment(said: Mapping[str, Any]) -> str:
    form = "the quick form: fewer seeds and draws" if said["quick"] else "the full form"
    command = f"python -m experiments {said['name']}{' --quick' if said['quick'] else ''}"
    command += " --tables FOLDER" if said.get("config", {}).get("tables") else ""
    machine, versions = said["machine"], said["versions"]
    device = " ".join(dict.fromkeys(machine["device"].split()))  # platform and kind may be one word
    where = f"{device}, {machine['threads']} threads, JAX {versions['jax']}, Python {versions['python']}"
    pictures = [f"![{p['caption']}](pictures/{_named(said, p)})\n\n*{p['caption']}*\n" for p in said["pictures"]]
    took = f"{said['seconds']:.0f} s"
    if said.get("comparisons"):
        took = f"from comparisons of {said['comparisons']:.0f} s that other experiments read too,"
    source = f"`{command}`, {form}, {took} on {where}{_commit(said)}.\n"
    return "\n".join([f"\n## {said['name']}\n", said["about"] + "\n", *pictures, *map(_claim, said["claims"]), source])


def _commit(said: Mapping[str, Any]) -> str:
    return f", commit {said['commit']}" if said.get("commit") else ""


def _claim(claim: Mapping[str, Any]) -> str:
    verdict = f"**{claim['verdict'].capitalize()}.** {claim['because']}"
    notes = f"*How this is decided.* {claim['rule']} Seeds: {claim['seeds']}.\n"
    limits = f"*What it does not show.* {claim['limits']}\n"
    practice = f"*In practice.* {claim['practice']}\n" if claim.get("practice") else ""
    tables = [
        _table(
            [name.replace("_", " "), *columns(table)],
            [[row, *map(cell, cells.values())] for row, cells in table.items()],
        )
        for name, table in claim["figures"].items()
        if isinstance(table, Mapping) and table
    ]
    single = {name: value for name, value in claim["figures"].items() if not isinstance(value, Mapping)}
    lines = [f"{name.replace('_', ' ')}: {number(value)}" for name, value in single.items()]
    head = [f"### {claim['id']}: {claim['statement']}\n", verdict + "\n"]
    return "\n".join([*head, *tables, *lines, "", notes, limits, *[practice] * bool(practice)])


def columns(table: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Names of the columns, which all rows share."""
    return [name.replace("_", " ") for name in next(iter(table.values()))]


def cell(value: float | str | Sequence[float | None] | None) -> str:
    """A number, a mean with its interval, words as they are, or a dash where there is none.

    >>> cell(0.5), cell("vae"), cell(None)
    ('0.5', 'vae', '–')
    >>> cell([0.52341, 0.4, 0.61]), cell([2.0, None, None])
    ('0.523 (0.4 to 0.61)', '2')
    """
    if value is None or isinstance(value, str):
        return value or "–"
    if not isinstance(value, Sequence):
        return number(value)
    mean, low, high = (None if part is None else f"{part:.3g}" for part in value)
    return f"{mean}" if low is None or high is None else f"{mean} ({low} to {high})"


def number(value: float) -> str:
    """Four digits, or a whole number as it is.

    >>> number(0.0049751), number(200000.0), number(1.13e-9), number(0.0)
    ('0.004975', '200000', '1.13e-09', '0')
    """
    return f"{int(value)}" if float(value).is_integer() and abs(value) < 1e9 else f"{value:.4g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _named(said: Mapping[str, Any], picture: Mapping[str, Any]) -> str:
    return f"{said['name']}-{picture['file']}"
