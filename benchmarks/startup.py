"""Row `startup`: what `import jaxgen` and `jaxgen --help` cost, beside `import jax`."""

import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks import figures
from benchmarks.figures import Target, number
from benchmarks.interleave import ROOT

COMMANDS = {
    "ours": ["-c", "import jaxgen"],
    "import jax": ["-c", "import jax"],
}
BESIDE = {
    "jaxgen.fit": ["-c", "import jaxgen; jaxgen.fit"],
    "jaxgen --help": ["-m", "jaxgen", "--help"],
    "python": ["-c", "pass"],
}
HELP_S = 0.6


def measure(*, rounds: int, quick: bool) -> dict[str, Any]:
    """Seconds of whole processes, interleaved; a first round fills the caches and is thrown away."""
    commands = COMMANDS | BESIDE
    seconds = {name: [] for name in commands}
    for _ in range(rounds + 1):
        for name, words in commands.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *words], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - began)
    seconds = {name: values[1:] for name, values in seconds.items()}
    median = {name: statistics.median(values) for name, values in seconds.items()}
    fit = figures.ratio(seconds["jaxgen.fit"], seconds["import jax"])
    said = "met" if median["jaxgen --help"] < HELP_S else "MISSED"
    return figures.row(
        "startup",
        "import jaxgen, beside import jax; whole processes",
        "s",
        {name: seconds[name] for name in COMMANDS},
        target=Target(1.5, least=False),
        beside_s={name: median[name] for name in BESIDE},
        notes=[
            f"with every module that jaxgen.fit needs: {number(median['jaxgen.fit'])} s, "
            f"{fit.median:.3g} of import jax ({fit.low:.3g} to {fit.high:.3g})",
            f"jaxgen --help: {number(median['jaxgen --help'])} s; target: under {HELP_S} s: {said}",
            f"Python alone: {number(median['python'])} s",
        ],
    )
