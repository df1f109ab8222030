"""One of several processes that train: `several.py PROCESS PROCESSES PORT OUT RECIPE STEPS`; params go to OUT.npz."""

import sys
from pathlib import Path

import jax
import numpy as np
import optax

import jaxgen
from jaxgen.system import hosts


def main(process: int, processes: int, port: int, out: Path, recipe: str, steps: int) -> None:
    if processes > 1:
        # As a user of Python does it, who need know nothing of jaxgen.system.hosts.
        address = f"127.0.0.1:{port}"
        jax.distributed.initialize(address, processes, process, coordinator_bind_address=address)
    # Adam with b1 = 0 makes a whole step of the sign of a gradient that is 0 but for rounding; SGD shows the gradients.
    optimizers = {name: optax.sgd(0.01) for name in ("critic", "generator")} if recipe == "hinge_sn" else None
    options = {"steps": steps, "batch_size": 32, "seed": 1, "optimizers": optimizers, "stream": recipe == "vae"}
    run = jaxgen.fit(recipe, "digits", out=out, **options)
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(run.state.params)]
    samples = run.model.sample(run.model.draw(jax.random.key(0), 2))  # in each process alone
    if process == processes - 1:  # the one that writes nothing else
        np.savez(out.with_suffix(".npz"), *leaves, samples=samples)
    if processes > 1:
        hosts.part()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]), sys.argv[5], int(sys.argv[6]))
