"""`python -m jaxgen` is the command `jaxgen`."""

import os
from typing import NoReturn

from jaxgen.cli import leave, main

# Commands compute in float32 with JAX's usual promotion, whatever the user's other programs want; both are read when
# JAX is imported.
SETTLED = {"JAX_ENABLE_X64": "0", "JAX_NUMPY_DTYPE_PROMOTION": "standard"}


def enter() -> NoReturn:
    """The process `jaxgen`, from its words to its exit code."""
    os.environ.update(SETTLED)
    leave(main())


if __name__ == "__main__":
    enter()
