"""Convert pictures to sRGB by their embedded ICC color profile, or by the gamma that a PNG names.

Pillow converts 8 bits per channel only. Deeper images are converted by a formula where the profile is one, and are
interpolated in a table of colors that Pillow converted where the profile itself is a table.
"""

import io
import os
import warnings

import numpy as np
from PIL import Image, ImageCms
from scipy import ndimage

from texjax import errors
from texjax.images import matrix_profiles

# Steps between the nodes of the table, in levels of 8 bits; 255 divided by a step is a whole number.
_STEPS = {"L": 1, "RGB": 5, "CMYK": 15}
# libpng's threshold: a gamma this near to that of sRGB is taken for it, which programs write as 1 / 2.2.
_SAME_GAMMA = 0.05

Path = str | os.PathLike[str]


def to_srgb(picture: Image.Image, icc_profile: bytes | None, path: Path) -> Image.Image:
    """Return an 8-bit picture as sRGB of mode RGB, converted by its color profile if that is usable."""
    if picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    profile = _parse(icc_profile, path)
    if profile is not None:
        if picture.mode == "L" and _color_space(profile) == "RGB":
            picture = picture.convert("RGB")
        converted = _convert(picture, profile, path)
        if converted is not None:
            return converted
    return picture.convert("RGB")


def deep_to_srgb(color: np.ndarray, icc_profile: bytes | None, path: Path) -> np.ndarray:
    """Return floats [h, w, 1, 3 or 4] as sRGB, converted by their color profile if that is usable; 4 are CMYK.

    Profiles of curves and a matrix are evaluated by their formula. A table stands for other profiles: with a made-up
    profile of CMYK it is wrong by 0.2 levels of 8 bits in the mean and by 3.5 at most, where the conversion of 8 bits
    is wrong by 0.3 and 1.5, but it is continuous, so a smooth gradient stays free of steps.
    """
    profile = _parse(icc_profile, path)
    converted = None if profile is None or icc_profile is None else _deep_converted(color, profile, icc_profile, path)
    if converted is not None:
        return converted
    if color.shape[2] == 4:
        return (1 - color[..., :3]) * (1 - color[..., 3:])  # as Pillow converts CMYK without a profile
    return color


def gamma_to_srgb(color: np.ndarray, gamma: float) -> np.ndarray:
    """Return floats [h, w, c] as sRGB that were stored as linear light ** gamma, as the chunk gAMA of a PNG says."""
    if not 0.00016 <= gamma <= 6250 or abs(gamma * 2.2 - 1) < _SAME_GAMMA:  # libpng calls other values invalid
        return color
    return matrix_profiles.encode(color.astype(np.float64) ** (1 / gamma)).astype(np.float32)


def _deep_converted(
    color: np.ndarray, profile: ImageCms.ImageCmsProfile, icc_profile: bytes, path: Path
) -> np.ndarray | None:
    """Return floats as sRGB, or None, with a warning, if the profile does not suit them."""
    formula = matrix_profiles.parse(icc_profile)
    if formula is not None and color.shape[2] <= len(formula.curves):
        return matrix_profiles.to_srgb(color, formula)
    mode = {1: "L", 3: "RGB", 4: "CMYK"}[color.shape[2]]
    if mode == "L" and _color_space(profile) == "RGB":
        mode = "RGB"
    converted = _convert(_color_grid(mode, _STEPS[mode]), profile, path)
    if converted is None:
        return None
    nodes = 255 // _STEPS[mode] + 1  # of the table, along each axis
    table = np.asarray(converted, np.float32).reshape(*[nodes] * len(mode), 3) / 255
    coordinates = np.moveaxis(np.broadcast_to(color, (*color.shape[:2], len(mode))), 2, 0) * (nodes - 1)
    return np.stack([ndimage.map_coordinates(table[..., k], coordinates, order=1) for k in range(3)], -1)


def _parse(icc_profile: bytes | None, path: Path) -> ImageCms.ImageCmsProfile | None:
    """Return the embedded color profile, or None if there is none, it is broken, or it is sRGB and changes nothing."""
    if not icc_profile:
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        _warn(f"{path}: a broken color profile is ignored, sRGB assumed ({error}).")
        return None
    if _color_space(profile) == "RGB":
        # Most RGB profiles are variants of sRGB. Converting those would only add rounding, above all to 16 bits.
        grid = _color_grid("RGB", 17)
        converted = _convert(grid, profile, path)
        if converted is not None and np.abs(np.asarray(converted, int) - np.asarray(grid, int)).max() <= 1:
            return None
    return profile


def _color_space(profile: ImageCms.ImageCmsProfile) -> str:
    return profile.profile.xcolor_space.strip().upper()  # pyright: ignore[reportAttributeAccessIssue]


def _convert(picture: Image.Image, profile: ImageCms.ImageCmsProfile, path: Path) -> Image.Image | None:
    """Return the picture as sRGB, or None, with a warning, if the profile does not suit its mode."""
    try:
        return ImageCms.profileToProfile(picture, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (OSError, ValueError, ImageCms.PyCMSError) as error:
        kind = f"{_color_space(profile)} color profile in a picture of mode {picture.mode}"
        _warn(f"{path}: an unusable {kind} is ignored, sRGB assumed ({error}).")
        return None


def _warn(message: str) -> None:
    warnings.warn(message, errors.TexjaxWarning, stacklevel=2)


def _color_grid(mode: str, step: int) -> Image.Image:
    """Return a picture of all colors whose channels are multiples of `step`, a divisor of 255.

    All modes but "L" have one row for each value of the first channel.
    """
    levels = np.arange(0, 256, step, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(levels[None])
    grid = np.stack(np.meshgrid(*[levels] * len(mode), indexing="ij"), -1).reshape(len(levels), -1, len(mode))
    return Image.frombytes(mode, (grid.shape[1], grid.shape[0]), grid.tobytes())
