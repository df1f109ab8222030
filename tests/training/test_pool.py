"""Splits that are positions into one resident array train on what copies of it would, and are not copied."""

import jax
import numpy as np
import pytest

from jaxgen.data import Data, Split, load
from jaxgen.data.redivide import pooled, redivide
from jaxgen.runs.inputs import source_for
from jaxgen.training.pool import Pool
from jaxgen.training.program import run_keys
from jaxgen.training.sources import arrays, positions

KEY = run_keys(3).data
X = np.random.default_rng(0).integers(0, 256, (30, 2, 2, 1), np.uint8)
LABEL = np.arange(30, dtype=np.int32)
AT = np.random.default_rng(1).permutation(30)[:20]
LATE = (25, (3, 2, 7), 0, 1)  # a position, a shape that crosses an epoch, one process


def batches(source, fetch=None):
    fetched = (fetch or source.fetch)(KEY, *LATE)
    return [source.batch(source.resident, jax.tree.map(lambda a, i=i: a[i], fetched)) for i in range(3)]


def alike(some, others):
    for a, b in zip(some, others, strict=True):
        jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("subset", [None, np.array([1, 5, 6, 12, 19, 3, 8, 10])])
def test_rows_are_met_as_an_array_of_them(subset):
    # Kills: positions in the split taken for positions in the pool; a subset of the pool in place of the split; epochs
    # as long as the pool; labels in the order of the split.
    told = {"condition": lambda x, label: label}
    rows = arrays(Pool.of([X]).rows(AT), LABEL[AT], subset=subset, **told)
    copies = arrays(X[AT], LABEL[AT], subset=subset, **told)
    assert rows.size == copies.size == (20 if subset is None else 8)
    alike(batches(rows), batches(copies))
    if subset is not None:
        all_of_it = arrays(Pool.of([X]).rows(AT), LABEL[AT], **told)
        alike(batches(all_of_it, positions(Pool.of([X]).rows(AT), subset=subset)), batches(copies))


def test_domains_share_one_pool():
    # Kills: domains that change places; one domain that is copied out of the pool.
    part = Split(Pool.of([X]).rows(AT), (AT % 2).astype(np.int32))
    data = Data("toy", "image", part, part, part, ("a", "b"), None, None, "", ())
    plan = type("Plan", (), {"domains": ("a", "b")})
    source = source_for(plan, data, None)
    assert source.resident["a"][0] is source.resident["b"][0] is part.x.pool.placed
    batch, place = source.batch, source.fetch(KEY, *LATE)
    assert set(batch(source.resident, jax.tree.map(lambda a: a[0], place)).x) == {"a", "b"}
    held = [cell.cell_contents for cell in batch.__closure__]
    assert not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(held))  # a program would hold them
    copied = data._replace(train=part._replace(x=X[AT]))
    alike(batches(source), batches(source_for(plan, copied, None)))


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other devices have a memory of their own")
def test_on_cpu_nothing_is_copied():
    # Kills: a pool that does not begin where JAX wants it to, such as one that NumPy allocates.
    pool = Pool.of([X, X])
    assert np.shares_memory(np.asarray(pool.placed), pool.x)


def test_other_seeds_are_positions():
    # Kills: a split that is a copy; labels that stay where they were; one pool for each seed; the order of the pool
    # taken for that of the splits, so that a second division differs from one of the data as they were loaded.
    data = load("digits")
    ours = pooled(data)
    assert redivide(ours, 0) is ours and pooled(ours) is ours
    for seed in (0, 1, 2):
        own, other = redivide(ours, seed), redivide(data, seed)
        assert own.digest == data.digest
        for mine, theirs in zip(own.splits.values(), other.splits.values(), strict=True):
            assert mine.x.pool is ours.train.x.pool and mine.x.shape == theirs.x.shape
            np.testing.assert_array_equal(mine.x, theirs.x)
            np.testing.assert_array_equal(mine.label, theirs.label)
    alike([redivide(redivide(ours, 1), 2).test.x[:]], [redivide(redivide(data, 1), 2).test.x])
    table = load("cancer")
    assert pooled(table) is table
