"""Decode pictures by Pillow, where Pillow alone gives the right values: 8 bits per channel, and gray of more.

In this package a `picture` is a Pillow image, whose pixels may still be packed, and an `image` is a float array.
"""

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin

from texjax.images import bounds, profiles

# Raster formats only: Pillow would pass others, such as EPS, to an external program.
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "TGA")

ORIENTATION = 0x0112  # EXIF tag
SIDEWAYS = (5, 6, 7, 8)  # orientations that swap height and width
BITS_PER_SAMPLE = 258  # TIFF tag

Path = str | os.PathLike[str]

# Pillow reports damage by logging, which Python prints if nobody listens. What prevents reading raises an error.
logging.getLogger("PIL").addHandler(logging.NullHandler())


class Decoded(NamedTuple):
    """A decoded picture.

    color: [h, w, 1 or 3] in sRGB, float32 in [0, 1].
    alpha: [h, w, 1], float32 in [0, 1], or None if the picture is opaque.
    orientation: the EXIF orientation that is still to be applied.
    """

    color: np.ndarray
    alpha: np.ndarray | None = None
    orientation: int = 1


@contextmanager
def open_picture(data: bytes, path: Path, max_pixels: int | None, page: int = 0) -> Iterator[Image.Image]:
    """Open a picture without decoding its pixels, with `max_pixels` in place of Pillow's global limit.

    Args:
        data: Content of the file.
        path: The file, for errors.
        max_pixels: Larger pictures are refused; None allows any number of pixels.
        page: Index of the page of a TIFF, from 0.

    Raises:
        TexjaxError: If the picture has more than `max_pixels` pixels.
    """
    Image.init()
    formats = [name for name in FORMATS if name in Image.OPEN]  # not every build of Pillow has all of them
    pillow_limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        picture = Image.open(io.BytesIO(data), formats=formats)
        if page:
            picture.seek(page)
    finally:
        Image.MAX_IMAGE_PIXELS = pillow_limit
    with picture:
        bounds.check_size(path, *picture.size, max_pixels)
        yield picture


def decode(picture: Image.Image, path: Path) -> Decoded:
    """Decode an open picture of 8 bits per channel, or of gray with up to 16 bits or floats."""
    profile = picture.info.get("icc_profile")
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return Decoded(profiles.deep_to_srgb(_deep_gray(picture, path), profile, path), None, orientation(picture))
    alpha = None
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"), np.float32)[:, :, None] / 255
        picture_of_color = picture.convert("L") if picture.mode == "LA" else rgba.convert("RGB")
    else:
        picture_of_color = picture
    color = np.asarray(profiles.to_srgb(picture_of_color, profile, path), np.float32)
    color /= 255  # in place, as a photograph of 24 megapixels takes 288 MB
    return Decoded(color, alpha, orientation(picture))


def orientation(picture: Image.Image) -> int:
    """Return the EXIF orientation that is still to be applied; Pillow itself has applied that of a TIFF."""
    try:
        return picture.getexif().get(ORIENTATION, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1


def _deep_gray(picture: Image.Image, path: Path) -> np.ndarray:
    """Return gray integers of up to 16 bits, or gray floats, as [h, w, 1] in [0, 1].

    Raises:
        TexjaxError: If a value is outside the range that such files use by convention.
    """
    white = 1 if picture.mode == "F" else 65535
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.mode != "F":
        # Pillow does not stretch integers of 12 bits to 16.
        white = min(2 ** picture.tag_v2.get(BITS_PER_SAMPLE, (16,))[0] - 1, white)
    return bounds.to_unit(np.asarray(picture)[:, :, None], white, path, "gray ")
