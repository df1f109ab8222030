"""The compiled parts of a program, some of which may be on their way in other threads."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from jaxgen.core import Array
from jaxgen.system.machine import processors
from jaxgen.training import devices
from jaxgen.training.step import State

MOST_COMPILERS = 4  # each may take half a gigabyte


def compilers() -> ThreadPoolExecutor:
    """A pool for `compile_loop`: XLA compiles a program on one thread, so several are compiled side by side.

    Of several processes each compiles one program at a time, so that all do so in the same order. On a GPU it is one at
    a time too, because there the compiler times its choices, and programs would disturb each other.
    """
    alone = jax.process_count() == 1 and jax.default_backend() == "cpu"
    return ThreadPoolExecutor(min(processors(), MOST_COMPILERS) if alone else 1)


class Compiled(NamedTuple):
    """The programs of a plan for sources of one shape."""

    programs: dict[Any, Callable[[], Any]]  # "init", and by number of steps; a call waits until it is compiled
    compile_s: dict[Any, float]  # seconds, by the same names
    form: str
    shape: tuple[int, int]  # T, B
    chunk: int
    mesh: Mesh | None
    trace: Callable[[bool, int], Any]  # (unrolled, steps) -> what is to be compiled
    abstract: State  # shapes and dtypes of the state

    def add(
        self,
        name: str | int,
        traced: Callable[[], Any],
        options: dict[str, Any] | None = None,
        pool: Executor | None = None,
    ) -> None:
        """Compiles what `traced` returns, in the pool if there is one, and takes the time of both."""
        began = time.perf_counter()
        lowered = traced().lower()
        lowering = self.compile_s[name] = time.perf_counter() - began

        def compile_lowered() -> Any:
            began = time.perf_counter()
            program = lowered.compile(compiler_options=options)
            self.compile_s[name] = lowering + time.perf_counter() - began
            return program

        if pool is None:
            program = compile_lowered()
            self.programs[name] = lambda: program
        else:
            self.programs[name] = pool.submit(compile_lowered).result

    def wait(self) -> None:
        """Returns when all programs are compiled; raises the error of one that could not be."""
        for program in list(self.programs.values()):
            program()

    def prepare(self, count: int) -> None:
        """`Program.prepare`: an unrolled program serves any number of steps."""
        if self.form == "scanned" and count not in self.programs:
            self.add(count, lambda: self.trace(False, count))

    def advance(self, resident: Any, state: State, key: Array, fetched: Any) -> tuple[State, Any]:
        """`Program.advance`, of the resident arrays of a source."""
        count, key = len(jax.tree.leaves(fetched)[0]), devices.put_key(key, self.mesh)
        if self.form == "scanned":
            self.prepare(count)
            return self.programs[count]()(state, key, resident, devices.put(fetched, self.mesh, 2))
        infos = []
        for i in range(count):
            one = devices.put(jax.tree.map(lambda a, i=i: a[i], fetched), self.mesh, 1)
            state, info = self.programs[1]()(state, key, resident, one)
            infos.append(info)
        return state, jax.tree.map(lambda *a: np.stack(a), *jax.device_get(infos))
