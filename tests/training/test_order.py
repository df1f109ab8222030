import jax
import numpy as np
import pytest

from jaxgen.training.order import indices

KEY = jax.random.key(3)


@pytest.mark.parametrize("n", [7, 64, 1000])
def test_each_epoch_is_a_permutation_of_its_own(n):
    # Kills: a dropped remainder; one permutation for all epochs.
    epochs = indices(KEY, 0, (4, n), n)
    for epoch in epochs:
        assert sorted(epoch.tolist()) == list(range(n))
    assert len({epoch.tobytes() for epoch in epochs}) == 4
    assert epochs.dtype == np.int32


def test_depends_on_key_and_absolute_position_only():
    # Kills: a position counted from the start of a dispatch; the dispatch's shape in the seed.
    n, turns, batch = 23, 3, 5
    whole = indices(KEY, 0, (12, turns, batch), n)
    parts = []
    for start, steps in ((0, 5), (5, 5), (10, 2)):
        parts.append(indices(KEY, start * turns * batch, (steps, turns, batch), n))
    np.testing.assert_array_equal(whole, np.concatenate(parts))
    # Kills: the key left out.
    assert (whole != indices(jax.random.key(4), 0, whole.shape, n)).any()


def test_position_beyond_32_bits():
    # Kills: a position in int32.
    n, position = 10, 10 * 2**40
    assert sorted(indices(KEY, position, (10,), n).tolist()) == list(range(10))
    assert (indices(KEY, position, (2, 50), n) != indices(KEY, 0, (2, 50), n)).any()


def test_subset_sees_its_own_examples_only():
    # Kills: positions within the subset handed out as examples.
    allowed = np.array([3, 5, 8, 13])
    seen = indices(KEY, 2, (3, 8), 20, subset=allowed)
    assert set(seen.ravel().tolist()) == set(allowed.tolist())
    assert sorted(indices(KEY, 4, (4,), 20, subset=allowed).tolist()) == allowed.tolist()


def test_first_positions_are_roughly_uniform():
    # Kills: an order that favours some examples (argsort of too few bits).
    first = indices(KEY, 0, (4000, 5), 5)[:, 0]
    share = np.bincount(first, minlength=5) / 4000
    assert (abs(share - 0.2) < 5 * np.sqrt(0.2 * 0.8 / 4000)).all()
