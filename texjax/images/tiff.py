"""Decode TIFF: the largest page, by Pillow where Pillow reads it right, and by tifffile and a formula otherwise.

Pillow cuts color of more than 8 bits to 8 and mixes up channels that are stored apart, takes white for black in deep
gray pictures that say so, and does not know floats, 32 bits or alpha in most of their combinations.
Reference: TIFF Revision 6.0 (1992).
"""

import io
import itertools
import logging
import warnings
import zlib
from typing import Any

import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

from texjax import errors
from texjax.images import bounds, codecs, pillow_files, profiles

PREFIXES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_PAGES = 256  # of a file with more, the largest of the first is read
_MOST_SAMPLES = 8  # per pixel, so that max_pixels bounds the memory
_ORIENTATION, _PROFILE, _DESCRIPTION, _SUBFILE_TYPE = 274, 34675, 270, 254  # tags
_MIN_IS_WHITE, _MIN_IS_BLACK, _RGB, _CMYK = 0, 1, 2, 5  # photometric interpretations
_COLORS = {_MIN_IS_WHITE: 1, _MIN_IS_BLACK: 1, _RGB: 3, _CMYK: 4}  # channels without alpha
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3  # sample formats
_PACKED = (10, 12, 14)  # bits of samples that share bytes
# Compressions of plain bytes that tifffile unpacks: none, Deflate (two numbers) and PackBits, and with imagecodecs LZW,
# LZMA and Zstandard.
_DEFLATE = (8, 32946)
_BUILT_IN = (1, *_DEFLATE, 32773)
_BY_CODECS = (*_BUILT_IN, 5, 34925, 50000)
_BY_PILLOW = (*_BY_CODECS, 2, 3, 4, 6, 7, 32809)  # and CCITT, JPEG and ThunderScan

# tifffile reports damage by logging, which Python prints if nobody listens. What prevents reading raises an error.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def recognizes(data: bytes) -> bool:
    """Return whether the file begins as a TIFF or BigTIFF does."""
    return data.startswith(PREFIXES)


def decode(
    data: bytes, path: pillow_files.Path, max_pixels: int | None, wanted: tuple[int, int] | None = None
) -> pillow_files.Decoded:
    """Decode the largest page of a TIFF, so that the picture is read and not its thumbnail.

    wanted: see `decoding.decode`.

    Raises:
        TexjaxError: If the page is too large, of an unknown kind, or its values have no known scale.
        ValueError: If it is damaged.
    """
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page, index = _largest(file)
        bounds.check_size(path, page.imagewidth, page.imagelength, max_pixels)
        if wanted:
            page, index = _reduced(file, page, index, wanted)
        if _is_plain(page) and _is_unpacked(page):
            return _decoded(page, data, path)
        if _is_plain(page) and _pillow_mixes_up(page):
            raise codecs.missing(path, _kind(page))
        return _by_pillow(page, index, data, path, max_pixels)


