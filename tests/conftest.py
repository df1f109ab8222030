"""Strict settings for every test: ranks that do not match raise, and pyproject.toml turns warnings into errors."""

import os
import shutil
import tempfile
import threading

import jax
import pytest
from heavy import HEAVY

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_num_cpu_devices", 4)  # simulated devices for the sharding tests; a program uses one unless told
os.environ["TFDS_DATA_DIR"] = os.path.join(os.path.dirname(__file__), "nothing-is-prepared-here")
os.environ["JAXGEN_CACHE"] = "off"  # no test leaves anything in the home of whoever runs it


def _one_context_a_thread():
    """Lets the programs that one thread lowers share an MLIR context.

    JAX makes one for each program, in about 10 ms, which is a fifth of the time of the default suite: nearly all of its
    programs are single operations. What a context holds is types and attributes, which are the same for all. `mlir` is
    no public module: where it has no such function any more, each program has a context of its own again.
    """
    from jax._src.interpreters import mlir

    make, kept = getattr(mlir, "make_ir_context", None), threading.local()

    def context():
        if not hasattr(kept, "context"):
            kept.context = make()
        return kept.context

    if make is not None:
        mlir.make_ir_context = context


def _share_programs(config):
    """Keeps compiled programs in a folder for as long as the suite runs: workers and the processes of tests share them.

    Whoever names a folder of their own keeps it.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="jaxgen-tests-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ["JAX_COMPILATION_CACHE_DIR"] = folder
    for name, value in (
        ("jax_compilation_cache_dir", os.environ["JAX_COMPILATION_CACHE_DIR"]),
        ("jax_persistent_cache_min_compile_time_secs", 0.1),
        ("jax_persistent_cache_min_entry_size_bytes", -1),
    ):
        os.environ[name.upper()] = str(value)
        jax.config.update(name, value)


def pytest_configure(config):
    """Most of the default suite's time is the compilation of programs that run once, so they are not optimised.

    So are those of processes that tests start, whose bits some tests compare with their own. All slow tests compile as
    a user does.
    """
    if config.option.markexpr == "not slow":
        jax.config.update("jax_disable_most_optimizations", True)
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
        _one_context_a_thread()
        _share_programs(config)


@pytest.hookimpl(tryfirst=True)  # before pytest deselects what is marked
def pytest_collection_modifyitems(items):
    """Marks the cases in `heavy.HEAVY` as slow."""
    for item in items:
        if item.nodeid.removeprefix("tests/") in HEAVY:
            item.add_marker(pytest.mark.slow)
