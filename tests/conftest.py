"""Strict settings for every test: ranks that do not match raise, and pyproject.toml turns warnings into errors."""

import os

import jax
import pytest
from heavy import HEAVY

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 4)  # simulated devices for the sharding tests; a program uses one unless told
os.environ["TFDS_DATA_DIR"] = os.path.join(os.path.dirname(__file__), "nothing-is-prepared-here")
os.environ["JAXGEN_CACHE"] = "off"  # no test leaves anything in the home of whoever runs it


def pytest_configure(config):
    """Most of the default suite's time is the compilation of programs that run once, so they are not optimised.

    So are those of processes that tests start, whose bits some tests compare with their own. All slow tests compile as
    a user does.
    """
    if config.option.markexpr == "not slow":
        jax.config.update("jax_disable_most_optimizations", True)
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"


@pytest.hookimpl(tryfirst=True)  # before pytest deselects what is marked
def pytest_collection_modifyitems(items):
    """Marks the cases in `heavy.HEAVY` as slow."""
    for item in items:
        if item.nodeid.removeprefix("tests/") in HEAVY:
            item.add_marker(pytest.mark.slow)
