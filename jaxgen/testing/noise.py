"""What an audit asks of the noise: does the loss use it, is all of it there, does one key serve two draws."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

from jaxgen.testing import measure
from jaxgen.testing.summary import Noise


def exchanged(loss: Callable, params: Any, chunks: Sequence, others: Sequence, batch: Any) -> tuple[Noise, ...]:
    """One row for each leaf of noise: put another draw's in, all else the same, and see if loss or gradient change."""
    base = [measure.raw(loss, params, chunk, batch) for chunk in chunks]
    rows = []
    for at, (path, leaf) in enumerate(jax.tree_util.tree_flatten_with_path(chunks[0][1])[0]):
        pairs = zip(chunks, others, base, strict=True)
        mixed = (((keys, _replaced(noise, at, other)), was) for (keys, noise), (_, other), was in pairs)
        used = any(not _equal(measure.raw(loss, params, chunk, batch), was) for chunk, was in mixed)
        values = np.concatenate([_numbers(jax.tree.leaves(noise)[at]) for _, noise in (*chunks, *others)])
        varies = bool((values != values[:1]).any())
        rows.append(Noise(measure.name_of(path, "noise"), leaf.shape[1:], varies, used))
    return tuple(rows)


def reused_keys(loss: Callable, params: Any, draw: Callable, batch: Any, key: Any) -> tuple[str, ...]:
    """JAX's own key-reuse checker on `draw`, and on the loss after it: typed keys, traced once."""
    for who, program in (
        ("draw", lambda key: draw(key, batch)),
        ("the loss", lambda key: measure.scalar(loss(params, draw(key, batch), batch))),
    ):
        try:
            with jax.debug_key_reuse(True):
                jax.make_jaxpr(program)(jax.random.clone(key))
        except jax.errors.KeyReuseError:
            return (
                f"key reused: {who} uses one key twice, for two draws or two splits. Split it once, for all of them.",
            )
    return ()


def repeated(chunks: Sequence) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Noise entries that rise and fall together over all draws: the same random bits, whatever the law made of them.

    Between two leaves that is a fault. Within one it is only reported: one number may be shared on purpose, as by the
    times of a systematic sample. The order of an entry's values over 32 draws is its fingerprint: two agree by chance
    once in 32!. Entries with ties (integers, masks) have none. Mirrored ones (antithetic pairs) do not agree, and are
    taken to be meant.
    """
    first_with: dict[bytes, str] = {}
    twins: dict[tuple[str, str], int] = {}
    for at, (path, _) in enumerate(jax.tree_util.tree_flatten_with_path(chunks[0][1])[0]):
        name = measure.name_of(path, "noise")
        values = np.concatenate([_entries(jax.tree.leaves(noise)[at]) for _, noise in chunks])
        for mark in _fingerprints(values.reshape(len(values), -1)):
            if mark in first_with:
                twins[first_with[mark], name] = twins.get((first_with[mark], name), 0) + 1
            first_with.setdefault(mark, name)
    between = (
        f"noise repeated: {n} entries of {b} rise and fall with those of {a} in every draw, as from one key used twice."
        for (a, b), n in twins.items()
        if a != b
    )
    within = (
        f"noise alike: {n} entries of {a} rise and fall with others of it in every draw: right where they share a "
        "number on purpose, wrong where one key served two draws."
        for (a, b), n in twins.items()
        if a == b
    )
    return tuple(between), tuple(within)


def _fingerprints(values: np.ndarray) -> list[bytes]:
    order = np.argsort(values, axis=0, kind="stable")
    ties = (np.diff(np.take_along_axis(values, order, axis=0), axis=0) == 0).any(axis=0)
    return [column.tobytes() for column in order.T[~ties].astype(np.int32)]


def _numbers(leaf: Any) -> np.ndarray:
    if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)


def _entries(leaf: Any) -> np.ndarray:
    """A key is one entry, its last word: keys of some generators hold the same words twice."""
    return _numbers(leaf)[..., -1:] if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key) else _numbers(leaf)


def _replaced(noise: Any, at: int, other: Any) -> Any:
    leaves, tree = jax.tree.flatten(noise)
    return jax.tree.unflatten(tree, [*leaves[:at], jax.tree.leaves(other)[at], *leaves[at + 1 :]])


def _equal(some: Sequence, others: Sequence) -> bool:
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(some, others, strict=True))
