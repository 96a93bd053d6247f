"""Color profiles that consist of one curve for each channel and a matrix, evaluated in floats.

Nearly all profiles of photographs are of this kind. Pillow's conversion has 8 bits per channel, and near black the
curve from linear light to sRGB rises by 13 levels of 8 bits between two of them, so deeper pictures need the formula.
Reference: ICC.1:2010 (profile version 4.3), sections 10.5 `curveType`, 10.15 `parametricCurveType` and annex F.
"""

import struct
from typing import NamedTuple

import numpy as np

# sRGB's primaries, linear, as XYZ under D50, the white of profiles (IEC 61966-2-1, adapted by Bradford's matrix).
SRGB_TO_XYZ = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
# The powers and factors of `parametricCurveType`, by its function type.
_PARAMETERS = ("g", "gab", "gabc", "gabcd", "gabcdef")


class MatrixProfile(NamedTuple):
    """A profile whose conversion is a formula.

    curves: the bytes of the curve tag of each channel: one for gray, three for RGB.
    matrix: [3, 3], linear RGB of the profile -> linear sRGB; the identity for gray.
    """

    curves: tuple[bytes, ...]
    matrix: np.ndarray


def parse(icc_profile: bytes) -> MatrixProfile | None:
    """Return the curves and the matrix of a profile, or None if it is damaged or of another kind."""
    try:
        with np.errstate(all="ignore"):
            return _parse(icc_profile)
    except (struct.error, ArithmeticError, IndexError, KeyError, ValueError, np.linalg.LinAlgError):
        return None


def to_srgb(color: np.ndarray, profile: MatrixProfile) -> np.ndarray:
    """Convert floats in [0, 1], [h, w, 1] for a profile of gray or [h, w, 1 or 3] for one of RGB, to sRGB.

    Colors that sRGB cannot show are clipped, as Pillow does.
    """
    count = max(color.shape[2], len(profile.curves))
    channels = np.broadcast_to(color, (*color.shape[:2], count)).astype(np.float64)
    linear = np.stack([_evaluate(curve, channels[..., k]) for k, curve in enumerate(profile.curves)], -1)
    if linear.shape[2] == 3:
        linear = linear @ profile.matrix.T
    return encode(linear.clip(0, 1)).astype(np.float32)


def encode(linear: np.ndarray) -> np.ndarray:
    """Return the sRGB values of linear light in [0, 1] (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055)


def _parse(data: bytes) -> MatrixProfile | None:
    space, connection = data[16:20], data[20:24]
    (count,) = struct.unpack_from(">I", data, 128)
    entries = [struct.unpack_from(">4sII", data, 132 + 12 * k) for k in range(min(count, 100))]
    tags = {name: data[start : start + size] for name, start, size in entries}
    if connection != b"XYZ " or b"A2B0" in tags:  # a table, which takes precedence over the curves
        return None
    if space == b"GRAY":
        profile = MatrixProfile((tags[b"kTRC"],), np.eye(3))
    elif space == b"RGB ":
        primaries = [np.array(struct.unpack_from(">3i", tags[name], 8)) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
        matrix = np.linalg.inv(SRGB_TO_XYZ) @ np.stack(primaries, -1) / 65536
        profile = MatrixProfile((tags[b"rTRC"], tags[b"gTRC"], tags[b"bTRC"]), matrix)
    else:
        return None
    ends = [_evaluate(curve, np.array([0.0, 1.0])) for curve in profile.curves]  # raises for a damaged curve
    return profile if np.isfinite(ends).all() else None


def _evaluate(curve: bytes, value: np.ndarray) -> np.ndarray:
    """Return linear light for values in [0, 1] by the bytes of a curve tag."""
    kind = curve[:4]
    if kind == b"curv":
        (count,) = struct.unpack_from(">I", curve, 8)
        if count == 0:
            return value
        table = np.frombuffer(curve, ">u2", count, 12)
        return value ** (table[0] / 256) if count == 1 else np.interp(value, np.linspace(0, 1, count), table / 65535)
    if kind == b"para":
        names = _PARAMETERS[struct.unpack_from(">H", curve, 8)[0]]
        numbers = np.array(struct.unpack_from(f">{len(names)}i", curve, 12)) / 65536
        return _parametric(value, dict(zip(names, numbers.tolist(), strict=True)))
    raise ValueError(f"a curve of type {kind!r}")


def _parametric(value: np.ndarray, p: dict[str, float]) -> np.ndarray:
    """Return (a X + b)^g + e where X >= d, and c X + f below; functions of fewer parameters are special cases."""
    if len(p) == 1:
        return value ** p["g"]
    power = np.maximum(p["a"] * value + p["b"], 0) ** p["g"]
    if "d" not in p:  # 0, or c, left of where the power begins
        offset = p.get("c", 0.0)
        return np.where(value >= -p["b"] / p["a"], power + offset, offset)
    return np.where(value >= p["d"], power + p.get("e", 0.0), p["c"] * value + p.get("f", 0.0))
