"""Games of two numbers: G(z) = theta, D(x) = psi x, the data at 0; runs of one step from many starts."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxgen.core import Batch, Network
from jaxgen.training.step import State, Step

FAR, TAIL = math.sqrt(2), 200  # the distance of far starts; the steps at the end of a run over which figures are taken


def players() -> tuple[Network, Network]:
    """(generator, critic). The critic's psi is a kernel [1, 1], so that spectral norm and clipping find it."""

    def slope(key, x):
        return {"kernel": jnp.ones((x.shape[-1], 1))}, ()

    def line(params, state, noise, x):
        return (x @ params["kernel"])[:, 0], state

    point = Network(
        lambda key, z: (jnp.ones(()), ()), lambda theta, state, noise, z: (jnp.broadcast_to(theta, z.shape), state)
    )
    return point, Network(slope, line)


def start(step: Step, batches: Batch, at: jax.Array) -> State:
    """The state at (psi, theta). Of a pack of examples, all 0 or theta, the rows of the kernel share psi."""
    state = step.init(jax.random.key(0), Batch(batches.x[0]))
    kernel = state.params["critic"]["kernel"]
    psi = jnp.broadcast_to(at[0] / len(kernel), kernel.shape)
    return state._replace(params={"critic": {"kernel": psi}, "generator": at[1]})


def data(turns: int, examples: int = 1) -> Batch:
    """A batch for each turn: the data lie at 0."""
    return Batch(jnp.zeros((turns, examples, 1)))


def paths(step: Step, batches: Batch, starts: jax.Array, steps: int) -> np.ndarray:
    """(psi, theta) of a run from each of `starts` [S, 2], f64[S, steps + 1, 2]."""
    key = jax.random.key(0)  # no noise is used

    def run(at):
        def body(state, _):
            state, _ = step.update(state, key, batches)
            return state, jnp.stack([state.params["critic"]["kernel"].sum(), state.params["generator"]])

        _, path = jax.lax.scan(body, start(step, batches, at), length=steps)
        return jnp.concatenate([at[None], path])

    return np.asarray(jax.jit(jax.vmap(run))(starts), np.float64)
