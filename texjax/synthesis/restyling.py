"""A photograph of any size through a generator that restyles photographs."""

import functools
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from texjax import types
from texjax.optimizers import ranges
from texjax.synthesis import steps


def restyle(
    generator: types.Generator,
    handling: ranges.Range,
    weights: types.Weights,
    code: Float[Array | np.ndarray, " k"],
    photo: Float[np.ndarray, "h w c"],
) -> Float[np.ndarray, "h w c"]:
    """Return a photograph in the style of a trained generator (Johnson et al. 2016, arXiv 1603.08155).

    The photograph is continued by its reflection to sides that the generator can make, and the result is cut to its
    size. Each size is compiled once.

    Args:
        generator: one that restyles photographs.
        handling: what turns the generator's variables into images.
        weights: of the generator.
        code: how much of each style the result is to have, adding up to 1.
        photo: [h, w, c], sRGB in [0, 1].
    """
    height, width = photo.shape[:2]
    down, right = (-side % generator.multiple for side in (height, width))
    padded = np.pad(photo, ((0, down), (0, right), (0, 0)), "reflect")
    image = _program(generator, handling)(weights, padded[None], code[None])
    return np.asarray(image)[:height, :width]


@functools.lru_cache(maxsize=8)
def _program(generator: types.Generator, handling: ranges.Range) -> Any:
    def restyled(weights: types.Weights, photos: Any, codes: Any) -> jax.Array:
        return handling.to_images(generator.apply(weights, photos, codes))[0].clip(0, 1)

    return steps.compiled(restyled)
