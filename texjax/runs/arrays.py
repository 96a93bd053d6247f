"""Pictures as Python users give them: paths, and arrays with as many channels as they have."""

import os
from pathlib import Path
from typing import TypeAlias

import jax
import numpy as np

from texjax import config as configs
from texjax import errors
from texjax.images import alpha as transparency
from texjax.runs import inputs

Picture: TypeAlias = str | os.PathLike[str] | np.ndarray | jax.Array


def layer(config: configs.Config, group: str, picture: Picture) -> transparency.Layer:
    """Return an image [h, w, 3], float32 in [0, 1], and the alpha [h, w, 1] that a result of it is to have, or None.

    Args:
        config: Its group `source` says what alpha means, and limits files.
        group: Of pictures, for errors.
        picture: A path, or an array [h, w] or [h, w, 1] of gray, [h, w, 2] of gray and alpha, [h, w, 3] of color or
            [h, w, 4] of color and alpha; floats in [0, 1] or uint8, sRGB.

    Raises:
        TexjaxError: For another shape, type or range, and as `images.load` does.
    """
    if isinstance(picture, str | os.PathLike):
        return inputs.load_file(config, Path(picture))
    array, background = _array(group, picture), tuple(config.source.background)
    channels = array.shape[2] - (array.shape[2] in (2, 4))
    alpha = array[:, :, channels:] if channels < array.shape[2] else None
    color, alpha = transparency.flattened(
        array[:, :, :channels], alpha, background, config.source.alpha, f"a picture of the {group}"
    )
    return transparency.Layer(np.ascontiguousarray(np.broadcast_to(color, (*array.shape[:2], 3))), alpha)


def _array(group: str, picture: np.ndarray | jax.Array) -> np.ndarray:
    """Return an array [h, w, 1 to 4], float32 in [0, 1]."""
    array = np.asarray(picture)
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise errors.TexjaxError(
            f"a picture of the {group} is an array of shape {list(np.shape(picture))}; give [h, w, 3] or [h, w], or "
            f"[h, w, 4] with alpha, and several pictures as a list."
        )
    if array.dtype == np.uint8:
        return (array / np.float32(255)).astype(np.float32)
    if array.dtype.kind != "f":
        raise errors.TexjaxError(
            f"a picture of the {group} is an array of {array.dtype}; give floats in [0, 1], or uint8."
        )
    if not (array.min() >= 0 and array.max() <= 1):
        raise errors.TexjaxError(
            f"a picture of the {group} has values from {array.min():g} to {array.max():g}; give floats in [0, 1], or "
            f"uint8."
        )
    return array.astype(np.float32)
