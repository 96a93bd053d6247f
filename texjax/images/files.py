"""Image files <-> images in memory.

The convention: an image is float32 `[h, w, 3]`, sRGB in [0, 1]. To make any file from a camera or paint program follow
it, `load` applies the EXIF orientation, converts the embedded color profile to sRGB, composites transparency on a
background (in sRGB, as browsers do) and keeps the bits of pictures with more than 8 per channel, which Pillow alone
would silently cut.
"""

import io
import json
import math
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import png
from jaxtyping import Float, Float32
from PIL import Image

from texjax import atomic, errors
from texjax.images import bounds, decoding, png_files

MAX_PIXELS = 1024**3 // 12  # Pillow's own limit: a quarter of a GiB of 8-bit RGB, 89 million pixels
EXTENSIONS = (
    ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".webp", ".bmp", ".gif", ".tga", ".pbm", ".pgm", ".ppm",
    ".pnm", ".pam", ".pfm", ".jp2", ".j2k", ".jpf", ".jpx", ".avif",
)  # fmt: skip
FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}  # those that `save` writes


def load(
    path: str | os.PathLike[str],
    background: Sequence[float] = (1.0, 1.0, 1.0),
    max_pixels: int = MAX_PIXELS,
    scale: float | None = None,
    width: int | None = None,
) -> Float32[np.ndarray, "h w 3"]:
    """Read an image file of any mode and bit depth; of a TIFF with several pages, the largest.

    A `TexjaxWarning` tells of an unusable color profile, of damage that concerns no pixel, and of a file with more bits
    per channel than can be read.

    Args:
        path: The file.
        background: sRGB color in [0, 1] that shows through transparent pixels.
        max_pixels: Larger pictures are refused, as a small file can unpack to more than the memory holds.
        scale: Factor on both sides, see `resize`.
        width: New width in pixels; it takes precedence over `scale`.

    Returns:
        The image, sRGB in [0, 1].

    Raises:
        TexjaxError: If the file is missing, empty, damaged, too large or no picture.
        EnvironmentFault: If the file cannot be read.
    """
    data = decoding.read_bytes(Path(path))
    with decoding.readable_errors(path):
        color, alpha, orientation = decoding.decode(data, path, max_pixels)
    if alpha is not None:
        color = alpha * color + (1 - alpha) * np.asarray(background, np.float32)
    image = np.broadcast_to(color, (*color.shape[:2], 3))
    if orientation in decoding.TO_UPRIGHT:
        image = decoding.TO_UPRIGHT[orientation](image)
    return resize(image, scale=scale, width=width, max_pixels=max_pixels)


def resize(
    image: Float[np.ndarray, "_ _ 3"],
    *,
    scale: float | None = None,
    width: int | None = None,
    max_pixels: int = MAX_PIXELS,
) -> Float32[np.ndarray, "_ _ 3"]:
    """Resize an image by Lanczos, and clip it to [0, 1] afterwards.

    Args:
        image: The image, [h, w, 3]. Resampling works on its floats, so nothing is rounded in between.
        scale: Factor on both sides.
        width: New width in pixels, with the proportions kept; it takes precedence over `scale`.
        max_pixels: Larger results are refused.

    Raises:
        TexjaxError: If `scale` or `width` is not a positive finite number, or the result is too large.
    """
    if scale is not None or width is not None:
        old_height, old_width = image.shape[:2]
        factor = width / old_width if width is not None else scale
        if factor is None or not (0 < factor < math.inf):
            raise errors.TexjaxError(f"cannot resize by scale={scale}, width={width}; give a number above 0.")
        size = max(1, round(old_width * factor)), max(1, round(old_height * factor))
        bounds.check_size(f"scale={scale}, width={width}", *size, max_pixels)
        channels = (Image.fromarray(np.ascontiguousarray(image[:, :, k])) for k in range(3))
        image = np.stack([np.asarray(channel.resize(size, Image.Resampling.LANCZOS)) for channel in channels], -1)
    return np.ascontiguousarray(image.clip(0, 1), np.float32)


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


def save(
    path: str | os.PathLike[str],
    image: Any,
    bits: int = 8,
    text: dict[str, str] | None = None,
    quality: int = 95,
) -> None:
    """Write an image in the format that the suffix of `path` names: .png, .jpg or .tif.

    The same input gives the same bytes. The file appears as a whole or not at all.

    Args:
        path: The file to write.
        image: Floats [h, w, 3], sRGB in [0, 1]; they are clipped and rounded to the nearest level.
        bits: Bits per channel, 8, or 16 for PNG.
        text: Names and values that are stored in the file for `read_text`, for instance the config of the run.
        quality: Of JPEG, 1 to 95. Color is stored at full resolution.

    Raises:
        TexjaxError: If the image cannot be written in this format.
        EnvironmentFault: If the disk or its permissions fail.
    """
    path, image, text = Path(path), np.asarray(image), text or {}
    file_format = FORMATS.get(path.suffix.lower())
    if file_format is None:
        raise errors.TexjaxError(f"{path}: cannot write '{path.suffix}' files; use .png, .jpg or .tif.")
    if bits not in (8, 16) or (bits == 16 and file_format != "PNG"):
        raise errors.TexjaxError(
            f"{path}: cannot write {bits} bits as {file_format}; use bits=8, or bits=16 with .png."
        )
    levels = _quantize(path, image, bits)
    try:
        data = _encode(levels, file_format, text, quality)
    except (ValueError, OSError) as error:
        raise errors.TexjaxError(f"{path}: cannot be written as {file_format} ({error}); try .png.") from error
    atomic.write(path, data)


def _quantize(path: Path, image: np.ndarray, bits: int) -> np.ndarray:
    """Check an image and return its levels, uint8 or big-endian uint16."""
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype.kind in "biuc":
        raise errors.TexjaxError(
            f"{path}: cannot write {image.dtype} {list(image.shape)} as an image; give floats [h, w, 3] in [0, 1]."
        )
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise errors.TexjaxError(f"{path}: the image holds NaN or infinity and is not written; find out what diverged.")
    return np.rint(values.clip(0, 1) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.dtype(">u2"))


def _encode(levels: np.ndarray, file_format: str, text: dict[str, str], quality: int) -> bytes:
    """Return the bytes of a file for levels [h, w, 3], uint8 or big-endian uint16."""
    buffer = io.BytesIO()
    comment = json.dumps(text) if text else None  # JSON escapes to ASCII, which TIFF requires
    if levels.itemsize == 2:
        height, width = levels.shape[:2]
        writer = png.Writer(width, height, greyscale=False, bitdepth=16)  # pyright: ignore[reportArgumentType]
        writer.write_packed(buffer, (row.tobytes() for row in levels))
    elif file_format == "PNG":
        Image.fromarray(levels).save(buffer, file_format)
    elif file_format == "JPEG":
        Image.fromarray(levels).save(buffer, file_format, quality=quality, subsampling="4:4:4", comment=comment)
    else:
        description = {"description": comment} if comment else {}
        Image.fromarray(levels).save(buffer, file_format, compression="tiff_adobe_deflate", **description)
    return png_files.with_text(buffer.getvalue(), text) if file_format == "PNG" and text else buffer.getvalue()


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
