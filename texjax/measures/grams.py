"""Measure the distance of Gram matrices, at the layers that were optimized and at others."""

import functools
from collections.abc import Callable, Iterable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from texjax import losses, pyramid, types
from texjax.measures import arrays

Matrices = list[Float[Array, "_ _"]]  # one for each layer of octave 0, then for each layer of octave 1, and so on


def gram_errors(
    extractor: types.Extractor,
    result: arrays.Image,
    sources: Sequence[arrays.Image],
    *,
    layers: Sequence[str],
    octaves: int,
    padding: str = "valid",
) -> dict[str, float]:
    """Return the relative error of the Gram matrices of each layer (Gatys et al. 2015, arXiv 1505.07376).

    The error of a layer and octave is ||G - T|| / ||T|| in Frobenius norms. G = F^T F / pixels is the Gram matrix of
    the result, and T is the mean of those of the sources, in which every source has the same weight.

    0 is best, and 1 is the error of black features. Layers that were not optimized show what the optimization leaves
    free. The error of a real crop of the source shows how low an error is possible without copying.

    Args:
        extractor: The network of the features.
        result: The image that is measured.
        sources: The images that it is compared with.
        layers: Names of layers of the network.
        octaves: Number of octaves of the Gaussian pyramid.
        padding: Padding of the pyramid.

    Returns:
        Layer -> mean of its errors over the octaves.
    """
    grams = _grams(extractor, tuple(layers), octaves, padding)

    def grams_of(image: arrays.Image) -> Matrices:
        # Waiting for the result keeps the features of only one image in memory.
        return jax.block_until_ready(grams(extractor.weights, jnp.asarray(image)))

    targets = losses.gram().join([grams_of(source) for source in sources])
    errors = [_relative_error(gram, target) for gram, target in zip(grams_of(result), targets, strict=True)]
    return dict(zip(layers, np.reshape(errors, (octaves, len(layers))).mean(0).tolist(), strict=True))


@functools.lru_cache(maxsize=8)
def _grams(
    extractor: types.Extractor, layers: tuple[str, ...], octaves: int, padding: str
) -> Callable[[types.Weights, types.Image], Matrices]:
    """The compiled function of an image that returns its Gram matrices; it is kept for the next call."""
    loss = losses.gram()

    @jax.jit
    def grams(weights: types.Weights, image: types.Image) -> Matrices:
        features = [
            extractor.apply(weights, octave, layers) for octave in pyramid.gaussian(image, octaves, padding=padding)
        ]
        return loss.summarize(
            [types.View(i, layer, 1.0, features[i][layer][None]) for i in range(octaves) for layer in layers]
        )

    return grams


def _relative_error(gram: Float[Array, "c c"], target: Float[Array, "c c"]) -> float:
    return float(jnp.linalg.norm(gram - target) / jnp.linalg.norm(target))


def fitting_octaves(
    extractor: types.Extractor, sides: Iterable[int], *, layers: Sequence[str], octaves: int, padding: str = "valid"
) -> int:
    """Return the largest number of octaves, at most `octaves`, at which every layer still has an output.

    Args:
        extractor: The network of the features.
        sides: Sides of all images, in pixels.
        layers: Names of layers of the network.
        octaves: The largest number of octaves to return.
        padding: Padding of the pyramid.

    Returns:
        The number of octaves, 0 if not even the full size fits.

    Raises:
        TexjaxError: If a layer or the padding is unknown.
    """
    pyramid.check(padding)
    grids = [extractor.grid(layer) for layer in layers]
    octave_sides = pyramid.sizes(min(sides), octaves, padding)
    fits = [all(grid.size(side) > 0 for grid in grids) for side in octave_sides]
    return fits.index(False) if False in fits else octaves
