"""Image files -> images in memory.

The convention: an image is float32 `[h, w, 3]`, sRGB in [0, 1]. To make any file from a camera or paint program follow
it, `load` applies the EXIF orientation, converts the embedded color profile to sRGB, composites transparency on a
background (in sRGB, as browsers do; `alpha` says what is transparency) and keeps the bits of pictures with more than 8
per channel, which Pillow alone would silently cut.
"""

import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image

from texjax import errors
from texjax.images import alpha as transparency
from texjax.images import bounds, decoding, png_files

MAX_PIXELS = 1024**3 // 12  # Pillow's own limit: a quarter of a GiB of 8-bit RGB, 89 million pixels
EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".tga", ".pbm", ".pgm", ".ppm",
    ".pnm", ".pam", ".pfm", ".jp2", ".j2k", ".jpf", ".jpx", ".avif",
)  # fmt: skip


def load(
    path: str | os.PathLike[str],
    background: Sequence[float] = (1.0, 1.0, 1.0),
    max_pixels: int = MAX_PIXELS,
    scale: float | None = None,
    width: int | None = None,
    alpha: str = "auto",
) -> Float32[np.ndarray, "h w 3"]:
    """Read an image file of any mode and bit depth; of a TIFF with several pages, the largest.

    A `TexjaxWarning` tells of an unusable color profile, of damage that concerns no pixel, of a file with more bits per
    channel than can be read, and of an alpha that is ignored because it does not look like transparency.

    Args:
        path: The file.
        background: sRGB color in [0, 1] that shows through transparent pixels.
        max_pixels: Larger pictures are refused, as a small file can unpack to more than the memory holds.
        scale: Factor on both sides, see `resize`.
        width: New width in pixels; it takes precedence over `scale`.
        alpha: "auto" composites the picture over the background where its alpha looks like transparency and not like
            data such as gloss or height, "over" (and "keep") in any case; "ignore" takes the colors as they are.

    Returns:
        The image, sRGB in [0, 1].

    Raises:
        TexjaxError: If the file is missing, empty, damaged, too large or no picture, or `alpha` is another word.
        EnvironmentFault: If the file cannot be read.
    """
    settings: Any = dict(background=background, max_pixels=max_pixels, alpha=alpha)
    if scale is None and width is None:
        return load_with_alpha(path, **settings).color
    size = resized(shape(path, max_pixels), scale=scale, width=width, max_pixels=max_pixels)
    return resize(load_with_alpha(path, **settings, wanted=size).color, size=size, max_pixels=max_pixels)


def load_with_alpha(
    path: str | os.PathLike[str],
    *,
    background: Sequence[float] = (1.0, 1.0, 1.0),
    max_pixels: int = MAX_PIXELS,
    alpha: str = "auto",
    wanted: tuple[int, int] | None = None,
) -> transparency.Layer:
    """Read an image file as `load` does, and also return the alpha that a result made of this content is to have.

    Args:
        path: As for `load`.
        background: As for `load`, sRGB in [0, 1].
        max_pixels: As for `load`.
        alpha: As for `load`; "over" and "ignore" return no alpha.
        wanted: Width and height in pixels that the image will be resized to. A much larger JPEG or TIFF is then decoded
            at a smaller size where the format can, but at three times the wanted size or more.

    Returns:
        `color`, the image [h, w, 3] that `load` returns, and `alpha`, [h, w, 1] in [0, 1], or None.

    Raises:
        TexjaxError: As `load`.
        EnvironmentFault: As `load`.
    """
    data = decoding.read_bytes(Path(path))
    with decoding.readable_errors(path):
        decoded = decoding.decode(data, path, max_pixels, wanted)
    upright = decoding.TO_UPRIGHT.get(decoded.orientation, np.asarray)
    layer = transparency.flattened(decoded.color, decoded.alpha, background, alpha, path)
    color = upright(np.broadcast_to(layer.color, (*layer.color.shape[:2], 3)))
    return transparency.Layer(
        np.ascontiguousarray(color.clip(0, 1), np.float32),
        None if layer.alpha is None else np.ascontiguousarray(upright(layer.alpha)),
    )


