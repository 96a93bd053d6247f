"""JPEG 2000 and AVIF of more than 8 bits, as imagecodecs writes them without loss."""

import sys

import imagecodecs
import numpy as np
import pytest

from texjax import errors, images

RNG = np.random.default_rng(0)
SHAPE = (24, 20)


@pytest.fixture
def no_imagecodecs(monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)


def levels(bits, channels):
    """A ramp [h, w, c] from black to white with noise, of so many bits, and what it means in [0, 1]."""
    white = 2**bits - 1
    ramp = np.linspace(-0.1, 1.1, SHAPE[0] * SHAPE[1]).reshape(*SHAPE, 1) + 0.1 * RNG.standard_normal(
        (*SHAPE, channels)
    )
    values = np.rint(ramp.clip(0, 1) * white).astype(np.uint8 if bits == 8 else np.uint16)
    return values, values / white


def over_white(levels):
    if levels.shape[2] == 4:
        levels = levels[..., :3] * levels[..., 3:] + 1 - levels[..., 3:]
    return np.broadcast_to(levels, (*SHAPE, 3))


def jpeg2000(path, values, bits, container="jp2"):
    squeezed = values[..., 0] if values.shape[2] == 1 else values
    path.write_bytes(imagecodecs.jpeg2k_encode(squeezed, bitspersample=bits, reversible=True, codecformat=container))
    return path


@pytest.mark.parametrize("container", ["jp2", "j2k"])
@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
def test_jpeg_2000(tmp_path, bits, channels, container):
    values, expected = levels(bits, channels)
    image = images.load(jpeg2000(tmp_path / "a.jp2", values, bits, container), alpha="over")
    np.testing.assert_allclose(image, over_white(expected), atol=2e-7)


@pytest.mark.parametrize(("bits", "channels"), [(9, 1), (10, 3), (16, 3), (16, 4)])
def test_jpeg_2000_without_imagecodecs_is_refused(tmp_path, no_imagecodecs, bits, channels):
    path = jpeg2000(tmp_path / "a.jp2", levels(bits, channels)[0], bits)
    with pytest.raises(errors.TexjaxError, match=rf"JPEG 2000 of {bits} bits .* needs .* 'texjax\[codecs\]', or save"):
        images.load(path)


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_gray_jpeg_2000_needs_no_imagecodecs(tmp_path, no_imagecodecs, bits):
    values, expected = levels(bits, 1)
    image = images.load(jpeg2000(tmp_path / "a.jp2", values, bits))
    np.testing.assert_allclose(image[..., :1], expected, atol=1 / 2**bits)  # Pillow shifts to 16 bits, and 1 is less


def test_the_limit_of_pixels_holds_for_jpeg_2000(tmp_path):
    path = jpeg2000(tmp_path / "a.jp2", levels(12, 3)[0], 12)
    with pytest.raises(errors.TexjaxError, match="20 x 24 = 480 pixels are more than the limit of 479"):
        images.load(path, max_pixels=479)


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [3, 4])
def test_avif(tmp_path, bits, channels):
    # At level 100 only the conversion to YCC and back is lossy.
    values, expected = levels(bits, channels)
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(values, level=100, bitspersample=bits, pixelformat="444"))
    np.testing.assert_allclose(images.load(tmp_path / "a.avif", alpha="over"), over_white(expected), atol=2.5 / 2**bits)


def test_avif_without_imagecodecs_is_reduced_and_says_so(tmp_path, no_imagecodecs):
    values, expected = levels(10, 3)
    (tmp_path / "a.avif").write_bytes(imagecodecs.avif_encode(values, level=100, bitspersample=10, pixelformat="444"))
    with pytest.warns(errors.TexjaxWarning, match=r"a\.avif: 10 bits per channel were reduced to 8; pip install"):
        image = images.load(tmp_path / "a.avif")
    np.testing.assert_allclose(image, expected, atol=2 / 255)
