"""Strict settings for every test: ranks that do not match raise, and pyproject.toml turns warnings into errors."""

import os

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 4)  # simulated devices for the sharding tests; a program uses one unless told
os.environ["TFDS_DATA_DIR"] = os.path.join(os.path.dirname(__file__), "nothing-is-prepared-here")


def pytest_configure(config):
    """Most of the default suite's time is the compilation of programs that run once, so they are not optimised.

    The commands that tests start in processes of their own, and all slow tests, compile as a user does.
    """
    jax.config.update("jax_disable_most_optimizations", config.option.markexpr == "not slow")