def shape(path: str | os.PathLike[str], max_pixels: int = MAX_PIXELS) -> tuple[int, int]:
    """Return height and width, in pixels, of the image that `load` returns, mostly without decoding it.

    Raises:
        TexjaxError: If the file is missing, empty, damaged, too large or no picture.
        EnvironmentFault: If the file cannot be read.
    """
    data = decoding.read_bytes(Path(path))
    with decoding.readable_errors(path):
        return decoding.shape(data, path, max_pixels)


def resize(
    image: Float[np.ndarray, "_ _ 3"],
    *,
    scale: float | None = None,
    width: int | None = None,
    size: tuple[int, int] | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Float32[np.ndarray, "_ _ 3"]:
    """Resize an image by Lanczos, and clip it to [0, 1] afterwards.

    Args:
        image: The image, [h, w, 3]. Resampling works on its floats, so nothing is rounded in between.
        scale: Factor on both sides.
        width: New width in pixels, with the proportions kept; it takes precedence over `scale`.
        size: New width and height in pixels; it takes precedence over both.
        max_pixels: Larger results are refused.

    Raises:
        TexjaxError: If `scale` or `width` is not a positive finite number, or the result is too large.
    """
    if size is None and (scale is not None or width is not None):
        size = resized(image.shape[:2], scale=scale, width=width, max_pixels=max_pixels)
    if size is not None:
        channels = [Image.fromarray(np.ascontiguousarray(image[:, :, k])) for k in range(3)]
        image = np.stack([np.asarray(channel.resize(size, Image.Resampling.LANCZOS)) for channel in channels], -1)
    return np.ascontiguousarray(image.clip(0, 1), np.float32)


def resized(
    shape: tuple[int, ...], *, scale: float | None = None, width: int | None = None, max_pixels: int = MAX_PIXELS
) -> tuple[int, int]:
    """Return the width and height that `resize` gives an image of a shape (height, width).

    Args:
        shape: Height and width in pixels.
        scale: As for `resize`.
        width: As for `resize`; without both the size stays.
        max_pixels: As for `resize`.

    Raises:
        TexjaxError: As `resize`.
    """
    old_height, old_width = shape
    if width is None and scale is None:
        return old_width, old_height
    factor = width / old_width if width is not None else scale
    if factor is None or not (0 < factor < math.inf):
        raise errors.TexjaxError(f"cannot resize by scale={scale}, width={width}; give a number above 0.")
    size = max(1, round(old_width * factor)), max(1, round(old_height * factor))
    bounds.check_size(f"scale={scale}, width={width}", *size, max_pixels)
    return size


def sources(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], extensions: Sequence[str] = EXTENSIONS
) -> list[Path]:
    """Return the image files that `paths` names.

    A folder stands for the files with these extensions directly in it, sorted by name; hidden files are left out.

    Raises:
        TexjaxError: If a path does not exist, or a folder has no such file.
        EnvironmentFault: If a folder cannot be listed.
    """
    files = []
    for path in map(Path, [paths] if isinstance(paths, str | os.PathLike) else paths):
        if not path.exists():
            raise errors.TexjaxError(f"{path}: no such file or folder; check the path of this source.")
        files += _pictures_in(path, extensions) if path.is_dir() else [path]
    return files


def _pictures_in(folder: Path, extensions: Sequence[str]) -> list[Path]:
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix.lower() in extensions and path.name[0] != ".")
    except OSError as error:
        raise errors.EnvironmentFault(
            f"{folder}: cannot be listed ({error.strerror}); check the permissions of the folder."
        ) from error
    if not files:
        raise errors.TexjaxError(f"{folder}: this folder holds no pictures; put some there ({' '.join(extensions)}).")
    return files


def read_text(path: str | os.PathLike[str]) -> dict[str, str]:
    """Return what `save` stored as `text`; a comment by another program is returned as {"comment": ...}.

    Raises:
        TexjaxError: If the file is missing, empty, damaged or no picture.
        EnvironmentFault: If the file cannot be read.
    """
    data = decoding.read_bytes(Path(path))
    with decoding.readable_errors(path):
        if data.startswith(png_files.SIGNATURE):
            return png_files.text(data)
        comment = decoding.comment(data, path)
    try:
        text = json.loads(comment)
    except ValueError:
        text = None
    if isinstance(text, dict):
        return text
    return {"comment": comment} if comment else {}
