"""Places arrays on one axis of devices: batches are split over it, all other arrays are replicated."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from jaxgen.core import Array, BadRequest

AXIS = "batch"


def make_mesh(devices: Sequence[jax.Device]) -> Mesh:
    """A mesh of one axis over `devices`."""
    return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def default_mesh() -> Mesh | None:
    """A mesh of all devices if they are accelerators or if there are several processes; None (one device) otherwise."""
    # By process: the part of a batch that a process makes is then the one that its devices hold.
    devices = sorted(jax.devices(), key=lambda device: (device.process_index, device.id))
    alone = len(devices) == 1 or (devices[0].platform == "cpu" and jax.process_count() == 1)
    return None if alone else make_mesh(devices)


def check_batch(batch_size: int, mesh: Mesh | None, *, micro: int = 1) -> None:
    """Refuses a batch that the devices, or the micro-batches on each of them, cannot share equally.

    Raises:
      BadRequest: if they cannot; the message names the nearest valid sizes.
    """
    unit = micro * (1 if mesh is None else mesh.size)
    if batch_size % unit == 0:
        return
    below = batch_size // unit * unit
    sizes = f"{below} or {below + unit}" if below else f"{unit}"
    devices = "" if mesh is None else f" over {mesh.size} devices"
    parts = "" if micro == 1 else f" into {micro} micro-batches"
    raise BadRequest(f"batch size {batch_size} cannot be split{parts}{devices}: use {sizes}.")


def shared_size(size: int, mesh: Mesh | None, *, micro: int = 1, unit: int = 1) -> int:
    """`size` rounded down to what the devices, and the micro-batches on each, can share; at least one example each.

    It is a multiple of `unit` as well.

    >>> shared_size(128, None, unit=3), shared_size(2, None, unit=3)
    (126, 3)
    """
    unit = math.lcm(micro * (1 if mesh is None else mesh.size), unit)
    return max(size // unit, 1) * unit


def replicated(mesh: Mesh | None) -> NamedSharding | None:
    """The sharding that replicates a value on every device."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec())


def split(mesh: Mesh | None, axis: int) -> NamedSharding | None:
    """The sharding that splits axis `axis` over the devices."""
    return None if mesh is None else NamedSharding(mesh, PartitionSpec(*[None] * axis, AXIS))


def put(tree: Any, mesh: Mesh | None, axis: int | None = None) -> Any:
    """Copies arrays of the host to the devices: the part of this process split along `axis`, or replicated."""
    if mesh is None:
        return jax.device_put(tree)
    place = replicated(mesh) if axis is None else split(mesh, axis)
    return jax.tree.map(lambda a: jax.make_array_from_process_local_data(place, np.asarray(a)), tree)


def put_key(key: Array, mesh: Mesh | None) -> Array:
    """Replicates a key, which is the same in every process, on each device."""
    if mesh is None or mesh.is_multi_process is False:
        return key
    return jax.random.wrap_key_data(put(jax.random.key_data(key), mesh), impl=jax.random.key_impl(key))


def put_copies(tree: Any, mesh: Mesh | None) -> Any:
    """Replicates arrays, which are the same in every process, in new buffers on each device."""
    if mesh is None:
        return jax.tree.map(lambda a: jax.device_put(jnp.array(a)), tree)
    place, local = NamedSharding(mesh, PartitionSpec()), mesh.local_devices

    def copied(a):
        parts = [jax.device_put(jnp.array(a), device) for device in local]
        return jax.make_array_from_single_device_arrays(np.shape(a), place, parts)

    return jax.tree.map(copied, tree)
