"""Color profiles of curves and a matrix, against Little CMS in floats (imagecodecs) and formulas of color science."""

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from handmade import profile, srgb, with_chunk, write_deep

from texjax import images
from texjax.images import matrix_profiles

# Dark colors count most: the curve of sRGB is steepest there.
RAMP = np.concatenate([np.arange(0, 3000), np.linspace(3000, 65535, 1000)]).round().astype(np.uint16)
COLORS = np.stack([RAMP, RAMP[::-1] // 2, np.roll(RAMP, 1500)], -1)[None]


def write(path, values, icc):
    write_deep(path, values)
    path.write_bytes(with_chunk(path.read_bytes(), b"iCCP", b"p\0\0" + zlib.compress(icc)))
    return path


def with_curve(curve):
    """A profile of sRGB's primaries with this curve for all channels."""
    icc = profile(2.0)
    old = b"curv" + bytes(4) + struct.pack(">IH", 1, 512)
    assert icc.count(old) == 3
    place, behind = icc.index(old), bytearray(icc)
    for at in range(132, 132 + 12 * struct.unpack_from(">I", icc, 128)[0], 12):
        if icc[at : at + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            struct.pack_into(">II", behind, at + 4, len(icc), len(curve))
    assert place > 0
    behind += curve
    struct.pack_into(">I", behind, 0, len(behind))
    return bytes(behind)


def parametric(kind, *numbers):
    return (
        b"para"
        + bytes(4)
        + struct.pack(">HH", kind, 0)
        + struct.pack(f">{len(numbers)}i", *(round(n * 65536) for n in numbers))
    )


CURVES = {
    "linear": b"curv" + bytes(4) + struct.pack(">I", 0),
    "gamma": parametric(0, 1.8),
    "CIE 122": parametric(1, 2.2, 1.02, -0.02),
    "IEC 61966-3": parametric(2, 2.2, 0.98, -0.02, 0.02),
    "sRGB-like": parametric(3, 2.0, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),
    "sRGB-like with offsets": parametric(4, 2.0, 0.94, 0.05, 0.07, 0.04, 0.001, 0.0005),
    "table": b"curv"
    + bytes(4)
    + struct.pack(">I", 256)
    + (np.linspace(0, 1, 256) ** 3 * 65535).astype(">u2").tobytes(),
}


def little_cms(values, icc):
    """Return 16-bit values as sRGB by Little CMS, relative colorimetric, which is in floats what formulas say.

    What has 16 bits it resamples by a table, with errors of several levels near black.
    """
    levels, target = (values / 65535).astype(np.float32), imagecodecs.cms_profile("srgb")
    return imagecodecs.cms_transform(levels, icc, target, colorspace="rgb", outcolorspace="rgb", intent=1)


@pytest.mark.parametrize("name", CURVES)
def test_rgb_is_as_little_cms_converts_it(tmp_path, name):
    icc = with_curve(CURVES[name])
    assert matrix_profiles.parse(icc) is not None
    image = images.load(write(tmp_path / "a.png", COLORS, icc))
    # Its primaries of sRGB differ from the published ones in the fourth digit, which dark channels beside bright show.
    np.testing.assert_allclose(image, little_cms(COLORS, icc).clip(0, 1), atol=0.25 / 255)


@pytest.mark.parametrize("gamma", [1.0, 461 / 256, 666 / 256])
@pytest.mark.parametrize("gray", [False, True])
def test_darks_are_right_to_a_fraction_of_a_level(tmp_path, gray, gamma):
    values = RAMP[None, :, None].repeat(1 if gray else 3, 2)
    image = images.load(write(tmp_path / "a.png", values, profile(gamma, gray=gray)))
    np.testing.assert_allclose(image, np.broadcast_to(srgb((values / 65535) ** gamma), image.shape), atol=0.1 / 255)


def test_gray_with_a_profile_of_rgb(tmp_path):
    image = images.load(write(tmp_path / "a.png", RAMP[None, :, None], profile(1.0)))
    expected = np.broadcast_to(srgb(RAMP / 65535)[None, :, None], image.shape)
    np.testing.assert_allclose(image, expected, atol=0.1 / 255)


@pytest.mark.parametrize(
    "damage",
    [
        lambda icc: icc.replace(b"rTRC", b"xTRC"),
        lambda icc: icc.replace(b"bTRC", b"A2B0"),
        lambda icc: icc.replace(b"curv", b"vruc"),
        lambda icc: icc[:200],
        lambda icc: icc[:128] + b"\xff" * 4 + icc[132:],
        lambda icc: b"",
    ],
)
def test_other_and_damaged_profiles_are_not_taken_for_one(damage):
    assert matrix_profiles.parse(profile(1.8)) is not None
    assert matrix_profiles.parse(damage(profile(1.8))) is None
