"""What decides the bits of a computation beside the program: versions, device, threads."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from typing import Any

import jax

PACKAGES = ("jaxgen", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")


def versions() -> dict[str, str]:
    """What decides the bits besides the program: Python and the packages that compute."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in PACKAGES}}


def machine() -> dict[str, Any]:
    """What decides the bits besides program and versions: the device, the threads of a sum, two settings."""
    device = jax.devices()[0]
    config: Any = jax.config  # its attributes are made at run time
    return {
        "device": f"{device.platform} {device.device_kind}",
        "threads": processors(),
        "matmul_precision": config.jax_default_matmul_precision or "default",
        "threefry_partitionable": bool(config.jax_threefry_partitionable),
    }


def processors() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def changes(settings: Mapping[str, Any]) -> list[str]:
    """Where this process differs from the one that wrote `settings`, so that bits may differ."""
    now = machine()
    old = {name: settings[name] for name in now if name in settings} | settings["versions"]  # earlier runs say less
    now |= versions()
    return [f"{name} {old[name]} then, {now.get(name)} now" for name in old if old[name] != now.get(name)]


def device_name() -> str:
    """The device and the cores of this machine in words, such as `cpu, 2 cores`."""
    device, cores = jax.devices()[0], os.cpu_count() or 1
    return named(device.platform, device.device_kind, cores)


def named(platform: str, kind: str, cores: int) -> str:
    """A device in words, where platform and kind may be one word.

    >>> named("cpu", "cpu", 2), named("gpu", "NVIDIA H100", 1)
    ('cpu, 2 cores', 'gpu NVIDIA H100, 1 core')
    """
    return f"{' '.join(dict.fromkeys((platform, kind)))}, {cores:,} core{'' if cores == 1 else 's'}"
