"""Mutants of `mutants.py` that compute the same numbers: (file, line, "before -> after"), and why no test can tell."""

STEP = "jaxgen/training/step.py"
GUARD = "if len(turns) > 1:  # a single turn has guarded itself; more of them want the copy from before the first"
ONE_TURN = "a single turn that was not finite has changed nothing, so both branches hold the same numbers"

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        STEP,
        "return jnp.maximum(rate, 1 - 2 ** (-20 / jnp.maximum(n, 1e-3)))",
        "jnp.maximum(n, 0.001) -> jnp.maximum(0.001, n)",
    ): "the larger of two finite numbers, in either order",
    (
        STEP,
        "first = jax.tree.map(lambda a: a[0], batches)",
        "0 -> 1",
    ): "read for its shapes alone, and a round in which a turn comes back has two batches",
    (
        STEP,
        "before = _Played(state.params, state.opts, state.memo, jnp.array(True))",
        "jnp.array(True) -> True",
    ): "only ever read while traced, where a Python bool is the same bool[]",
    (STEP, GUARD, "len(turns) > 1 -> len(turns) >= 1"): ONE_TURN,
    (STEP, GUARD, "1 -> 0"): ONE_TURN,
    (
        "jaxgen/objectives/divergences.py",
        "return jnp.sum(jnp.where(jnp.mean(each, axis=0, keepdims=True) > nats, each, nats), axis=-1)",
        "-1 -> 1",
    ): "free bits are of a batch of latents [B, D], whose last axis is axis 1",
    (
        "jaxgen/objectives/penalties.py",
        "return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, square)))",
        "1.0 -> 2.0",
    ): "where flat, the outer select drops this number and its gradient, whatever positive number it is",
}
