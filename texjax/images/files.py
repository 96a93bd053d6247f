"""Pictures in files <-> images in memory; nothing else in texjax reads or writes a picture.

The convention: an image is float32 `[h, w, 3]`, sRGB in [0, 1]. So that it holds for whatever a camera or a paint
program wrote, `load` applies the EXIF orientation, converts the embedded color profile to sRGB, composites
transparency on a background (in sRGB, as browsers do) and keeps all 16 bits of a deep PNG, which Pillow alone would cut
to 8 without a word. NumPy, SciPy, Pillow and pypng only.
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
from jaxtyping import Float32
from PIL import Image, TiffImagePlugin

from texjax import atomic, errors
from texjax.images import decoding

MAX_PIXELS = 1024**3 // 12  # Pillow's own limit: a quarter of a GiB of 8-bit RGB, 89 million pixels
EXTENSIONS = (
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".webp",
    ".bmp",
    ".gif",
    ".tga",
    ".ppm",
    ".pgm",
    ".jp2",
    ".avif",
)


def load(
    path: str | os.PathLike[str],
    background: Sequence[float] = (1.0, 1.0, 1.0),
    max_pixels: int = MAX_PIXELS,
    scale: float | None = None,
    width: int | None = None,
) -> Float32[np.ndarray, "h w 3"]:
    """Reads a picture of any mode and depth that Pillow knows as an image, float32 [h, w, 3], sRGB in [0, 1].

    background: sRGB color in [0, 1] seen through transparent pixels.
    max_pixels: larger pictures are refused, as a small file can unpack to fill the memory.
    scale: factor on both sides; width: new width in pixels, wins over `scale`. Both resample by Lanczos on floats.

    Raises TexjaxError where the file is missing, empty, damaged, too large or no picture, and EnvironmentFault where
    it cannot be read. Warns where a color profile is unusable or a file is read with fewer bits than it has.
    """
    data = decoding.read(Path(path))
    with decoding.told(path), decoding.opened(data, path, max_pixels) as picture:
        color, alpha = decoding.planes(picture, data, path)
        orientation = decoding.orientation(picture)
    if alpha is not None:
        color = alpha * color + (1 - alpha) * np.asarray(background, np.float32)
    image = np.broadcast_to(color, (*color.shape[:2], 3))
    image = decoding.UPRIGHT.get(orientation, lambda a: a)(image)
    return np.ascontiguousarray(_resize(image, scale, width, max_pixels).clip(0, 1), np.float32)


def sources(
    paths: str | os.PathLike[str] | Iterable[str | os.PathLike[str]], extensions: Sequence[str] = EXTENSIONS
) -> list[Path]:
    """Picture files named by `paths`; a folder stands for the pictures right in it, sorted by name.

    Raises TexjaxError for a path that is not there and for a folder without pictures.
    """
    found = []
    for path in map(Path, [paths] if isinstance(paths, str | os.PathLike) else paths):
        if not path.exists():
            raise errors.TexjaxError(f"{path}: no such file or folder; check the path of this source.")
        if not path.is_dir():
            found.append(path)
            continue
        try:
            inside = sorted(p for p in path.iterdir() if p.suffix.lower() in extensions and p.name[0] != ".")
        except OSError as error:
            raise errors.EnvironmentFault(f"{path}: cannot be listed ({error.strerror}); check its rights.") from error
        if not inside:
            raise errors.TexjaxError(f"{path}: this folder holds no pictures; put some there ({' '.join(extensions)}).")
        found += inside
    return found


def save(
    path: str | os.PathLike[str],
    image: Any,
    bits: int = 8,
    text: dict[str, str] | None = None,
    quality: int = 95,
) -> None:
    """Writes an image [h, w, 3], sRGB in [0, 1] (clipped, rounded to nearest), in the format that the suffix names.

    bits: 8, or 16 for PNG. text: kept in the file for `read_text`, for instance the config of the run.
    quality: of JPEG, 1 to 95; color is kept at full resolution.

    The same input gives the same bytes. A file appears whole or not at all. Raises TexjaxError for what cannot be
    written so, EnvironmentFault where the disk or its rights fail.
    """
    path, image, text = Path(path), np.asarray(image), text or {}
    kind = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}.get(path.suffix.lower())
    if kind is None:
        raise errors.TexjaxError(f"{path}: cannot write '{path.suffix}' files; use .png, .jpg or .tif.")
    if bits not in (8, 16) or (bits == 16 and kind != "PNG"):
        raise errors.TexjaxError(f"{path}: cannot write {bits} bits as {kind}; use bits=8, or bits=16 with .png.")
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype.kind in "biuc":
        got = f"{image.dtype} {list(image.shape)}"
        raise errors.TexjaxError(f"{path}: cannot write {got} as an image; give floats [h, w, 3] in [0, 1].")
    values = image.astype(np.float64)
    if not np.isfinite(values).all():
        raise errors.TexjaxError(f"{path}: the image holds NaN or infinity and is not written; look for what diverged.")
    levels = np.rint(values.clip(0, 1) * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.dtype(">u2"))
    try:
        data = _encode(levels, kind, text, quality)
    except (ValueError, OSError) as error:
        raise errors.TexjaxError(f"{path}: cannot be written as {kind} ({error}); try .png.") from error
    atomic.write(path, data)


def read_text(path: str | os.PathLike[str]) -> dict[str, str]:
    """What `save` was given as `text`; a foreign comment comes as {"comment": ...}. Raises as `load` does."""
    data = decoding.read(Path(path))
    with decoding.told(path), decoding.opened(data, path, None) as picture:
        if picture.format == "PNG":
            # From the chunks, as Pillow would have to decode the pixels before it sees those behind them.
            chunks = [body for name, body in png.Reader(bytes=data).chunks() if name == b"iTXt"]
            pairs = [chunk.split(b"\0", 1) for chunk in chunks]
            return {key.decode("latin-1"): rest[4:].decode() for key, rest in pairs if rest[:4] == bytes(4)}
        comment = picture.info.get("comment", "")
        if isinstance(picture, TiffImagePlugin.TiffImageFile):
            comment = picture.tag_v2.get(270, "")
    comment = comment.decode("utf-8", "replace") if isinstance(comment, bytes) else str(comment)
    try:
        found = json.loads(comment)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"comment": comment} if comment else {}


def _resize(image: np.ndarray, scale: float | None, width: int | None, max_pixels: int) -> np.ndarray:
    """Lanczos to `width` or by `scale`, on floats, so that nothing is rounded or clipped between."""
    if scale is None and width is None:
        return image
    h, w = image.shape[:2]
    factor = width / w if width is not None else scale
    if factor is None or not (0 < factor < math.inf):
        raise errors.TexjaxError(f"cannot resize by scale={scale}, width={width}; give a number above 0.")
    size = max(1, round(w * factor)), max(1, round(h * factor))
    if size[0] * size[1] > max_pixels:
        raise errors.TexjaxError(decoding.too_large(f"scale={scale}, width={width}", *size, max_pixels))
    channels = [Image.fromarray(np.ascontiguousarray(image[:, :, k])) for k in range(3)]
    return np.stack([np.asarray(c.resize(size, Image.Resampling.LANCZOS)) for c in channels], -1)


def _encode(levels: np.ndarray, kind: str, text: dict[str, str], quality: int) -> bytes:
    """uint8 or big-endian uint16 [h, w, 3] -> the bytes of a file."""
    buffer = io.BytesIO()
    comment = json.dumps(text) if text else None  # ASCII, as TIFF wants it
    note = {"description": comment} if comment else {}
    if levels.itemsize == 2:
        h, w = levels.shape[:2]
        writer = png.Writer(w, h, greyscale=False, bitdepth=16)  # pyright: ignore[reportArgumentType]
        writer.write_packed(buffer, (row.tobytes() for row in levels))
    elif kind == "PNG":
        Image.fromarray(levels).save(buffer, kind)
    elif kind == "JPEG":
        Image.fromarray(levels).save(buffer, kind, quality=quality, subsampling="4:4:4", comment=comment)
    else:
        Image.fromarray(levels).save(buffer, kind, compression="tiff_adobe_deflate", **note)
    if kind != "PNG" or not text:
        return buffer.getvalue()
    if bad := [key for key in text if not 0 < len(key) < 80 or not key.isprintable()]:
        raise ValueError(f"the text's name {bad[0]!r} is not 1 to 79 printable characters")
    head, *rest = png.Reader(bytes=buffer.getvalue()).chunks()
    notes = [(b"iTXt", key.encode("latin-1") + bytes(5) + value.encode()) for key, value in text.items()]
    png.write_chunks(buffer := io.BytesIO(), [head, *notes, *rest])
    return buffer.getvalue()
