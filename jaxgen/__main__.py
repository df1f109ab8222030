"""`python -m jaxgen` is the command `jaxgen`."""

import os
from typing import NoReturn

from jaxgen.system import signals

# Commands compute in float32, compiled, with JAX's usual promotion and generator, whatever the user's other programs
# want: what a seed gives depends on no variable. All are read when JAX is imported.
SETTLED = {
    "JAX_ENABLE_X64": "0",
    "JAX_NUMPY_DTYPE_PROMOTION": "standard",
    "JAX_NUMPY_RANK_PROMOTION": "allow",
    "JAX_DISABLE_JIT": "0",  # a step would take minutes
    "JAX_DEFAULT_PRNG_IMPL": "threefry2x32",
    "JAX_THREEFRY_PARTITIONABLE": "1",
    "JAX_DEBUG_NANS": "0",  # a step that is not finite is counted and left out, which is no error
    "JAX_DEBUG_INFS": "0",
    "JAX_TRANSFER_GUARD": "allow",
}


def enter() -> NoReturn:
    """The process `jaxgen`, from its words to its exit code."""
    early = signals.for_life()  # before the imports that take long
    os.environ.update(SETTLED)
    from jaxgen.cli import leave, main

    leave(main(early=early))


if __name__ == "__main__":
    enter()
