"""Decode image files into float arrays, and turn every failure on the way into an error of one sentence.

In this package a `picture` is a Pillow image, whose pixels may still be packed, and an `image` is a float array.
"""

import io
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import png
from PIL import Image, TiffImagePlugin

from texjax import errors
from texjax.images import profiles

# Raster formats only: Pillow would pass others, such as EPS, to an external program.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "TGA")

ORIENTATION = 0x0112  # EXIF tag
BITS_PER_SAMPLE = 258  # TIFF tag

TO_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF orientation -> transform that makes it upright
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image, 2).swapaxes(0, 1),
    8: lambda image: np.rot90(image),
}


def read_bytes(path: Path) -> bytes:
    """Return the content of an image file.

    Raises:
        TexjaxError: If there is no such file, or if it is empty or a folder.
        EnvironmentFault: If the file cannot be read.
    """
    if path.is_dir():
        raise errors.TexjaxError(f"{path}: is a folder, not a picture; name a file in it.")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise errors.TexjaxError(f"{path}: no such file; check the path.") from error
    except OSError as error:
        raise errors.EnvironmentFault(
            f"{path}: cannot be read ({error.strerror}); check the permissions of the file."
        ) from error
    if not data:
        raise errors.TexjaxError(f"{path}: the file is empty; give a picture such as a PNG or JPEG.")
    return data


@contextmanager
def readable_errors(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn any exception that a decoder raises within the block into a TexjaxError of one sentence."""
    try:
        yield
    except errors.TexjaxError:
        raise
    except Image.UnidentifiedImageError as error:
        formats = "PNG, JPEG, TIFF, WebP, BMP, GIF, PPM, JPEG 2000, AVIF or TGA"
        raise errors.TexjaxError(f"{path}: this is no picture texjax can read; convert it to {formats}.") from error
    # Damaged bytes make decoders raise nearly every built-in exception, so no list of them would be complete.
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise errors.TexjaxError(
            f"{path}: the picture is damaged or cut short ({reason}); replace it by an intact copy."
        ) from error


@contextmanager
def open_picture(data: bytes, path: str | os.PathLike[str], max_pixels: int | None) -> Iterator[Image.Image]:
    """Open a picture without decoding its pixels, with `max_pixels` in place of Pillow's global limit.

    Raises:
        TexjaxError: If the picture has more than `max_pixels` pixels; None allows any number.
    """
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]  # not every build of Pillow has all of them
    pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        picture = Image.open(io.BytesIO(data), formats=formats)
    finally:
        Image.MAX_IMAGE_PIXELS = pillow_limit
    with picture:
        width, height = picture.size
        if max_pixels is not None and width * height > max_pixels:
            raise too_large(path, width, height, max_pixels)
        yield picture


def too_large(subject: object, width: int, height: int, max_pixels: int) -> errors.TexjaxError:
    """Return the error for an image that has more than `max_pixels` pixels."""
    return errors.TexjaxError(
        f"{subject}: {width} x {height} = {width * height:,} pixels are more than the limit of {max_pixels:,}; "
        f"shrink the picture, or raise max_pixels if you trust it."
    )


def color_and_alpha(
    picture: Image.Image, data: bytes, path: str | os.PathLike[str]
) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode a picture.

    Returns:
        Color, [h, w, 1 or 3] in sRGB, and alpha, [h, w, 1] or None if opaque; both are float32 in [0, 1].
    """
    profile = picture.info.get("icc_profile")
    if picture.format == "PNG" and data[24] == 16:  # the bit depth in IHDR, which is always the first chunk
        return _deep_png(data, profile)
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return profiles.deep_to_srgb(_deep_gray(picture, path), profile), None
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and max(picture.tag_v2.get(BITS_PER_SAMPLE, (8,))) > 8:
        warnings.warn(f"{path}: more than 8 bits per channel were reduced to 8; a 16-bit PNG keeps them", stacklevel=3)
    alpha = None
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"), np.float32)[:, :, None] / 255
        picture = picture.convert("L") if picture.mode == "LA" else rgba.convert("RGB")
    rgb = profiles.to_srgb(picture, profile)
    return np.asarray(rgb, np.float32) / 255, alpha


def _deep_png(data: bytes, profile: bytes | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Decode a PNG of 16 bits per channel: gray or RGB, opaque, with alpha, or with one transparent color (tRNS)."""
    reader = png.Reader(bytes=data)
    width, height, rows, info = reader.read()
    values = np.stack([np.asarray(row, np.uint16) for row in rows]).reshape(height, width, info["planes"])
    alpha = None
    if info["alpha"]:
        values, alpha = values[:, :, :-1], values[:, :, -1:].astype(np.float32) / 65535
    elif reader.trns:
        alpha = (values != reader.transparent).any(2, keepdims=True).astype(np.float32)
    return profiles.deep_to_srgb(values.astype(np.float32) / 65535, profile), alpha


def _deep_gray(picture: Image.Image, path: str | os.PathLike[str]) -> np.ndarray:
    """Return gray integers of up to 16 bits, or gray floats, as [h, w, 1] in [0, 1].

    Raises:
        TexjaxError: If a value is outside the range that such files use by convention, as its scale is then unknown.
    """
    values = np.asarray(picture)[:, :, None].astype(np.float64)
    white = 1 if picture.mode == "F" else 65535
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.mode != "F":
        # Pillow does not stretch integers of 12 bits to 16.
        white = min(2 ** picture.tag_v2.get(BITS_PER_SAMPLE, (16,))[0] - 1, white)
    if not (values.min() >= 0 and values.max() <= white):
        raise errors.TexjaxError(
            f"{path}: got gray values from {values.min():g} to {values.max():g}, possible are 0 to {white}; "
            f"scale them, or save a 16-bit PNG."
        )
    return (values / white).astype(np.float32)


def orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation that is still to be applied; Pillow itself has applied that of a TIFF."""
    try:
        return picture.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1
