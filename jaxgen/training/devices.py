"""One axis of devices: the batch is split over it, everything else is on each of them."""

from collections.abc import Sequence

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.core import BadRequest

AXIS = "batch"


def make_mesh(devices: Sequence[jax.Device]) -> Mesh:
    """A mesh of one axis over `devices`."""
    return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def default_mesh() -> Mesh | None:
    """All devices where they are accelerators; None, which is one device, on CPU or where there is only one."""
    devices = jax.local_devices()
    return None if len(devices) == 1 or devices[0].platform == "cpu" else make_mesh(devices)


def check_batch(batch_size: int, mesh: Mesh | None) -> None:
    """Refuses a batch that the devices cannot share equally.

    Raises:
      BadRequest: names the nearest sizes that go.
    """
    if mesh is None or batch_size % mesh.size == 0:
        return
    below = batch_size // mesh.size * mesh.size
    sizes = f"{below} or {below + mesh.size}" if below else f"{mesh.size}"
    raise BadRequest(f"batch size {batch_size} cannot be split over {mesh.size} devices: use {sizes}.")


def replicated(mesh: Mesh | None) -> NamedSharding | None:
    """The same value on every device."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh | None, axis: int) -> NamedSharding | None:
    """Axis number `axis` split over the devices."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec(*[None] * axis, AXIS))
