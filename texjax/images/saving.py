"""Images in memory -> image files: gray or color, with alpha or without."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import png
from PIL import Image

from texjax import atomic, errors
from texjax.images import png_files

FORMATS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}  # channels -> Pillow's name
WITH_ALPHA = (2, 4)


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
        image: Floats, sRGB in [0, 1]; they are clipped and rounded to the nearest level. The shape is [h, w, 1] for
            gray, [h, w, 2] for gray and alpha, [h, w, 3] for color, and [h, w, 4] for color and alpha; JPEG has no
            alpha.
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
    if file_format == "JPEG" and levels.shape[2] in WITH_ALPHA:
        raise errors.TexjaxError(
            f"{path}: JPEG holds no alpha, and the image is {list(levels.shape)}; give [h, w, 1] or [h, w, 3], or use "
            f".png or .tif."
        )
    try:
        data = _encode(levels, file_format, text, quality)
    except (ValueError, OSError) as error:
        raise errors.TexjaxError(f"{path}: cannot be written as {file_format} ({error}); try .png.") from error
    atomic.write(path, data)


def _quantize(path: Path, image: np.ndarray, bits: int) -> np.ndarray:
    """Check an image and return its levels, uint8 or big-endian uint16."""
    if image.ndim != 3 or image.shape[2] not in MODES or 0 in image.shape or image.dtype.kind in "biuc":
        raise errors.TexjaxError(
            f"{path}: cannot write {image.dtype} {list(image.shape)} as an image; give floats [h, w, 3] in [0, 1], or "
            f"1, 2 or 4 channels for gray, gray and alpha, or color and alpha."
        )
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise errors.TexjaxError(f"{path}: the image holds NaN or infinity and is not written; find out what diverged.")
    return np.rint(values.clip(0, 1) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.dtype(">u2"))


def _encode(levels: np.ndarray, file_format: str, text: dict[str, str], quality: int) -> bytes:
    """Return the bytes of a file for levels [h, w, c], uint8 or big-endian uint16."""
    buffer = io.BytesIO()
    comment = json.dumps(text) if text else None  # JSON escapes to ASCII, which TIFF requires
    if levels.itemsize == 2:
        height, width, channels = levels.shape
        gray, with_alpha = channels < 3, channels in WITH_ALPHA
        writer = png.Writer(width, height, greyscale=gray, alpha=with_alpha, bitdepth=16)  # pyright: ignore[reportArgumentType]
        writer.write_packed(buffer, (row.tobytes() for row in levels))
    elif file_format == "PNG":
        _picture(levels).save(buffer, file_format)
    elif file_format == "JPEG":
        _picture(levels).save(buffer, file_format, quality=quality, subsampling="4:4:4", comment=comment)
    else:
        description = {"description": comment} if comment else {}
        _picture(levels).save(buffer, file_format, compression="tiff_adobe_deflate", **description)
    return png_files.with_text(buffer.getvalue(), text) if file_format == "PNG" and text else buffer.getvalue()


def _picture(levels: np.ndarray) -> Image.Image:
    """Return levels [h, w, c] of 8 bits as a Pillow image."""
    height, width, channels = levels.shape
    return Image.frombytes(MODES[channels], (width, height), levels.tobytes())
