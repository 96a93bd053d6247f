"""Read image files of every format, and turn every failure on the way into an error of one sentence."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from texjax import errors
from texjax.images import bounds, codecs, netpbm, pillow_files, png_files, tga, tiff

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
    except (errors.TexjaxError, errors.TexjaxWarning):  # a warning is raised where Python runs with -W error
        raise
    except Image.UnidentifiedImageError as error:
        formats = "PNG, JPEG, TIFF, WebP, BMP, GIF, PNM, PAM, PFM, JPEG 2000, AVIF or TGA"
        raise errors.TexjaxError(f"{path}: this is no picture texjax can read; convert it to {formats}.") from error
    # Damaged bytes make decoders raise nearly every built-in exception, so no list of them would be complete.
    except Exception as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise errors.TexjaxError(
            f"{path}: the picture is damaged or cut short ({reason}); replace it by an intact copy."
        ) from error


def decode(
    data: bytes, path: str | os.PathLike[str], max_pixels: int | None, wanted: tuple[int, int] | None = None
) -> pillow_files.Decoded:
    """Decode the content of an image file; what the file begins with decides its format, not its suffix.

    wanted: width and height that the upright picture will be resized to. Where it is `bounds.REDUCTION_ROOM` times as
        large or more, a JPEG is decoded at a half, a quarter or an eighth of its sides, and of a TIFF with a pyramid a
        smaller page is.

    Raises:
        TexjaxError: If the picture has more than `max_pixels` pixels (None allows any number), or cannot be read.
    """
    sentences = []
    if data.startswith(png_files.SIGNATURE):
        data, sentences = png_files.mended(data)
    with warnings.catch_warnings():
        # Pillow's own warnings are of metadata that nobody asked for, and of what is looked after here.
        warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")
        decoded = _decode(data, path, max_pixels, wanted)
    for sentence in sentences:  # only now, as what cannot be decoded is an error
        warnings.warn(f"{path}: {sentence}", errors.TexjaxWarning, stacklevel=3)
    return decoded


def _decode(
    data: bytes, path: str | os.PathLike[str], max_pixels: int | None, wanted: tuple[int, int] | None
) -> pillow_files.Decoded:
    if tiff.recognizes(data):
        return tiff.decode(data, path, max_pixels, wanted)
    if netpbm.recognizes(data):
        return netpbm.decode(data, path, max_pixels)
    with pillow_files.open_picture(data, path, max_pixels) as picture:
        if picture.format == "PNG":
            return png_files.decode(picture, data, path)
        if picture.format == "TGA":
            return tga.decode(picture, data, path)
        if picture.format == "JPEG2000":
            return codecs.decode_jpeg2000(picture, data, path, max_pixels)
        if picture.format == "AVIF":
            return codecs.decode_avif(picture, data, path)
        if picture.format == "JPEG" and wanted:
            sides = [bounds.REDUCTION_ROOM * side for side in wanted]
            turned = pillow_files.orientation(picture) in pillow_files.SIDEWAYS
            picture.draft(None, (sides[1], sides[0]) if turned else (sides[0], sides[1]))
        return pillow_files.decode(picture, path)


def shape(data: bytes, path: str | os.PathLike[str], max_pixels: int | None) -> tuple[int, int]:
    """Return height and width of the upright picture in an image file, without decoding it where its header says both.

    Raises:
        TexjaxError: If the picture has more than `max_pixels` pixels (None allows any number).
    """
    if data.startswith(png_files.SIGNATURE):
        data, _ = png_files.mended(data)
    if tiff.recognizes(data):
        (height, width), turned = tiff.shape(data)
    elif netpbm.recognizes(data):
        (height, width), turned = netpbm.shape(data, path), 1
    else:
        with pillow_files.open_picture(data, path, max_pixels) as picture:
            width, height = picture.size
            # Of a PNG with text Pillow decodes the pixels too, as the orientation may stand behind them.
            plain = picture.format == "PNG" and not png_files.has_metadata(data)
            turned = 1 if plain else pillow_files.orientation(picture)
    bounds.check_size(path, width, height, max_pixels)
    return (width, height) if turned in pillow_files.SIDEWAYS else (height, width)


def comment(data: bytes, path: str | os.PathLike[str]) -> str:
    """Return the comment or description in an image file of another format than PNG, or "" if it has none."""
    if tiff.recognizes(data):
        return tiff.description(data)
    if netpbm.recognizes(data):
        return ""
    with pillow_files.open_picture(data, path, None) as picture:
        text = picture.info.get("comment", "")
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
