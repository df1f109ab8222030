"""Arrays on disk by Orbax: written and read by name. Digests and commits are those of `checkpoint`."""

from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgen.training.faults import plain


def write_arrays(path: Path, leaves: dict[str, np.ndarray]) -> None:
    """Writes arrays by name into the new folder `path`.

    Raises:
      OSError: as the file system says.
    """
    # Orbax refuses arrays without entries; their shape and dtype in the record say all.
    full = {name: leaf for name, leaf in leaves.items() if leaf.size}
    with plain(path):
        _checkpointer().save(path, full)


def read_arrays(path: Path, expected: dict[str, Any]) -> dict[str, np.ndarray]:
    """The arrays in `path` by name; `expected` gives the shape and dtype of each. Errors are those of Orbax."""
    blank = {name: np.broadcast_to(np.zeros((), leaf.dtype), leaf.shape) for name, leaf in expected.items()}
    full = {name: leaf for name, leaf in blank.items() if leaf.size}
    return blank | _checkpointer().restore(path, full)


def _checkpointer() -> Any:
    import orbax.checkpoint as ocp  # half a second of import that only a saved run pays

    if jax.process_count() == 1:
        return ocp.Checkpointer(ocp.StandardCheckpointHandler())
    # Each process acts alone: one writes, and all read what they need, without waiting for each other.
    me = jax.process_index()
    alone = ocp.options.MultiprocessingOptions(me, {me}, f"process{me}")
    handler = ocp.StandardCheckpointHandler(multiprocessing_options=alone)
    return ocp.Checkpointer(handler, multiprocessing_options=alone)
