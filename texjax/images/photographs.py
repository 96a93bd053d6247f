"""Crops of a folder of photographs, for training: those of a step follow from the seed and the step alone.

So a training that goes on where it was interrupted sees the same crops as one without a break.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float32

from texjax import errors
from texjax.images import colors, files

ROOM = 2  # a photograph is reduced until a crop takes this share of it along the side where it takes most

Crops = Float32[np.ndarray, "n h w c"]


def crops(
    paths: Sequence[Path],
    size: tuple[int, int],
    count: int,
    seed: int,
    *,
    channels: int = 3,
    max_pixels: int = files.MAX_PIXELS,
) -> Callable[[int], Crops]:
    """Return the function of a step, from 0, that reads its crops, [count, h, w, channels], sRGB in [0, 1].

    Every photograph is used once, in an order drawn from the seed, before any is used again, in another order. It is
    reduced to twice the size of the crops along the side that has least room, so that crops show whole things, and one
    that is smaller than the crops is enlarged to their size.

    Args:
        paths: of the photographs.
        size: width and height of the crops, in pixels.
        count: crops of a step.
        seed: of the order and the places.
        channels: 3, or 1 for gray.
        max_pixels: larger photographs are refused.

    Raises:
        TexjaxError: where grain is not installed. The returned function raises as `images.load` does, for a photograph
            that cannot be read.
    """
    try:
        import grain
    except ImportError:
        raise errors.TexjaxError("photographs are read by grain; pip install 'texjax[train]'.") from None

    def crop(path: Path, rng: np.random.Generator) -> Float32[np.ndarray, "h w c"]:
        return _in_channels(_crop(read(path, size, max_pixels), size, rng), channels)

    order = grain.MapDataset.source(list(paths)).seed(seed).shuffle().repeat()
    dataset: Any = order.random_map(crop).batch(count)
    return lambda step: dataset[step]


def read(path: Path, size: tuple[int, int], max_pixels: int = files.MAX_PIXELS) -> Float32[np.ndarray, "h w 3"]:
    """Read a photograph so that each side is at least that of `size`, (width, height), and one of them at most twice.

    Raises TexjaxError as `images.load` does.
    """
    height, width = files.shape(path, max_pixels)
    least = max(size[0] / width, size[1] / height)
    scale = min(max(1.0, least), ROOM * least)
    return files.load(path, max_pixels=max_pixels, scale=None if scale == 1 else scale)


def _crop(
    photo: Float32[np.ndarray, "_ _ c"], size: tuple[int, int], rng: np.random.Generator
) -> Float32[np.ndarray, "_ _ c"]:
    """A part of a photograph, each place of it as likely."""
    width, height = size
    top, left = rng.integers(0, [photo.shape[0] - height, photo.shape[1] - width], endpoint=True)
    return photo[top : top + height, left : left + width]


def _in_channels(photo: Float32[np.ndarray, "h w 3"], channels: int) -> Float32[np.ndarray, "h w c"]:
    return photo if channels == 3 else np.asarray(colors.luminance(jnp.asarray(photo)))[..., None]
