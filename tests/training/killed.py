"""A run that a test kills: `killed.py OUT RECIPE ROUNDS [PAUSE]`; resumes where OUT is a run.

With PAUSE, the save of a step from PAUSE on stops halfway, says so in `OUT/paused`, and waits to be killed.
"""

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from toys import linear  # noqa: E402

from jaxgen.runs import run  # noqa: E402
from jaxgen.training import checkpoint  # noqa: E402

X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)


def pause_inside(out: Path, first: int) -> None:
    write = checkpoint.write_arrays

    def halting(path, leaves):
        write(path, leaves)
        if int(path.parent.name.split(".")[1]) >= first:
            (out / "paused").touch()
            time.sleep(600)

    checkpoint.write_arrays = halting


def main(out: Path, recipe: str, steps: int) -> None:
    run.SECONDS = 0.0
    if (out / "config.json").exists():
        run.resume(out, checkpoint_seconds=0)
    elif recipe == "linear":
        run.fit(linear(ema=0.05), X, steps=steps, batch_size=16, out=out)
    else:
        run.train(run.Config(recipe=recipe, data="ring8", steps=steps, batch_size=32), out, checkpoint_seconds=0)


if __name__ == "__main__":
    if len(sys.argv) > 4:
        pause_inside(Path(sys.argv[1]), int(sys.argv[4]))
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
