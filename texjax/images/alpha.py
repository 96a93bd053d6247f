"""What the alpha channel of a picture means, and pictures without and with it.

Alpha is transparency in most files. Textures of games keep other data there, such as gloss or height, and a picture
that is composited by such data loses its colors: nearly white is what remains of a picture whose gloss is low.
"""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import ndimage

from texjax import errors

# "auto" composites where alpha looks like transparency, and otherwise ignores it with a warning; "over" composites,
# "ignore" takes the colors as they are, and "keep" is "over" whose results always have the alpha of the content.
MODES = ("auto", "over", "ignore", "keep")

_NEAR = 0.02  # alpha that differs from 0 or 1 by less is nearly clear or nearly opaque
_LEAST_OPAQUE = 0.01  # share of pixels that are more than half opaque
_SAMPLES = 32  # along each side, to tell a fade from a height map
# Mean rise and fall of alpha along a line of a fade. A cone has 0.9 and a ramp 0.5, as its columns have 0; a height map
# of noise has this where its bumps are nearly as large as the picture, and 2 where they are 1/20 of it.
_MOST_SWING = 1.5

Alpha = Float[np.ndarray, "h w 1"]


class Layer(NamedTuple):
    """A picture without transparency.

    color: [h, w, 1 or 3], sRGB in [0, 1]. alpha: [h, w, 1] in [0, 1], which a result made of this content is to have;
    None for an opaque result.
    """

    color: np.ndarray
    alpha: np.ndarray | None


def flattened(
    color: Float[np.ndarray, "h w _"], alpha: Alpha | None, background: Sequence[float], mode: str, name: object
) -> Layer:
    """Return the picture without its alpha, and the alpha that its result is to have.

    A `TexjaxWarning` tells where `mode` "auto" ignores an alpha that does not look like transparency.

    Args:
        color: [h, w, 1 or 3], sRGB in [0, 1].
        alpha: [h, w, 1] in [0, 1]; None for an opaque picture.
        background: sRGB color in [0, 1], over which the picture is composited.
        mode: One of `MODES`.
        name: The file, for the warning.

    Raises:
        TexjaxError: For an unknown mode.
    """
    if mode not in MODES:
        raise errors.unknown("value of source.alpha", mode, MODES)
    if alpha is None or mode == "ignore" or alpha.min() >= 1:
        return Layer(color, None)
    if mode == "auto" and not is_transparency(color, alpha):
        warnings.warn(
            f"{name}: its alpha is low or in between in most places, so it is taken for data such as gloss and not "
            f"for transparency, and is ignored; --config.source.alpha=over composites the picture by it.",
            errors.TexjaxWarning,
            stacklevel=2,
        )
        return Layer(color, None)
    composite = alpha * color + (1 - alpha) * np.asarray(background, np.float32)
    return Layer(composite, None if mode == "over" else alpha)


def is_transparency(color: Float[np.ndarray, "h w _"], alpha: Alpha) -> bool:
    """Return whether alpha looks like transparency, and not like data such as gloss or height.

    It does if at least 1 % of the pixels are more than half opaque and either at least half of the pixels are nearly
    clear or nearly opaque (a cut-out, with soft edges and shadows), or alpha falls smoothly to 0 over the picture
    (a fade, which changes by little more than 1 along a line, where a height map goes up and down). It also does if
    the whole picture has one color, so that nothing but an uneven alpha shows anything (a drawing or a watermark).
    Data that is 0 or 1 nearly everywhere, such as the height of flat bricks, cannot be told from a cut-out.

    Args:
        color: [h, w, 1 or 3], sRGB in [0, 1].
        alpha: [h, w, 1] in [0, 1].
    """
    if (color == color[:1, :1]).all():
        return bool(alpha.min() < alpha.max())
    if (alpha > 0.5).mean() < _LEAST_OPAQUE:
        return False
    return bool(((alpha <= _NEAR) | (alpha >= 1 - _NEAR)).mean() >= 0.5) or _is_fade(alpha[..., 0])


def _is_fade(alpha: Float[np.ndarray, "h w"]) -> bool:
    """Return whether alpha reaches 0 smoothly; samples far apart keep noise and dithering from adding up."""
    if alpha.min() > _NEAR:
        return False
    rows, columns = (max(1, side // _SAMPLES) for side in alpha.shape)
    samples = alpha[::rows, ::columns]
    return bool(np.mean([np.abs(np.diff(samples, axis=axis)).sum(axis).mean() for axis in (0, 1)]) <= _MOST_SWING)


def unblended(
    images: Float[np.ndarray, "*n h w c"], alpha: Alpha, background: Sequence[float] | np.ndarray
) -> Float[np.ndarray, "*n h w _"]:
    """Return images with alpha as their last channel, which are `images` again when composited over the background.

    The color is (image - (1 - alpha) background) / alpha, clipped to [0, 1]. Where alpha is 0, it is that of the
    nearest pixel that shows, so that programs that interpolate colors without regard to alpha make no fringe.

    Args:
        images: Stack or image [..., h, w, 1 or 3], sRGB in [0, 1].
        alpha: [h, w, 1] in [0, 1].
        background: sRGB in [0, 1], with as many channels as the images.
    """
    rest = (1 - alpha) * np.asarray(background, np.float32)
    color = ((images - rest) / np.where(alpha > 0, alpha, 1)).clip(0, 1)
    clear = alpha[..., 0] <= 0
    if clear.any() and not clear.all():
        rows, columns = ndimage.distance_transform_edt(clear, return_distances=False, return_indices=True)  # pyright: ignore
        color = color[..., rows, columns, :]
    return np.concatenate([color, np.broadcast_to(alpha, (*images.shape[:-1], 1))], -1).astype(np.float32)
