"""A run on a stream that a test kills: `streamed.py OUT PATH STEPS`; resumes if OUT is a run. Prints what it takes."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import optax

from jaxgen.core import Aux, Game, Model
from jaxgen.runs import run
from jaxgen.training.program import Plan


def autoencoder() -> Plan:
    """A linear one with dropout, 32 numbers between; some 10 ms a step of 64 images of 64x64x3."""

    def init(key, batch):
        n = batch.x[0].size
        down, up = jax.random.split(key)
        return {
            "net": {"down": jax.random.normal(down, (n, 32)) / n**0.5, "up": jax.random.normal(up, (32, n)) / 6}
        }, {}

    def loss(params, noise, batch, context):
        x = batch.x.reshape(len(batch.x), -1)
        y = (x @ params["net"]["down"] * noise) @ params["net"]["up"]
        return jnp.mean((y - x) ** 2), Aux()

    def draw(key, batch):
        return jax.random.bernoulli(key, 0.9, (len(batch.x), 32)).astype(jnp.float32)

    game = Game(init, draw, {"net": loss}, lambda params, state: Model())
    return Plan(game, {"net": optax.adam(1e-3)}, (("net",),), batch_size=64)


def memory() -> int:
    """Bytes that the process holds, without the pages of files that are mapped."""
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) * 1024


def main(out: Path, path: str, steps: int) -> None:
    run.SECONDS = 0.0
    say = {"on_record": lambda line: print(line["step"], memory(), flush=True)}
    if (out / "config.json").exists():
        run.resume(out, what=autoencoder(), checkpoint_seconds=0, **say)
    else:
        run.fit(autoencoder(), path, steps=steps, out=out, stream=True, **say)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
