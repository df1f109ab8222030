"""`experiments/README.md` and its pictures, from `evidence.json` files; what is not measured again stays as it is."""

import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from experiments import evidence
from jaxgen.core import BadRequest
from jaxgen.system import files

HEAD = """# Experiments

Claims of textbooks about VAEs and GANs, tested with this library. A verdict is a function of the figures below it,
which was fixed before the runs; if there were trials before that, the section says so. A verdict is *supported*, *not
supported*, or *depends*, with the conditions. A figure with two others in parentheses is a mean over seeds with its
95 % interval.

`python -m experiments all --quick` runs all experiments at a small size, and without `--quick` with all seeds;
`python -m experiments readme --from DIR` wrote this page from the results in DIR. Each section is measured separately:
its last line says how, how long it took, and with which commit of this repository. Pictures need
`pip install 'jaxgen[experiments]'`.
"""
SECTION = re.compile(r"^## (\w+)$", re.M)


class Section(NamedTuple):
    """What a page says of one experiment."""

    rows: list[str]  # of the table of verdicts
    text: str  # below its heading


def write(sources: Sequence[Path], out: Path, order: Sequence[str]) -> Path:
    """Writes `out/README.md` and `out/pictures/NAME-FILE.png` from the evidence under `sources`.

    A section of the page in `out` of which no evidence is given stays as it is, and so do its pictures.

    Args:
      sources: folders with NAME/evidence.json; of two of one name the later counts.
      out: the folder of the page.
      order: the names of all experiments, as the page shows them.

    Raises:
      BadRequest: no evidence there, or a damaged one; `out` is a file. Nothing is written then.
    """
    results = {document["name"]: document for source in sources for document in evidence.read(source)}
    if out.exists() and not out.is_dir():
        raise BadRequest(f"{out} is a file: name a folder.")
    page = text(results, standing(out), order)
    (out / "pictures").mkdir(parents=True, exist_ok=True)
    for document in results.values():
        for picture in document["pictures"]:
            shutil.copyfile(document["folder"] / picture["file"], out / "pictures" / _named(document, picture))
    files.write(out / "README.md", page.encode())
    return out / "README.md"


def standing(out: Path) -> dict[str, Section]:
    """The sections of the page in `out`, by experiment; {} if there is no page."""
    path = out / "README.md"
    head, *parts = SECTION.split(path.read_text(encoding="utf-8")) if path.is_file() else ("",)
    rows = [line for line in head.splitlines() if line.startswith("| [")]
    return {
        name: Section([row for row in rows if f"](#{name}) |" in row], body.strip("\n"))
        for name, body in zip(parts[::2], parts[1::2], strict=True)
    }


def text(results: Mapping[str, Mapping[str, Any]], old_sections: Mapping[str, Section], order: Sequence[str]) -> str:
    """The whole page: verdicts first, then an experiment at a time."""
    shown = {**old_sections, **{name: _section(document) for name, document in results.items()}}
    sections = {name: shown[name] for name in order if name in shown}
    table = _table(["row", "claim", "verdict"], []) + "".join(
        f"{row}\n" for section in sections.values() for row in section.rows
    )
    return "\n".join([HEAD, table, *(f"\n## {name}\n\n{section.text}\n" for name, section in sections.items())])


def _section(document: Mapping[str, Any]) -> Section:
    rows = [[f"[{c['id']}](#{document['name']})", c["statement"], f"**{c['verdict']}**"] for c in document["claims"]]
    return Section([_line(row) for row in rows], _experiment(document).strip("\n"))


def _experiment(document: Mapping[str, Any]) -> str:
    form = "the quick form: fewer seeds and draws" if document["quick"] else "the full form"
    command = f"python -m experiments {document['name']}{' --quick' if document['quick'] else ''}"
    command += " --tables FOLDER" if document.get("config", {}).get("tables") else ""
    machine, versions = document["machine"], document["versions"]
    device = " ".join(dict.fromkeys(machine["device"].split()))  # platform and kind may be one word
    where = f"{device}, {machine['threads']} threads, JAX {versions['jax']}, Python {versions['python']}"
    pictures = [
        f"![{p['caption']}](pictures/{_named(document, p)})\n\n*{p['caption']}*\n" for p in document["pictures"]
    ]
    took = f"{document['seconds']:.0f} s"
    if document.get("comparisons"):
        took = f"from comparisons of {document['comparisons']:.0f} s that other experiments read too,"
    source = f"`{command}`, {form}, {took} on {where}{_commit(document)}.\n"
    return "\n".join([document["about"] + "\n", *pictures, *map(_claim, document["claims"]), source])


def _commit(document: Mapping[str, Any]) -> str:
    return f", commit {document['commit']}" if document.get("commit") else ""


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
    return "".join(f"{_line(line)}\n" for line in lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _named(document: Mapping[str, Any], picture: Mapping[str, Any]) -> str:
    return f"{document['name']}-{picture['file']}"
