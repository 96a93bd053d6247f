"""Encode pictures for an HTML page as data URIs: thumbnails and whole files."""

import base64
import functools
import io
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from texjax import images

SIDE = 192  # pixels, of the longer side
QUALITY = 60  # of WebP; a thumbnail of a fine texture takes about 9 kB
KINDS = {  # suffix -> media type of the formats that browsers show
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".jpe": "image/jpeg",
    ".jfif": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
}


class Thumbnail(NamedTuple):
    """A reduced picture as a data URI, with the width and height of the original in pixels."""

    uri: str
    width: int
    height: int


def small(path: Path) -> Thumbnail:
    """Return a thumbnail with sides of at most `SIDE` pixels, transparent pictures over white.

    Raises as `images.load` does, with its limit of pixels.
    """
    return _small(path, path.stat().st_mtime_ns)


def whole(path: Path) -> str:
    """Return the file as a data URI, as PNG if browsers do not show its format.

    Raises as `images.shape` does, so that no file is embedded that is no picture.
    """
    return _whole(path, path.stat().st_mtime_ns)


# The modification time is part of the cache key: a page that is rendered again while runs go on reads only new files.
@functools.cache
def _small(path: Path, _modified: int) -> Thumbnail:
    picture = _load(path)
    width, height = picture.size
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return Thumbnail(_encode(picture, "webp", quality=QUALITY), width, height)


@functools.lru_cache(maxsize=64)
def _whole(path: Path, _modified: int) -> str:
    media_type = KINDS.get(path.suffix.lower())
    images.shape(path)
    return _data_uri(media_type, path.read_bytes()) if media_type else _encode(_load(path), "png")


def _load(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run that read this file has already warned
        image = images.load(path)
    return Image.fromarray(np.round(image * 255).astype(np.uint8))


def _encode(picture: Image.Image, file_format: str, **settings: int) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, file_format, **settings)
    return _data_uri(f"image/{file_format}", buffer.getvalue())


def _data_uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
