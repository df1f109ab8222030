"""Strict settings for every test: ranks that do not match raise, and pyproject.toml turns warnings into errors."""

import os

import jax

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 4)  # simulated devices for the sharding tests; a program uses one unless told
os.environ["TFDS_DATA_DIR"] = os.path.join(os.path.dirname(__file__), "nothing-is-prepared-here")
