"""Several devices: the outputs of a run, or the rows of a single one, are spread over them.

Outputs do not know each other, so each device computes its share of them without a word to the others (`shard_map`).
The rows of a single output are spread by the sharding of the arrays alone: XLA then exchanges the few rows that
convolutions need from a neighbor, and adds the devices' shares of sums. It needs no more words where all octaves and
layers have a number of rows that the number of devices divides, as with powers of two.

The devices may belong to several hosts, on each of which the same program runs. Each holds the pictures and targets as
a whole, and gets the results of all.
"""

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from texjax import config as configs
from texjax import errors

MODES = ("one", "all")
AXIS = "devices"


class Layout(NamedTuple):
    """How a run is spread. by_rows: whether the rows of one output are spread, or else the outputs."""

    mesh: Mesh
    by_rows: bool


def layout(config: configs.Config) -> Layout | None:
    """Return how a run is spread over the devices that it asks for, or None for one device.

    As many devices take part as divide the number of outputs or, of a single output, its height.

    Raises TexjaxError for an unknown `config.devices`, and where tiles or oneDNN are asked for with rows.
    """
    if config.devices not in MODES:
        raise errors.unknown("value of devices", config.devices, MODES)
    if config.devices == "one":
        return None
    available = jax.devices()
    by_rows = config.count == 1
    parts = config.size[1] if by_rows else config.count
    count = max(n for n in range(1, len(available) + 1) if parts % n == 0)
    if count == 1:
        return None
    if by_rows and config.tile:
        raise errors.TexjaxError(
            f"tile is {config.tile}, and the rows of one picture are spread over {count} devices; give "
            f"--config.tile=0, or --config.devices=one."
        )
    if by_rows and config.features.get("backend") == "onednn":
        raise errors.TexjaxError(
            "features.backend is 'onednn', which computes whole pictures, and the rows of one picture are spread over "
            f"{count} devices; give --config.features.backend=xla, or --config.devices=one."
        )
    return Layout(jax.make_mesh((count,), (AXIS,), (AxisType.Auto,), devices=available[:count]), by_rows)


def join(config: configs.Config) -> None:
    """Connect to the other hosts of a run over all devices, if the environment says that there are any.

    On Slurm, Kubernetes, Open MPI and Cloud TPU JAX finds them. Elsewhere the environment variables
    JAX_COORDINATOR_ADDRESS (host:port), JAX_NUM_PROCESSES and JAX_PROCESS_ID name them. This has to come before
    anything is computed.

    Raises TexjaxError where one of these variables is missing.
    """
    if config.devices != "all" or jax.distributed.is_initialized():
        return
    if "JAX_COORDINATOR_ADDRESS" in os.environ:
        try:
            numbers = [int(os.environ[name]) for name in ("JAX_NUM_PROCESSES", "JAX_PROCESS_ID")]
        except (KeyError, ValueError):
            raise errors.TexjaxError(
                "JAX_COORDINATOR_ADDRESS is set, so that devices 'all' are those of several hosts; set "
                "JAX_NUM_PROCESSES and JAX_PROCESS_ID to numbers too, or unset it."
            ) from None
        jax.distributed.initialize(num_processes=numbers[0], process_id=numbers[1])
    elif int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        jax.distributed.initialize()


def sharding(layout: Layout, shape: tuple[int, ...], height: int) -> NamedSharding:
    """Return how an array of a state lies: spread along its first axis or, by rows, where it has images [..., h, w, c].

    height: of the images.
    """
    spec: list[str | None] = [None] * len(shape)
    if not layout.by_rows:
        spec[0] = AXIS
    elif len(shape) >= 4 and shape[-3] == height:
        spec[-3] = AXIS
    return NamedSharding(layout.mesh, PartitionSpec(*spec))


def everywhere(layout: Layout | None, tree: Any) -> Any:
    """Return the tree with every array as a whole on all devices; all hosts have to hold the same values."""
    if layout is None:
        return tree
    whole = NamedSharding(layout.mesh, PartitionSpec())

    def put(array: jax.Array) -> jax.Array:
        if jnp.issubdtype(array.dtype, jax.dtypes.prng_key):
            return jax.random.wrap_key_data(put(jax.random.key_data(array)))
        # Only arrays of the host can be put on the devices of other hosts.
        return jax.device_put(np.asarray(array) if jax.process_count() > 1 else array, whole)

    return jax.tree.map(put, tree)


def zeros(layout: Layout | None, shapes: Any, height: int) -> Any:
    """Return arrays of zeros of these shapes and types, which lie as `sharding` says."""

    def array(leaf: Any) -> jax.Array:
        place = sharding(layout, leaf.shape, height) if layout else None
        return jnp.zeros(leaf.shape, leaf.dtype, device=place)

    return jax.tree.map(array, shapes)


def gathered(array: jax.Array) -> np.ndarray:
    """Return an array with its parts from all hosts."""
    if array.is_fully_addressable:
        return np.asarray(array)
    return np.asarray(multihost_utils.process_allgather(array, tiled=True))


def by_rows(layout: Layout, tree: Any, height: int) -> Any:
    """Constrain the arrays of a tree, inside a compiled function, to lie as `sharding` says."""
    return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, sharding(layout, x.shape, height)), tree)


def spread(layout: Layout | None, tree: Any) -> Any:
    """Constrain the arrays of a tree, inside a compiled function, to be spread along their first axis."""
    if layout is None:
        return tree
    along = NamedSharding(layout.mesh, PartitionSpec(AXIS))
    return jax.tree.map(lambda x: jax.lax.with_sharding_constraint(x, along), tree)


def by_outputs(layout: Layout, function: Callable[..., Any], spread: int) -> Callable[..., Any]:
    """Return a function whose first `spread` arguments and all results are spread along their first axis."""
    along, everywhere = PartitionSpec(AXIS), PartitionSpec()

    def called(*arguments: Any) -> Any:
        specs = tuple(along if i < spread else everywhere for i in range(len(arguments)))
        mapped = jax.shard_map(function, mesh=layout.mesh, in_specs=specs, out_specs=along, check_vma=False)
        return mapped(*arguments)

    return called
