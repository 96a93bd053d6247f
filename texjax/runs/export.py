"""A trained generator as a program of its own, which needs no texjax: StableHLO, by `jax.export`."""

from pathlib import Path

import jax
import jax.numpy as jnp
from jax import export
from jaxtyping import Array, Float, UInt32

from texjax import atomic, errors, types
from texjax.runs import networks
from texjax.synthesis import generating

PLATFORMS = ("cpu", "cuda", "tpu")


def program(network: networks.Network, size: tuple[int, int]) -> bytes:
    """Return a serialized program that makes pictures of a size, with the network's parameters in it.

    `jax.export.deserialize(data).call(seed, code)` runs it: seed is uint32, [], and code float32, [number of sources],
    how much of each source, adding up to 1. It returns the picture [height, width, channels] in [0, 1] that
    `texjax generate` makes as the first of that seed.

    Args:
        network: a generator of textures.
        size: width and height in pixels.

    Raises:
        TexjaxError: For a network that restyles photographs, and sides that the generator does not make.
    """
    generator = network.generator
    if generator.draw is None:
        raise errors.TexjaxError("this network restyles photographs, and only generators of textures are exported.")
    if any(side < 1 or side % generator.multiple for side in size):
        raise errors.TexjaxError(
            f"the size is {size[0]} x {size[1]} px; give multiples of {generator.multiple}, which this network makes."
        )
    whole = size[1], size[0]
    weights = jax.tree.map(jnp.asarray, network.weights)

    def picture(seed: UInt32[Array, ""], code: Float[Array, " k"]) -> types.Image:
        key = jax.random.fold_in(jax.random.key(seed), 0)
        part = types.Window(0, 0, *whole, whole)
        return generating.window(generator, network.handling, weights, code, key, part)

    arguments = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((len(network.sources),), jnp.float32)
    return bytes(export.export(jax.jit(picture), platforms=PLATFORMS)(*arguments).serialize())


def write(network: networks.Network, size: tuple[int, int], path: Path) -> None:
    """Write the program of `program` to a file. Raises as `program`, and EnvironmentFault if that cannot be written."""
    atomic.write(path, program(network, size))
