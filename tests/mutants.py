"""Would the tests notice? Changes `jaxgen.objectives`, and step and turns of training, in many small ways, and counts.

    python tests/mutants.py [--sample 80] [--seed 0] [--only MODULE] [--json FILE]

A seeded sample of their syntax sites (`sites.py`), one change each. Each mutant stands in a temporary copy of the
package, and the tests of its module run there: its doctests, the test file that mirrors it and, for objectives, the
contract tests; each in a fresh fork of a process that has imported JAX and none of this package. A mutant is killed
where a test fails or its process dies, or where the tests take over 60 s of processor time if those of the untouched
module take less than half of it.
The status is 0 where at least 85 % of all were killed. The equivalent ones, which no test can kill, count as alive; the
rate without them stands beside it. Needs fork; about ten minutes.
"""

import argparse
import ast
import contextlib
import importlib
import json
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import sites
from equivalents import EQUIVALENT, STEP, TURNS

HOME = Path(__file__).resolve().parents[1]
LIMIT, MEMORY = 60, 16 << 30  # seconds of processor time, bytes
GOAL = 0.85
# Third-party modules that the tests import anyway: once, before the forks.
WARM = "jax jax.numpy optax numpy scipy.stats scipy.integrate hypothesis.strategies pytest"

FATES = {0: "alive", 1: "killed", 2: "killed", 3: "killed", -signal.SIGXCPU: "timeout", -signal.SIGALRM: "timeout"}


class Outcome(NamedTuple):
    """What became of one mutant."""

    file: str
    line: int
    kind: str
    change: str
    fate: str  # killed, died, timeout or alive
    by: str  # the test that noticed
    seconds: float
    equivalent: str | None  # the argument, where there is one


class Witness:
    """A pytest plugin: fast tests first; keeps how long each took, and the first that failed."""

    def __init__(self, took):
        self.took, self.failed = dict(took), ""

    def pytest_collection_modifyitems(self, items):
        items.sort(key=lambda item: self.took.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report):
        self.took[report.nodeid] = report.duration + (0.0 if report.when == "setup" else self.took[report.nodeid])
        self.pytest_collectreport(report)

    def pytest_collectreport(self, report):
        if report.failed and not self.failed:
            self.failed = report.nodeid


def files() -> list[str]:
    """What is changed, as it stands in this tree."""
    rooms = sorted((HOME / "jaxgen" / "objectives").glob("*.py"))
    return [str(path.relative_to(HOME)) for path in (*rooms, HOME / STEP, HOME / TURNS)]


def judges(file: str) -> list[str]:
    """The tests of a module, those that know it best first."""
    path = Path(STEP if file == TURNS else file)  # one file tests the two
    room = path.parent.name
    found = [file, f"tests/{room}/test_{path.stem}.py"]
    return found + ["tests/objectives/test_contract.py"] if room == "objectives" else found


def sample(only: str | None, size: int, seed: int) -> list[tuple[str, sites.Mutant]]:
    """Sites without replacement, one change each; in the order of the files."""
    wanted = [file for file in files() if only is None or only in (file, Path(file).stem)]
    every = [(file, own) for file in wanted for own in sites.mutants((HOME / file).read_text())]
    rng = random.Random(seed)
    chosen = sorted(rng.sample(range(len(every)), min(size, len(every))))
    return [(every[i][0], rng.choice(every[i][1])) for i in chosen]


