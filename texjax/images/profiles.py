"""Convert pictures with embedded ICC color profiles to sRGB.

Pillow converts 8 bits per channel only, so deeper images are interpolated in a table of colors that Pillow converted.
"""

import io
import warnings

import numpy as np
from PIL import Image, ImageCms
from scipy import ndimage


def to_srgb(picture: Image.Image, icc_profile: bytes | None) -> Image.Image:
    """Return an 8-bit picture as sRGB of mode RGB, converted by its color profile if that is usable."""
    if picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    profile = _parse(icc_profile)
    if profile is not None:
        if picture.mode == "L" and _color_space(profile) == "RGB":
            picture = picture.convert("RGB")
        converted = _convert(picture, profile)
        if converted is not None:
            return converted
    return picture.convert("RGB")


def deep_to_srgb(color: np.ndarray, icc_profile: bytes | None) -> np.ndarray:
    """Return floats [h, w, 1 or 3] as sRGB, converted by their color profile if that is usable.

    The interpolation in the table is wrong by less than a level of 8 bits, but it is continuous, so a smooth gradient
    stays free of steps.
    """
    profile = _parse(icc_profile)
    if profile is None:
        return color
    mode, step = ("L", 1) if _color_space(profile) == "GRAY" and color.shape[2] == 1 else ("RGB", 5)
    converted = _convert(_color_grid(mode, step), profile)
    if converted is None:
        return color
    nodes = 255 // step + 1  # of the table, along each axis
    table = np.asarray(converted, np.float32).reshape(*[nodes] * len(mode), 3) / 255
    coordinates = np.moveaxis(np.broadcast_to(color, (*color.shape[:2], len(mode))), 2, 0) * (nodes - 1)
    return np.stack([ndimage.map_coordinates(table[..., k], coordinates, order=1) for k in range(3)], -1)


def _parse(icc_profile: bytes | None) -> ImageCms.ImageCmsProfile | None:
    """Return the embedded color profile, or None if there is none, it is broken, or it is sRGB and changes nothing."""
    if not icc_profile:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        warnings.warn(f"a broken color profile is ignored, sRGB assumed ({error})", stacklevel=5)
        return None
    if _color_space(profile) == "RGB":
        # Most RGB profiles are variants of sRGB. Converting those would only add rounding, above all to 16 bits.
        grid = _color_grid("RGB", 17)
        converted = _convert(grid, profile)
        if converted is not None and np.abs(np.asarray(converted, int) - np.asarray(grid, int)).max() <= 1:
            return None
    return profile


def _color_space(profile: ImageCms.ImageCmsProfile) -> str:
    return profile.profile.xcolor_space.strip().upper()  # pyright: ignore[reportAttributeAccessIssue]


def _convert(picture: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image | None:
    """Return the picture as sRGB, or None, with a warning, if the profile does not suit its mode."""
    try:
        return ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        kind = f"{_color_space(profile)} color profile in a picture of mode {picture.mode}"
        warnings.warn(f"an unusable {kind} is ignored, sRGB assumed ({error})", stacklevel=5)
        return None


def _color_grid(mode: str, step: int) -> Image.Image:
    """Return a picture of all colors whose channels are multiples of `step`, a divisor of 255.

    Mode "RGB" has one row for each value of red.
    """
    levels = np.arange(0, 256, step, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), -1).reshape(len(levels), -1, 3))