def shape(data: bytes) -> tuple[tuple[int, int], int]:
    """Return height and width of the largest page as stored, and its orientation."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        page, _ = _largest(file)
        return (page.imagelength, page.imagewidth), _value(page, _ORIENTATION, 1)


def description(data: bytes) -> str:
    """Return the image description of the first page, or "" if it has none."""
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        return str(_value(file.pages[0], _DESCRIPTION, ""))


def _largest(file: tifffile.TiffFile) -> tuple[Any, int | None]:
    """Return the page of the most pixels, the first of equals, and its index; None for a page within a page."""
    return max(_pages(file), key=lambda candidate: candidate[0].imagewidth * candidate[0].imagelength)


def _pages(file: tifffile.TiffFile) -> list[tuple[Any, int | None]]:
    """Return the pages, each with its index; None for a page within a page."""
    pages: list[tuple[Any, int | None]] = []
    for index, page in enumerate(itertools.islice(file.pages, _MOST_PAGES)):
        pages.append((page, index))
        if isinstance(page, tifffile.TiffPage) and page.subifds:
            pages += [(inner, None) for inner in itertools.islice(page.pages or (), _MOST_PAGES)]
    return pages


def _reduced(file: tifffile.TiffFile, page: Any, index: int | None, wanted: tuple[int, int]) -> tuple[Any, int | None]:
    """Return the smallest reduced copy of the page that has room for `wanted`, with its index, or the page itself."""
    turned = _value(page, _ORIENTATION, 1) in pillow_files.SIDEWAYS
    width, height = reversed(wanted) if turned else wanted
    chosen = page, index
    for other, place in _pages(file):
        is_copy = _value(other, _SUBFILE_TYPE, 0) & 1 and other.photometric == page.photometric
        # Each level of a pyramid is rounded to whole pixels.
        alike = abs(other.imagewidth / page.imagewidth - other.imagelength / page.imagelength) < 0.01
        has_room = min(other.imagewidth / width, other.imagelength / height) >= bounds.REDUCTION_ROOM
        if is_copy and alike and has_room and other.imagewidth < chosen[0].imagewidth:
            chosen = other, place
    return chosen


def _is_plain(page: Any) -> bool:
    """Return whether the page is one that this module decodes, if its bytes can be unpacked."""
    colors, bits = _COLORS.get(page.photometric), page.bitspersample
    extra = page.samplesperpixel - (colors or 0)
    unusual = extra > 0 or page.planarconfig == 2 or page.sampleformat != _UNSIGNED or page.parent.is_bigtiff
    wide = bits in (*_PACKED, 16, 32, 64) or (bits == 8 and unusual)
    known = page.sampleformat in (_UNSIGNED, _SIGNED, _FLOAT) and page.dtype is not None
    sound = colors is not None and extra >= 0 and page.samplesperpixel <= _MOST_SAMPLES and page.imagedepth == 1
    return wide and known and sound and page.compression in _BY_CODECS


def _is_unpacked(page: Any) -> bool:
    """Return whether what is installed unpacks the bytes of the page."""
    built_in = page.compression in _BUILT_IN and page.predictor in (1, 2) and page.bitspersample not in _PACKED
    return built_in or codecs.imagecodecs() is not None


def _pillow_mixes_up(page: Any) -> bool:
    """Return whether Pillow would read a compressed page with wrong values, or fail halfway."""
    deep_negative = page.photometric == _MIN_IS_WHITE and page.bitspersample > 8
    long_integers = page.bitspersample == 32 and page.sampleformat == _UNSIGNED
    gray_and_alpha = page.samplesperpixel == 2 and (page.planarconfig == 2 or _alpha_kind(page) == 1)
    return deep_negative or long_integers or gray_and_alpha


def _by_pillow(
    page: Any, index: int | None, data: bytes, path: pillow_files.Path, max_pixels: int | None
) -> pillow_files.Decoded:
    if page.compression not in _BY_PILLOW or index is None:
        raise _unknown(page, path)
    try:
        with pillow_files.open_picture(data, path, max_pixels, index) as picture:
            decoded = pillow_files.decode(picture, path)
    except (SyntaxError, UnidentifiedImageError) as error:
        raise (codecs.missing(path, _kind(page)) if _is_plain(page) else _unknown(page, path)) from error
    if np.max(page.bitspersample) > 8 and page.photometric in (_RGB, _CMYK):
        warnings.warn(
            f"{path}: {page.bitspersample} bits per channel were reduced to 8; {codecs.INSTALL} keeps them.",
            errors.TexjaxWarning,
            stacklevel=2,
        )
    return decoded


def _decoded(page: Any, data: bytes, path: pillow_files.Path) -> pillow_files.Decoded:
    """Decode a plain page: gray, RGB or CMYK with or without alpha, integers or floats, channels together or apart."""
    _check_segments(page, data)
    planes = page.asarray(squeeze=False)[:, 0]  # [planes, h, w, channels], of which one is 1
    values = np.moveaxis(planes, 0, 2).reshape(*planes.shape[1:3], -1)
    colors = _COLORS[page.photometric]
    alpha_kind = _alpha_kind(page)
    white = _white(page, values[..., :colors])
    color, alpha = bounds.to_unit(values[..., :colors], white, path, "gray " if colors == 1 else ""), None
    if page.photometric == _MIN_IS_WHITE:
        color = 1 - color
    if alpha_kind is not None:
        alpha = bounds.to_unit(values[..., colors : colors + 1], white, path, "alpha ")
        if alpha_kind == 1:
            color = bounds.unpremultiplied(color, alpha)
    profile = _value(page, _PROFILE, None)
    orientation = _value(page, _ORIENTATION, 1)
    if values.dtype == np.uint8 and alpha_kind != 1:  # Pillow converts these by the profile itself, not by a table
        mode = {1: "L", 3: "RGB", 4: "CMYK"}[colors]
        levels = np.rint(color * 255).astype(np.uint8)
        picture = Image.frombytes(mode, (levels.shape[1], levels.shape[0]), levels.tobytes())
        rgb = np.asarray(profiles.to_srgb(picture, profile, path), np.float32) / 255
        return pillow_files.Decoded(rgb, alpha, orientation)
    return pillow_files.Decoded(profiles.deep_to_srgb(color, profile, path), alpha, orientation)


def _alpha_kind(page: Any) -> int | None:
    """Return 1 if the first extra channel is alpha that color was multiplied by, 2 if it is plain alpha, else None."""
    extra = page.samplesperpixel - _COLORS[page.photometric]
    kinds = tuple(map(int, page.extrasamples))
    if not kinds:  # programs that leave the tag out mean alpha by a single extra channel
        return 2 if extra == 1 else None
    return kinds[0] if kinds[0] in (1, 2) else None


def _white(page: Any, values: np.ndarray) -> int:
    """Return the value of white: 1 for floats, and the largest integer of the type, but of 32 bits often of 16."""
    if page.sampleformat == _FLOAT:
        return 1
    if page.bitspersample == 32 and (page.sampleformat == _SIGNED or values.max() <= 65535):
        return 65535
    return 2 ** (page.bitspersample - (page.sampleformat == _SIGNED)) - 1


def _check_segments(page: Any, data: bytes) -> None:
    """Raise ValueError unless the strips or tiles lie within the file and hold as much as the page needs.

    tifffile would fill what is missing by black, and without imagecodecs it inflates without a bound.
    """
    rows, columns = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
    rows = rows if page.is_tiled else min(rows, page.imagelength)
    apart = page.samplesperpixel if page.planarconfig == 2 else 1
    across, down = -(-page.imagewidth // columns), -(-page.imagelength // rows)
    if rows * columns > 4 * page.imagewidth * page.imagelength + (1 << 20):
        raise ValueError("its tiles are much larger than the picture")
    size = rows * columns * page.samplesperpixel // apart * page.dtype.itemsize
    segments = list(zip(page.dataoffsets, page.databytecounts, strict=True))
    if len(segments) < apart * across * down:
        raise ValueError("its list of strips is incomplete")
    if any(count < 1 or start + count > len(data) for start, count in segments):
        raise ValueError("its strips end beyond the file")
    samples = page.imagewidth * page.imagelength * page.samplesperpixel
    if page.compression == 1 and 8 * sum(count for _, count in segments) < samples * page.bitspersample:
        raise ValueError("its strips hold too little")
    if page.compression in _DEFLATE and codecs.imagecodecs() is None:
        for start, count in segments:
            if len(zlib.decompressobj().decompress(data[start : start + count], size + 1)) > size:
                raise ValueError("its strips hold more than the picture")


def _value(page: Any, tag: int, default: Any) -> Any:
    entry = page.tags.get(tag)
    return default if entry is None else entry.value


def _kind(page: Any) -> str:
    """Describe a page for an error, such as "a TIFF of 3 channels of 16 bits (RGB, LZW)"."""
    names = [getattr(value, "name", str(value)) for value in (page.photometric, page.compression)]
    floats = " as floats" if page.sampleformat == _FLOAT else ""
    file = "TIFF"
    if page.parent.is_bigtiff:
        file = "big-endian BigTIFF" if page.parent.byteorder == ">" else "BigTIFF"
    return f"a {file} of {page.samplesperpixel} x {page.bitspersample} bits{floats} ({', '.join(names)})"


def _unknown(page: Any, path: pillow_files.Path) -> errors.TexjaxError:
    return errors.TexjaxError(
        f"{path}: {_kind(page)} cannot be read; save it as gray or RGB with ZIP or no compression, or as a 16-bit PNG."
    )
