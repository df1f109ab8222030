"""Functions that several games share: calls of networks by a model, and checks before anything is computed."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgen.core import Array, BadRequest, Batch, Network, check_type, inputs, rows
from jaxgen.objectives.adversarial import Adversarial
from jaxgen.objectives.observation import Observation
from jaxgen.objectives.penalties import Forward


def check_loss(loss: Any) -> None:
    """Checks that `loss` is an adversarial loss; the message lists the existing ones."""
    known = "NON_SATURATING, SATURATING, LEAST_SQUARES, HINGE, WASSERSTEIN or RELATIVISTIC of jaxgen.objectives"
    check_type("loss", loss, Adversarial, known)


def first_players(
    generator: Network, critic: Network, key: Array, latent_dim: int, batch: Batch, critic_inputs: tuple | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """(params, state) of both networks by name; `critic_inputs` are the critic's inputs, if not the whole batch."""
    k_generator, k_critic = jax.random.split(key)
    z = jnp.zeros((rows(batch), latent_dim), dtype=jnp.float32)
    p_generator, s_generator = generator.init(k_generator, *inputs(z, batch.condition))
    p_critic, s_critic = critic.init(k_critic, *(inputs(*batch) if critic_inputs is None else critic_inputs))
    return {"critic": p_critic, "generator": p_generator}, {"generator": s_generator, "critic": s_critic}


def draw_calls(
    generator: Network, critic: Network, latent_dim: int, batch: Batch, critic_inputs: tuple | None = None
) -> dict[str, tuple]:
    """The arguments of `draw_each` for z ~ N(0, I), the generator, and the critic's calls on real and fake examples."""
    z = jax.ShapeDtypeStruct((rows(batch), latent_dim), jnp.float32)
    judge = critic.draw, *(inputs(*batch) if critic_inputs is None else critic_inputs)
    return {
        "z": (jax.random.normal, z.shape, jnp.float32),
        "generator": (generator.draw, *inputs(z, batch.condition)),
        "real": judge,
        "fake": judge,
    }


def evaluation(net: Network, params: Any, state: Any) -> Callable[..., Any]:
    """The network as a function (x, condition) -> y, without noise."""
    return lambda x, condition=None: net.apply(params, state, None, *inputs(x, condition))[0]


def features_of(name: str, net: Network, params: Any, state: Any) -> dict[str, Callable[..., Array]]:
    """`Model.features` of one network: {name: (x, condition) -> f32[B, F]}, or {} if it has none."""
    layer = net.features
    if layer is None:
        return {}
    return {name: lambda x, condition=None: layer(params, state, None, *inputs(x, condition))[0]}


def strangeness(logits: Array, examples: int) -> Array:
    """The anomaly score of a critic: -logit [B, ...] averaged over an example, f32[B]."""
    return -jnp.mean(logits.reshape(examples, -1), -1)


def squared_error(x: Any, y: Any) -> Array:
    """|x - y|^2 summed over all but the first axis and over leaves: [B, ...], [B, ...] -> [B].

    >>> squared_error({"a": jnp.zeros((2, 3)), "b": jnp.zeros(2)}, {"a": jnp.ones((2, 3)), "b": 2 * jnp.ones(2)})
    Array([7., 7.], dtype=float32)
    """
    squares = jax.tree.map(lambda a, b: jnp.sum(((a - b) ** 2).reshape(len(a), -1), -1), x, y)
    return jax.tree.reduce(jnp.add, squares)


def mean_squared_error(x: Any, y: Any) -> Array:
    """`squared_error` divided by the numbers in an example: [B, ...], [B, ...] -> [B].

    >>> mean_squared_error({"a": jnp.zeros((2, 3)), "b": jnp.zeros(2)}, {"a": jnp.ones((2, 3)), "b": 3 * jnp.ones(2)})
    Array([3., 3.], dtype=float32)
    """
    return squared_error(x, y) / sum(leaf[0].size for leaf in jax.tree.leaves(x))


def check_array(batch: Batch) -> None:
    """Refuses examples that are not one array."""
    if not hasattr(batch.x, "shape"):
        raise BadRequest(f"this game takes x as one array, not as {type(batch.x).__name__}: concatenate it first.")


def check_codes(encoder: Network, params: Any, state: Any, batch: Batch, latent_dim: int) -> None:
    """Refuses an encoder that does not give [B, D]."""
    z, _ = jax.eval_shape(encoder.apply, params, state, None, *inputs(*batch))
    if z.shape != (rows(batch), latent_dim):
        raise BadRequest(f"the encoder gives {list(z.shape)} but must give [B, {latent_dim}]: change its last layer.")


def check_outputs(observation: Observation, y: Any, x: Array) -> None:
    """Refuses a decoder whose y is not [N, ..., outputs(C)] for x [B, ..., C]."""
    channels = x.shape[-1]
    wanted = (*x.shape[1:-1], observation.outputs(channels))
    if y.shape[1:] != wanted:
        raise BadRequest(
            f"the decoder gives {list(y.shape)} but must give [B, {', '.join(map(str, wanted))}], "
            f"{wanted[-1]} for the {channels} of x on its last axis: change its last layer."
        )


def check_generated(fake: Any, real: Any) -> None:
    """Refuses examples of a generator that do not have the structure and the shapes of the data."""

    def shapes(x):
        return jax.tree.map(lambda a: tuple(a.shape), x)

    if shapes(fake) != shapes(real):
        raise BadRequest(
            f"the generator gives x of {shapes(fake)}, but the data are {shapes(real)}: make the shapes the same."
        )


def check_logits(real: Array, fake: Array, examples: int, couples: bool) -> None:
    """Refuses logits of different shapes, or whose first axis does not match the examples or packs of them."""
    if real.shape != fake.shape:
        raise BadRequest(
            f"the critic gives logits of {real.shape} for real and {fake.shape} for fake: make the shapes the same."
        )
    if real.ndim < 1 or real.shape[0] < 1 or examples % real.shape[0] or (real.shape[0] != examples and not couples):
        raise BadRequest(
            f"the critic gives logits of {real.shape} for {examples} examples: it must give one or more for each, or "
            "for each pack if the network couples examples."
        )


def mean_penalty(values: Array, view: Forward) -> Array:
    """The mean of a penalty, after a check that it has one number for each example or pack."""
    allowed = {(len(view.real_logits),), (rows(view.real),)}
    if jnp.shape(values) not in allowed:
        raise BadRequest(
            f"a penalty must return one number for each example or pack, {' or '.join(map(str, sorted(allowed)))}, "
            f"not {jnp.shape(values)}."
        )
    return jnp.mean(values)
