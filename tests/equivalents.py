"""Mutants of `mutants.py` that compute the same numbers: (file, line, "before -> after"), and why no test can tell."""

STEP, TURNS = "jaxgen/training/step.py", "jaxgen/training/turns.py"

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        STEP,
        "return jnp.maximum(rate, 1 - 2 ** (-20 / jnp.maximum(n, 1e-3)))",
        "jnp.maximum(n, 0.001) -> jnp.maximum(0.001, n)",
    ): "the larger of two finite numbers, in either order",
    (
        STEP,
        "before = Played(state.params, state.opts, state.context.state, jnp.array(True))",
        "jnp.array(True) -> True",
    ): "only ever read while traced, where a Python bool is the same bool[]",
    (
        TURNS,
        "first = jax.tree.map(lambda a: a[0], batches)",
        "0 -> 1",
    ): "read for its shapes alone, and a step in which a turn comes back has two batches",
    (
        TURNS,
        "finite = jnp.array(True)",
        "jnp.array(True) -> True",
    ): "combined with an array before anything reads it",
    (
        "jaxgen/objectives/penalties.py",
        "return jnp.where(flat, 0.0, jnp.sqrt(jnp.where(flat, 1.0, square)))",
        "1.0 -> 2.0",
    ): "where flat, the outer select drops this number and its gradient, whatever positive number it is",
}
