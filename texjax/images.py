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
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import png
from jaxtyping import Float32
from PIL import Image, ImageCms, TiffImagePlugin
from scipy import ndimage

from texjax import atomic, errors

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
# Rasters only: Pillow would hand others, such as EPS, to an outside program.
_FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000", "AVIF", "TGA")

_ORIENT: dict[int, Callable[[np.ndarray], np.ndarray]] = {  # EXIF tag 0x0112 -> what makes the picture upright
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


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
    data = _read(Path(path))
    with _decoding(path), _open(data, path, max_pixels) as picture:
        color, alpha = _planes(picture, data, path)
        orientation = _orientation(picture)
    if alpha is not None:
        color = alpha * color + (1 - alpha) * np.asarray(background, np.float32)
    image = np.broadcast_to(color, (*color.shape[:2], 3))
    image = _ORIENT.get(orientation, lambda a: a)(image)
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
    data = _read(Path(path))
    with _decoding(path), _open(data, path, None) as picture:
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


def _read(path: Path) -> bytes:
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
def _decoding(path: str | os.PathLike[str]) -> Iterator[None]:
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
def _open(data: bytes, path: str | os.PathLike[str], max_pixels: int | None) -> Iterator[Image.Image]:
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
            raise errors.TexjaxError(_too_large(path, w, h, max_pixels))
        yield picture


def _too_large(what: object, w: int, h: int, max_pixels: int) -> str:
    return (
        f"{what}: {w} x {h} = {w * h:,} pixels are more than the limit of {max_pixels:,}; "
        f"shrink the picture, or raise max_pixels if you trust it."
    )


def _planes(picture: Image.Image, data: bytes, path: str | os.PathLike[str]) -> tuple[np.ndarray, np.ndarray | None]:
    """Color, [h, w, 1 or 3] in sRGB, and alpha, [h, w, 1] or None, both float32 in [0, 1]."""
    profile = picture.info.get("icc_profile")
    if picture.format == "PNG" and data[24] == 16:  # the bit depth in IHDR, always the first chunk
        return _deep_png(data, profile)
    picture.load()
    if picture.mode in ("I", "F") or picture.mode.startswith("I;16"):
        return _deep_to_srgb(_deep_gray(picture, path), profile), None
    if isinstance(picture, TiffImagePlugin.TiffImageFile) and max(picture.tag_v2.get(258, (8,))) > 8:
        warnings.warn(f"{path}: more than 8 bits a channel were cut to 8; a 16-bit PNG keeps them", stacklevel=3)
    alpha = None
    if picture.has_transparency_data:
        rgba = picture.convert("RGBA")
        alpha = np.asarray(rgba.getchannel("A"), np.float32)[:, :, None] / 255
        picture = picture.convert("L") if picture.mode == "LA" else rgba.convert("RGB")
    rgb = _to_srgb(picture, profile)
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
    return _deep_to_srgb(values.astype(np.float32) / 65535, profile), alpha


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


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """An 8-bit picture as sRGB, mode RGB, by its color profile if it has a usable one."""
    if picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    source = _profile(profile)
    if source is not None:
        if picture.mode == "L" and _space(source) == "RGB":
            picture = picture.convert("RGB")
        converted = _apply(picture, source)
        if converted is not None:
            return converted
    return picture.convert("RGB")


def _profile(profile: bytes | None) -> ImageCms.ImageCmsProfile | None:
    """The embedded color profile; None where there is none, where it is broken, and for sRGB, which changes nothing."""
    if not profile:
        return None
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        warnings.warn(f"a broken color profile is ignored, sRGB assumed ({error})", stacklevel=5)
        return None
    if _space(source) == "RGB":
        # Most are sRGB as somebody else wrote it: to convert those would only round, above all 16 bits.
        probe = _grid("RGB", 17)
        table = _apply(probe, source)
        if table is not None and np.abs(np.asarray(table, int) - np.asarray(probe, int)).max() <= 1:
            return None
    return source


def _space(source: ImageCms.ImageCmsProfile) -> str:
    return source.profile.xcolor_space.strip().upper()  # pyright: ignore[reportAttributeAccessIssue]


def _apply(picture: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image | None:
    try:
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        got = f"{_space(source)} color profile in a picture of mode {picture.mode}"
        warnings.warn(f"an unusable {got} is ignored, sRGB assumed ({error})", stacklevel=5)
        return None


def _grid(mode: str, step: int) -> Image.Image:
    """Every color whose channels are multiples of `step` levels, which divides 255; one row a value of the first."""
    levels = np.arange(0, 256, step, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(len(levels), -1, 3))


def _deep_to_srgb(color: np.ndarray, profile: bytes | None) -> np.ndarray:
    """Floats [h, w, 1 or 3] by their color profile as sRGB.

    Pillow converts 8 bits only. So it converts a table of colors, between which we interpolate: wrong by less than a
    level of 8 bits, but as smooth as the picture was, without steps.
    """
    source = _profile(profile)
    if source is None:
        return color
    mode, step = ("L", 1) if _space(source) == "GRAY" and color.shape[2] == 1 else ("RGB", 5)
    table = _apply(_grid(mode, step), source)
    if table is None:
        return color
    side = 255 // step + 1
    nodes = np.asarray(table, np.float32).reshape(*[side] * len(mode), 3) / 255
    places = np.moveaxis(np.broadcast_to(color, (*color.shape[:2], len(mode))), 2, 0) * (side - 1)
    return np.stack([ndimage.map_coordinates(nodes[..., k], places, order=1) for k in range(3)], -1)


def _orientation(picture: Image.Image) -> int:
    """The EXIF orientation that Pillow has not applied itself, as it does when it loads a TIFF."""
    try:
        return picture.getexif().get(0x0112, 1)
    except Exception:  # a damaged EXIF block says nothing about the pixels
        return 1


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
        raise errors.TexjaxError(_too_large(f"scale={scale}, width={width}", *size, max_pixels))
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
