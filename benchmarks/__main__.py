"""`python -m benchmarks NAME|all [--json FILE]` prints a table per row, and writes what it printed as JSON.

With `--against DIR` our side alone runs, in turn with that of another checkout of this repository.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    checkouts,
    conv_gans,
    conv_vae,
    estimators,
    figures,
    gan_2d,
    interleave,
    loop,
    measuring,
    mlp_vae,
    startup,
)

Row = Callable[..., dict[str, Any]]
ROWS: Mapping[str, Row] = {
    "mlp_vae": mlp_vae.measure,
    "gan_2d": gan_2d.measure,
    "conv_vae": conv_vae.measure,
    "dcgan": conv_gans.dcgan,
    "wgan_gp": conv_gans.wgan_gp,
    "estimators": estimators.measure,
    "loop": loop.measure,
    "startup": startup.measure,
    "measuring": measuring.measure,
}
ROUNDS, QUICK_ROUNDS = 9, 1
QUIET = 0.5  # the highest load average that lets a figure stand
PACKAGES = ("jaxgen", "jax", "jaxlib", "flax", "optax", "numpy", "torch")


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the rows that `argv` names; exit code 0, whatever the figures say."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=[*ROWS, "all"])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows to FILE")
    parser.add_argument(
        "--quick", action="store_true", help="the smallest form: shows that it runs, and measures nothing"
    )
    parser.add_argument(
        "--against", type=Path, metavar="DIR", help="compare with the checkout in DIR, in place of the peers"
    )
    asked = parser.parse_args(argv)
    if asked.json is not None and not asked.json.absolute().parent.is_dir():
        parser.error(f"{asked.json}: there is no such folder.")
    rows = ROWS
    if asked.against is not None:
        if not (asked.against / "benchmarks" / "worker.py").is_file():
            parser.error(f"{asked.against}: there is no checkout of jaxgen.")
        rows = checkouts.rows(asked.against.absolute())
        if asked.name not in (*rows, "all"):
            parser.error(f"--against compares {', '.join(rows)}, not {asked.name}.")
    return run({name: row for name, row in rows.items() if asked.name in (name, "all")}, asked.json, asked.quick)


def run(wanted: Mapping[str, Row], file: Path | None, quick: bool) -> int:
    """Measures, prints and writes."""
    before, rows = load(), []
    print(f"{machine()}; {', '.join(f'{name} {version}' for name, version in versions().items())}")
    print(f"load average {before}, {interleave.THREADS} threads each")
    if before > QUIET:
        print("The machine is not quiet. Contention costs the peers more than us: run this again when it is.")
    if quick:
        print("The smallest form: it shows that the rows run, and its figures mean nothing.")
    print(flush=True)
    for measure in wanted.values():
        start = load()
        row = measure(rounds=QUICK_ROUNDS if quick else ROUNDS, quick=quick)
        where = {"machine": machine(), "versions": versions(), "threads": interleave.THREADS, "quick": quick}
        rows.append({**row, **where, "load_average": {"before": before, "start": start, "end": load()}})
        print(figures.table(rows[-1]), end="\n\n", flush=True)
        if file is not None:  # after every row, so that an interruption loses one at most
            file.write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n")
    return 0


def machine() -> str:
    """The processor, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores, {platform.system()}"


def versions() -> dict[str, str]:
    """Python and the packages that are here."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def load() -> float:
    """The load average of the last minute."""
    return round(os.getloadavg()[0], 2)


if __name__ == "__main__":
    sys.exit(main())