@contextlib.contextmanager
def copied() -> Iterator[Path]:
    """A copy of the package and its tests."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("jaxgen", "tests"):
            shutil.copytree(HOME / name, Path(folder, name), ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(HOME / "pyproject.toml", folder)
        yield Path(folder)


def judge(copy: Path, tests: list[str], took: dict[str, float]) -> tuple[int, Witness, float]:
    """Runs tests in a fork: (its exit status, negative for a signal; what it saw; processor seconds)."""
    said = copy / "said.json"
    said.unlink(missing_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a fork beside threads, which sleep here
        child = os.fork()
    if not child:
        _run_tests(copy, tests, took, said)
    _, status, used = os.wait4(child, 0)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what it has started
    witness = Witness(took)
    if said.exists():
        witness.took, witness.failed = json.loads(said.read_text())
    return os.waitstatus_to_exitcode(status), witness, used.ru_utime + used.ru_stime


def _run_tests(copy: Path, tests: list[str], took: dict[str, float], said: Path) -> None:
    status = 70
    try:
        os.setsid()
        os.chdir(copy)
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT + 5))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        signal.alarm(10 * LIMIT)  # for one that waits
        with open(copy / "output.txt", "w") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        sys.path[:] = [str(copy), *(path for path in sys.path if Path(path).resolve() not in (HOME, HOME / "tests"))]
        import pytest

        witness = Witness(took)
        early = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
        status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-W", early, *tests], plugins=[witness])
        said.write_text(json.dumps([witness.took, witness.failed]))
        import jaxgen

        if not Path(jaxgen.__file__).is_relative_to(copy.resolve()):
            raise RuntimeError(f"tested {jaxgen.__file__} instead of the copy")
    except BaseException:
        status = 70
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def put(at: Path, text: str) -> None:
    """Writes a module, and removes its bytecode: two of one second and one length have the same stamp."""
    at.write_text(text)
    for stale in at.parent.glob(f"__pycache__/{at.stem}.*"):
        stale.unlink()


def outcomes(chosen: list[tuple[str, sites.Mutant]]) -> Iterator[Outcome]:
    """Tries mutant after mutant. RuntimeError where the tests fail on what nobody has changed."""
    with copied() as copy:
        for file in dict.fromkeys(file for file, _ in chosen):
            text, tests, at = (HOME / file).read_text(), judges(file), copy / file
            put(at, ast.unparse(ast.parse(text)))  # as the mutants are written: without comments
            whole, took = 0.0, {}
            for _ in range(2):  # in the order of the files, and then as the mutants meet them
                status, witness, seconds = judge(copy, tests, took)
                whole, took = max(whole, seconds), took or witness.took
                if status:
                    raise RuntimeError(f"{file} untouched, status {status}: {(copy / 'output.txt').read_text()}")
            print(f"{file}: untouched, its tests take {whole:.1f} s", file=sys.stderr, flush=True)
            for mutant in (mutant for name, mutant in chosen if name == file):
                put(at, sites.write(text, mutant))
                status, seen, seconds = judge(copy, tests, took)
                line, change = text.splitlines()[mutant.line - 1].strip(), f"{mutant.before} -> {mutant.after}"
                why = EQUIVALENT.get((file, line, change))
                fate = FATES.get(status, "died" if status < 0 else "failed to run")
                if fate == "failed to run":
                    raise RuntimeError(f"{file}:{mutant.line} {change}: {(copy / 'output.txt').read_text()}")
                if fate == "timeout" and whole > LIMIT / 2:
                    fate = "alive"
                yield Outcome(file, mutant.line, mutant.kind, change, fate, seen.failed, round(seconds, 1), why)
            put(at, text)


def verdict(found: list[Outcome]) -> str:
    """Totals, in words."""
    dead = sum(one.fate != "alive" for one in found)
    late = sum(one.fate == "timeout" for one in found)
    same = sum(one.fate == "alive" and one.equivalent is not None for one in found)
    text = f"{dead} of {len(found)} killed, {dead / len(found):.1%} ({late} of them by the limit of {LIMIT} s)"
    if len(found) > same:
        text += f"; without the {same} argued to be equivalent {dead / (len(found) - same):.1%}"
    return text


def show(one: Outcome) -> str:
    """One line, and another for the argument."""
    text = f"{one.fate:8}{one.seconds:5.1f} s  {one.file}:{one.line}  {one.kind}: {one.change}"
    text += f"  [{one.by.split('::', 1)[-1]}]" if one.by else ""
    return text + f"\n          equivalent: {one.equivalent}" if one.equivalent else text


def main(words: list[str] | None = None) -> int:
    """The command; see the top of this file."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sample", type=int, default=80, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", metavar="MODULE", help="a file, or the name of its module")
    parser.add_argument("--json", metavar="FILE", type=Path)
    asked = parser.parse_args(words)
    chosen = sample(asked.only, asked.sample, asked.seed)
    if not chosen:
        parser.error(f"no sites: --only takes one of {', '.join(files())}")
    with tempfile.TemporaryDirectory() as cache:
        # What no change touches compiles once. A changed program has another key.
        os.environ.update(JAX_COMPILATION_CACHE_DIR=cache, JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0")
        for name in WARM.split():
            importlib.import_module(name)
        found = []
        for one in outcomes(chosen):
            found.append(one)
            print(show(one), flush=True)
    print(f"\nalive:\n{chr(10).join(show(one) for one in found if one.fate == 'alive') or 'none'}\n\n{verdict(found)}")
    if asked.json:
        asked.json.write_text(json.dumps([one._asdict() for one in found], indent=1))
    return 0 if sum(one.fate != "alive" for one in found) >= GOAL * len(found) else 1


if __name__ == "__main__":
    sys.exit(main())
