"""Files of pictures -> their pixels as floats, and what goes wrong on the way in one sentence."""

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

# Rasters only: Pillow would hand others, such as EPS, to an outside program.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "TGA")

UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF tag 0x0112 -> what makes the picture upright
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def read(path: Path) -> bytes:
    """The bytes of a file; every way of not getting them in one sentence."""
    if path.is_dir():
        raise errors.TexjaxError(f"{path}: is a folder, not a picture; name a file in it.")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise errors.TexjaxError(f"{path}: no such file; check the path.") from error
    except OSError as error:
        raise errors.EnvironmentFault(f"{path}: cannot be read ({error.strerror}); check its rights.") from error
    if not data:
        raise errors.TexjaxError(f"{path}: the file is empty; it has to be a picture such as a PNG or JPEG.")
    return data


@contextmanager
def told(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turns what decoders raise into one sentence."""
    try:
        yield
    except errors.TexjaxError:
        raise
    except Image.UnidentifiedImageError as error:
        kinds = "PNG, JPEG, TIFF, WebP, BMP, GIF, PPM, JPEG 2000, AVIF or TGA"
        raise errors.TexjaxError(f"{path}: this is no picture texjax can read; convert it to {kinds}.") from error
    # Decoders fed with damaged bytes fail by nearly every built-in exception, so no list of them would be complete.
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise errors.TexjaxError(f"{path}: the picture is damaged or cut short ({reason}); get it again.") from error


@contextmanager
def opened(data: bytes, path: str | os.PathLike[str], max_pixels: int | None) -> Iterator[Image.Image]:
    """Opens a picture, its pixels still packed, with our limit of pixels in place of Pillow's global one."""
    Image.init()
    formats = [name for name in _FORMATS if name in Image.OPEN]  # builds of Pillow differ
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        picture = Image.open(io.BytesIO(data), formats=formats)
    finally:
        Image.MAX_IMAGE_PIXELS = limit
    with picture:
        w, h = picture.size
        if max_pixels is not None and w * h > max_pixels:
            raise errors.TexjaxError(too_large(path, w, h, max_pixels))
        yield picture


def too_large(what: object, w: int, h: int, max_pixels: int) -> str:
    """The sentence for a picture of too many pixels."""
    return (
        f"{what}: {w} x {h} = {w * h:,} pixels are more than the limit of {max_pixels:,}; "
        f"shrink the picture, or raise max_pixels if you trust it."
    )


def planes(picture: Image.Image, data: bytes, path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """Color, [h, w, 1 or 3] in sRGB, and alpha, [h, w, 1] or None, both float32 in [0, 1]."""
    profile = picture.info.get("icc_profile")
    if picture.format == "PNG" and data[24] == 16:  # the bit depth in IHDR, always the first chunk
        return _deep_png(data, profile)
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return profiles.deep_to_srgb(_deep_gray(picture, path), profile), None
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and max(picture.tag_v2.get(258, (8,))) > 8:
        warnings.warn(f"{path}: more than 8 bits a channel were cut to 8; a 16-bit PNG keeps them", stacklevel=3)
    alpha = None
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"), np.float32)[:, :, None] / 255
        picture = picture.convert("L") if picture.mode == "LA" else rgba.convert("RGB")
    rgb = profiles.to_srgb(picture, profile)
    return np.asarray(rgb, np.float32) / 255, alpha


def _deep_png(data: bytes, profile: bytes | None) -> tuple[np.ndarray, np.ndarray | None]:
    """A PNG of 16 bits a channel: gray or RGB, with alpha, with one transparent color (tRNS), or neither."""
    reader = png.Reader(bytes=data)
    w, h, rows, info = reader.read()
    values = np.stack([np.asarray(row, np.uint16) for row in rows]).reshape(h, w, info["planes"])
    alpha = None
    if info["alpha"]:
        values, alpha = values[:, :, :-1], values[:, :, -1:].astype(np.float32) / 65535
    elif reader.trns:
        alpha = (values != reader.transparent).any(2, keepdims=True).astype(np.float32)
    return profiles.deep_to_srgb(values.astype(np.float32) / 65535, profile), alpha


def _deep_gray(picture: Image.Image, path: str | os.PathLike[str]) -> np.ndarray:
    """Integers of 16 bits and floats, [h, w, 1] in [0, 1]. Their range is a convention, so a breach is an error."""
    values = np.asarray(picture)[:, :, None].astype(np.float64)
    top = 1 if picture.mode == "F" else 65535
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and picture.mode != "F":
        top = min(2 ** picture.tag_v2.get(258, (16,))[0] - 1, top)  # 12 bits are not stretched by Pillow
    if not (values.min() >= 0 and values.max() <= top):
        got = f"gray values from {values.min():g} to {values.max():g}"
        raise errors.TexjaxError(f"{path}: got {got}, possible are 0 to {top}; scale them, or save a 16-bit PNG.")
    return (values / top).astype(np.float32)


def orientation(picture: Image.Image) -> int:
    """The EXIF orientation that Pillow has not applied itself, as it does when it loads a TIFF."""
    try:
        return picture.getexif().get(0x0112, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1
