"""Pictures that will be reduced: decoded at a smaller size where formats can, with nearly the same result."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from texjax import images
from texjax.images import decoding

Y, X = np.mgrid[:480, :640] / 40


def photograph(noise: float = 6.0) -> np.ndarray:
    """Smooth shapes with some noise, uint8 [480, 640, 3]."""
    waves = np.stack([np.sin(X) * np.cos(Y), np.sin(X + Y), np.cos(X * 0.7)], -1)
    return (128 + 90 * waves + np.random.default_rng(0).normal(0, noise, waves.shape)).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("width", "decoded"), [(100, 320), (60, 320), (53, 160), (20, 80), (300, 640)])
@pytest.mark.parametrize("turned", [1, 6])
def test_a_jpeg_is_decoded_at_a_fraction_of_its_sides(tmp_path: Path, width: int, decoded: int, turned: int):
    exif = Image.Exif()
    exif[0x0112] = turned
    path = tmp_path / "a.jpg"
    Image.fromarray(photograph()).save(path, quality=95, exif=exif)
    height = round(width * 0.75)
    wanted = (width, height) if turned == 1 else (height, width)
    small = decoding.decode(path.read_bytes(), path, None, wanted).color
    assert small.shape == (decoded * 3 // 4, decoded, 3)
    full = images.load(path)
    assert full.shape[:2] == ((480, 640) if turned == 1 else (640, 480))
    image = images.load(path, width=wanted[0])
    assert image.shape[:2] == wanted[::-1]
    # Pillow's own Lanczos of all pixels.
    channels = [Image.fromarray(full[..., k]).resize(wanted, Image.Resampling.LANCZOS) for k in range(3)]
    difference = np.abs(image - np.stack([np.asarray(channel) for channel in channels], -1).clip(0, 1))
    assert difference.mean() < 0.4 / 255 and difference.max() < 4 / 255


def test_other_formats_are_decoded_in_full(tmp_path: Path):
    path = tmp_path / "a.png"
    Image.fromarray(photograph()).save(path)
    assert decoding.decode(path.read_bytes(), path, None, (20, 15)).color.shape == (480, 640, 3)


@pytest.fixture
def pyramid(tmp_path: Path) -> Path:
    """A TIFF whose levels have a mark each: 255 - 50 k in the corner of level k."""
    path = tmp_path / "pyramid.tif"
    with tifffile.TiffWriter(path) as file:
        for k in range(4):
            level = photograph(0.0)[:: 2**k, :: 2**k].copy()
            level[:4, :4] = 255 - 50 * k
            file.write(level, photometric="rgb", subfiletype=int(k > 0), compression="zlib")
        stranger = np.full((300, 640, 3), 7, np.uint8)
        file.write(stranger, photometric="rgb", subfiletype=1)
    return path


@pytest.mark.parametrize(
    ("wanted", "level"), [((640, 480), 0), ((110, 80), 0), ((106, 80), 1), ((40, 30), 2), ((9, 7), 3)]
)
def test_the_page_of_a_pyramid_that_has_room(pyramid: Path, wanted: tuple[int, int], level: int):
    color = decoding.decode(pyramid.read_bytes(), pyramid, None, wanted).color
    assert color.shape[:2] == (480 // 2**level, 640 // 2**level)
    assert color[0, 0, 0] == pytest.approx((255 - 50 * level) / 255)
    assert images.load(pyramid).shape == (480, 640, 3)


def test_copies_of_another_shape_are_no_copies(pyramid: Path):
    """The page of 640 x 300 px has room, but does not show the same."""
    color = decoding.decode(pyramid.read_bytes(), pyramid, None, (213, 100)).color
    assert color.shape[:2] == (480, 640)
