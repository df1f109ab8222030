"""Two small networks on ring8, moved in several ways: eigenvalues of their step along training, and how they swing."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.gan_dynamics.ways import TOGETHER, Config, turns
from experiments.ring import draw_batches, overlap
from jaxgen.core import BadRequest, Batch
from jaxgen.data import load
from jaxgen.games import gan
from jaxgen.objectives import NON_SATURATING, consensus, descend, extragradient, r1
from jaxgen.recipes import Spec
from jaxgen.training.dynamics import leading, rotation
from jaxgen.training.program import Plan
from jaxgen.training.step import Step

PROBES, EVERY = 200, 10  # values of z whose samples are followed, and steps between two looks at them
SEEN = 256  # examples of a batch for the eigenvalues


class Trained(NamedTuple):
    """All seeds of one way; [S] over seeds, [S, L] over looks along training."""

    moduli: np.ndarray  # f64[S, L], of the leading eigenvalue of a step; nan where it was not found
    rotations: np.ndarray  # f64[S, L], its rotation
    turning: np.ndarray  # f64[S, L] %, how many of the leading few are complex
    swings: np.ndarray  # f64[S], see `swing`
    overlaps: np.ndarray  # f64[S] %, of the samples in the end, see `experiments.ring.overlap`
    path: np.ndarray  # f32[T, PROBES, 2], samples of the first seed
    skipped: int  # seeds in which a step was not finite


def plan(name: str, config: Config) -> Plan:
    """What is trained: the networks of `jaxgen fit` by Adam, whose first momentum is that of DCGAN unless named."""
    spec, beta = Spec((2,)), {"momentum 0": 0.0, "momentum -0.5": -0.5}.get(name, 0.5)
    adam = optax.adam(config.adam_rate, b1=beta, b2=0.99)
    penalty = r1(config.ring_gamma) if name == "R1" else None
    game = gan(spec.generator(), spec.critic(), latent_dim=2, loss=NON_SATURATING, penalty=penalty)
    rule = {"extragradient": extragradient, "consensus": consensus(config.ring_weight)}.get(name, descend)
    moves = TOGETHER if rule is not descend or name == "both at once" else turns(1, 1)
    return Plan(game, {"critic": adam, "generator": adam}, moves, rule=rule, batch_size=config.batch)


def measure(name: str, config: Config) -> Trained:
    """Trains every seed in one program and looks at the eigenvalues along training."""
    entry, data = plan(name, config), load("ring8")
    assert data.modes is not None
    step, x = entry.step(), jnp.asarray(data.train.x)
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(0), i))(jnp.arange(config.seeds))
    z = draw_probes()
    play = _player(step, x, z, len(entry.turns), config)
    states = jax.jit(jax.vmap(lambda key: step.init(key, Batch(x[: config.batch]))))(keys)
    # One batch and one noise for all looks at a seed, so that looks differ by the params alone.
    batch = Batch(jnp.stack([x[:SEEN]] * len(entry.turns)))
    results: dict[str, list[Any]] = {"moduli": [], "rotations": [], "turning": [], "path": []}
    for look in range(config.looks):
        states, path = play(states, keys, jnp.int32(look))
        ends = [_look(step, jax.tree.map(lambda a, i=i: a[i], states), batch, config) for i in range(config.seeds)]
        for kind, values in zip(results, (*zip(*ends, strict=True), np.asarray(path)), strict=True):
            results[kind].append(values)
    path = np.concatenate(results["path"], 1)  # [S, T, PROBES, 2]
    return Trained(
        *(np.array(results[kind], np.float64).T for kind in ("moduli", "rotations", "turning")),
        np.array([swing(one) for one in path]),
        np.array([overlap(one[-1], data.modes) for one in path]),
        path[0],
        int((np.asarray(states.skipped) > 0).sum()),
    )


def _player(step: Step, x: jax.Array, z: jax.Array, turns: int, config: Config) -> Any:
    length = config.updates // config.looks // EVERY

    def play(state, key, look):
        def body(state, n):
            batches = draw_batches(jax.random.fold_in(key, n), x, (turns, config.batch))
            return step.update(state, key, batches)[0], None

        def stretch(state, m):
            state, _ = jax.lax.scan(body, state, EVERY * (look * length + m) + jnp.arange(EVERY))
            sample = step.model(state).sample
            assert sample is not None
            return state, sample(z)

        return jax.lax.scan(stretch, state, jnp.arange(length))

    return jax.jit(jax.vmap(play, (0, 0, None)), donate_argnums=0)


def _look(step: Step, state: Any, batch: Batch, config: Config) -> tuple[float, float, float]:
    """(modulus, rotation, % complex) of the leading eigenvalues, nan where Arnoldi's method does not find them."""
    still = state._replace(context=state.context._replace(step=jnp.zeros_like(state.context.step)))
    try:
        eigenvalues = leading(step, still, jax.random.key(1), batch, k=config.eigenvalues)
    except BadRequest:
        return float("nan"), float("nan"), float("nan")
    return float(abs(eigenvalues[0])), rotation(eigenvalues), float(100 * np.mean(eigenvalues.imag != 0))


def swing(path: np.ndarray) -> float:
    """How far samples move about in the later half of a run: the root of their mean square distance from their means.

    path f[T, N, 2] holds the samples of the same N values of z. The ring has the radius 1.

    >>> round(swing(np.array([[[9.0, 9.0]], [[9.0, 9.0]], [[0.5, 0.0]], [[-0.5, 0.0]]])), 4)
    0.5
    """
    late = np.asarray(path, np.float64)[len(path) // 2 :]
    return float(np.sqrt(((late - late.mean(0, keepdims=True)) ** 2).sum(-1).mean()))


def draw_probes() -> jax.Array:
    """The values of z that are followed, f32[PROBES, 2]."""
    return jax.random.normal(jax.random.key(2), (PROBES, 2))
