"""Embedded color profiles: pictures as sRGB, those of 8 bits by Pillow, deeper ones between the colors of a table."""

import io
import warnings

import numpy as np
from PIL import Image, ImageCms
from scipy import ndimage


def to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
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


def deep_to_srgb(color: np.ndarray, profile: bytes | None) -> np.ndarray:
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
