"""Describe the software and the devices that a run uses, and the memory that it takes."""

import importlib.metadata
import platform
import sys
from collections.abc import Mapping
from typing import Any

import jax

from texjax.features import native_library

PACKAGES = ("texjax", "jax", "jaxlib", "flax", "jaxopt", "optax", "numpy")


def backend(features: Mapping[str, Any]) -> native_library.Choice:
    """Return what computes a network, and why the other backend does not. features: that group of the config."""
    if "backend" not in features:
        return native_library.Choice("xla", "the extractor has no key features.backend.")
    return native_library.choose(features["backend"], features.get("precision", "float32"))


def environment(features: Mapping[str, Any]) -> dict[str, Any]:
    """Return versions of software, names of devices and what computes the network, for run.json.

    features: that group of the config.
    """
    choice = backend(features)
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "platform": platform.platform(),
        "backend": choice.name,
        "backend_reason": choice.reason,
        "devices": [f"{device.platform}:{device.id} {device.device_kind}" for device in jax.devices()],
    }


def peak_memory() -> int:
    """Return the largest number of bytes in use so far, on the accelerator if there is one, else in this process."""
    stats = jax.local_devices()[0].memory_stats() or {}
    if "peak_bytes_in_use" in stats:
        return int(stats["peak_bytes_in_use"])
    import resource  # does not exist on every platform

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
