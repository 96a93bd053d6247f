"""Pictures for a page: small ones, and whole files, as data URIs."""

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
QUALITY = 60  # of WebP; a fine texture takes about 9 kB
KINDS = {  # what browsers show
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
}


class Thumbnail(NamedTuple):
    """A small picture as a data URI, and the sides of the whole one in pixels."""

    uri: str
    width: int
    height: int


def small(path: Path) -> Thumbnail:
    """The picture with sides of at most `SIDE` pixels. Raises as `images.load` does."""
    return _small(path, path.stat().st_mtime_ns)


def whole(path: Path) -> str:
    """The file as a data URI; as PNG where browsers do not show its format. Raises as `images.load` does."""
    return _whole(path, path.stat().st_mtime_ns)


# A page that is made again while runs go on reads only what is new: a file is known by its path and time.
@functools.cache
def _small(path: Path, _: int) -> Thumbnail:
    picture = _load(path)
    width, height = picture.size
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return Thumbnail(_encoded(picture, "webp", quality=QUALITY), width, height)


@functools.lru_cache(maxsize=64)
def _whole(path: Path, _: int) -> str:
    kind = KINDS.get(path.suffix.lower())
    return _uri(kind, path.read_bytes()) if kind else _encoded(_load(path), "png")


def _load(path: Path) -> Image.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the run has said it
        image = images.load(path)
    return Image.fromarray(np.round(image * 255).astype(np.uint8))


def _encoded(picture: Image.Image, form: str, **settings: int) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, form, **settings)
    return _uri(f"image/{form}", buffer.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
