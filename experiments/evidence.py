"""What an experiment found: claims, figures, verdicts and pictures; written to a folder, and read again."""

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxgen.core import BadRequest
from jaxgen.system import files, machine

WORDS = ("supported", "not supported", "depends")
FILE = "evidence.json"


class Verdict(NamedTuple):
    """What figures say about a claim."""

    word: str  # one of WORDS
    because: str  # the figures that decide, in one or two sentences


class Claim(NamedTuple):
    """A sentence of the textbook, and what became of it."""

    id: str
    statement: str
    verdict: Verdict
    rule: str  # how the verdict follows from the figures
    limits: str  # what these figures do not show
    figures: Mapping[str, Any]  # name -> number, or table: row -> column -> number
    seeds: int
    practice: str = ""  # what to do in practice, in a sentence; "" where that is no question


class Picture(NamedTuple):
    """A PNG, and what one sees in it."""

    caption: str
    png: bytes


class Evidence(NamedTuple):
    """All that one experiment returns."""

    name: str
    about: str  # for a reader who knows the textbook and no JAX; paragraphs
    claims: tuple[Claim, ...]
    pictures: Mapping[str, Picture]  # by file name
    config: Mapping[str, Any]
    comparisons: float = 0.0  # seconds of the comparisons that it read, which other experiments read too


def document(evidence: Evidence, *, quick: bool, seconds: float) -> dict[str, Any]:
    """What `evidence.json` says.

    Raises:
      ValueError: a verdict that is none of the three words.
    """
    claims = []
    for claim in evidence.claims:
        if claim.verdict.word not in WORDS:
            raise ValueError(f"claim {claim.id}: a verdict is one of {', '.join(WORDS)}, not {claim.verdict.word!r}.")
        claims.append({**claim._asdict(), "verdict": claim.verdict.word, "because": claim.verdict.because})
    return {
        "name": evidence.name,
        "about": evidence.about,
        "claims": claims,
        "pictures": [{"file": file, "caption": picture.caption} for file, picture in evidence.pictures.items()],
        "config": dict(evidence.config),
        "quick": quick,
        "seconds": round(seconds, 1),
        "comparisons": round(evidence.comparisons, 1),
        "commit": commit(),
        "machine": machine.machine(),
        "versions": machine.versions(),
    }


def commit() -> str | None:
    """The commit that stands here, with " and changes" where files of the code differ from it; None outside of git."""
    here = Path(__file__).parent.parent
    try:
        head = _git("rev-parse", "--short=12", "HEAD", here=here)
        changed = _git("status", "--porcelain", "--", "jaxgen", "experiments/*.py", "experiments/*/*.py", here=here)
    except (OSError, subprocess.CalledProcessError):
        return None
    return f"{head} and changes" if changed else head


def _git(*words: str, here: Path) -> str:
    command = ["git", "-C", str(here), *words]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def write(out: Path, evidence: Evidence, *, quick: bool, seconds: float) -> None:
    """Pictures, then `evidence.json`, each whole or not at all: where that file stands, everything does."""
    content = document(evidence, quick=quick, seconds=seconds)
    out.mkdir(parents=True, exist_ok=True)
    for name, picture in evidence.pictures.items():
        files.write(out / name, picture.png)
    files.write_json(out / FILE, content)


def read(home: Path) -> list[dict[str, Any]]:
    """The evidence of every experiment under `home`, with the folder that it was read from as `folder`.

    Raises:
      BadRequest: there is none, or a file is damaged.
    """
    results = []
    for path in sorted(home.glob(f"*/{FILE}")):
        try:
            content = files.read_json(path.read_bytes())
            missing = {
                "name",
                "about",
                "claims",
                "pictures",
                "quick",
                "seconds",
                "machine",
                "versions",
            } - content.keys()
            missing |= {"picture " + p["file"] for p in content["pictures"] if not (path.parent / p["file"]).is_file()}
            if missing:
                raise ValueError(f"it lacks {', '.join(sorted(missing))}")
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadRequest(f"{path} is damaged ({error}): run the experiment again.") from error
        results.append({**content, "folder": path.parent})
    if not results:
        raise BadRequest(f"there is no */{FILE} in {home}: run python -m experiments all --out {home} first.")
    return results
