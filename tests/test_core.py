"""The checks that all parts share: whole numbers, tuples of them, types."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgen.core import BadRequest, check_type, whole, wholes
from jaxgen.objectives import GAUSSIAN, HINGE, Family


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), jnp.int32(3), np.array(3)])
def test_whole_numbers_become_ints(value):
    # Kills: a size of NumPy that is refused, or stays of NumPy and overflows in an 8-bit product.
    assert whole("n", value, 3) == 3 and type(whole("n", value, 0)) is int


@pytest.mark.parametrize("value", [-1, 3.0, np.float32(3), "3", None, True, np.True_, (3,), np.array([3, 3])])
def test_what_is_no_whole_number_is_named(value):
    # Kills: a float that is let in, or rounded; True taken for 1; a traceback of a comparison.
    with pytest.raises(BadRequest, match=r"^n=.*: it must be a whole number of at least 0\.$"):
        whole("n", value, 0)


def test_tuples_of_whole_numbers():
    # Kills: a list that stays one; an empty tuple; one of the numbers that is not looked at.
    assert wholes("n", [2, np.int64(3)], 2) == (2, 3)
    for values, said in (((), "n="), (7, "n=7"), ("77", "n='77'"), ((2, 1), "each of n=1"), ((2, 2.5), "of n=2.5")):
        with pytest.raises(BadRequest, match=said):
            wholes("n", values, 2)


def test_types_are_named():
    # Kills: a part of the right type refused; a message that prints a dozen functions.
    check_type("a", GAUSSIAN, Family, "GAUSSIAN")
    check_type("a", GAUSSIAN, (int, Family), "GAUSSIAN")
    for value, found in ((HINGE, "Adversarial"), ("b", "'b'"), (2.5, "2.5"), (None, "None"), (print, "print")):
        with pytest.raises(BadRequest) as caught:
            check_type("a", value, (Family, set), "GAUSSIAN")
        assert str(caught.value) == f"a must be of the type Family or set, such as GAUSSIAN, not {found}."
