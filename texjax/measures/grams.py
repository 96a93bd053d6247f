"""The distance of Gram matrices, at the layers that were optimized and at those that were not."""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from texjax import losses, pyramid, types
from texjax.measures import arrays


def gram_errors(
    extractor: types.Extractor,
    result: arrays.Picture,
    sources: Sequence[arrays.Picture],
    layers: Sequence[str],
    octaves: int,
    padding: str = "valid",
) -> dict[str, float]:
    """Relative errors of the Gram matrices (Gatys et al. 2015, arXiv 1505.07376), layer -> mean over octaves.

    Per layer and octave ||G - T|| / ||T||, Frobenius norms of G = F^T F / pixels of the result and its mean T over the
    sources, each of which counts the same. The octaves are those of the Gaussian pyramid with `padding`.

    0 is best, 1 is as far as black features. Layers that were not optimized show what their optimum does not fix; a
    real crop of the source shows how low an error can be without copying.
    """
    loss = losses.gram(normalization="pixels")

    @jax.jit
    def moments(weights: types.Weights, image: types.Image) -> list[dict[str, Any]]:
        levels = pyramid.gaussian(image, octaves, padding)
        features = [extractor.apply(weights, level, tuple(layers)) for level in levels]
        return [{layer: loss.summarize(found[layer], None) for layer in layers} for found in features]

    def of(image: arrays.Picture) -> list[dict[str, Any]]:
        # Waited for, so that the features of one image at a time are in memory.
        return jax.block_until_ready(moments(extractor.weights, jnp.asarray(image)))

    targets = jax.tree.map(lambda *grams: loss.join(list(grams)), *map(of, sources))
    errors = jax.tree.map(_relative, of(result), targets)
    return {layer: float(np.mean([octave[layer] for octave in errors])) for layer in layers}


def _relative(got: Any, target: Any) -> float:
    return float(jnp.linalg.norm(got - target) / jnp.linalg.norm(target))


def fitting_octaves(
    extractor: types.Extractor, sides: Iterable[int], layers: Sequence[str], octaves: int, padding: str = "valid"
) -> int:
    """The largest number of octaves, at most `octaves`, that leaves every layer an output; 0 where there is none.

    sides: of the images, in pixels. Raises TexjaxError for an unknown layer or padding.
    """
    pyramid.check(padding)
    grids, smallest = [extractor.grid(layer) for layer in layers], min(sides)
    fits = [all(grid.size(n) > 0 for grid in grids) for n in pyramid.sizes(smallest, octaves, padding)]
    return fits.index(False) if False in fits else octaves
