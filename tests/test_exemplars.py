"""The procedural materials: each is a colored image with structure, tiles, and depends on nothing but its seed."""

import numpy as np
import pytest

from experiments import drawing, exemplars
from texjax import images

NAMES = sorted(exemplars.MATERIALS)


@pytest.fixture(scope="module")
def drawn():
    return {name: material(64, 0) for name, material in exemplars.MATERIALS.items()}


def test_there_are_enough_to_choose_from():
    assert len(NAMES) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_every_material_is_an_image(drawn, name):
    image = drawn[name]
    assert image.shape == (64, 64, 3) and image.dtype == np.float32
    assert image.min() >= 0 and image.max() <= 1
    assert image.mean(2).std() > 0.05 and 0.15 < image.mean() < 0.75  # light and shade, neither drowned
    assert np.ptp(image, axis=2).mean() > 0.01  # in color


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides(drawn, name):
    np.testing.assert_array_equal(exemplars.MATERIALS[name](64, 0), drawn[name])
    assert np.abs(exemplars.MATERIALS[name](64, 1) - drawn[name]).mean() > 0.02


@pytest.mark.parametrize("name", NAMES)
def test_every_material_tiles(drawn, name):
    """The step over the seam is like the steps within, while that of a picture that does not tile would be larger."""
    image = drawn[name]
    for axis in (0, 1):
        steps = np.abs(np.roll(image, -1, axis) - image).mean(axis=(1 - axis, 2))
        assert steps[-1] < steps[:-1].mean() + 4 * steps[:-1].std()


@pytest.mark.parametrize("name", NAMES)
def test_there_is_structure_at_several_sizes(drawn, name):
    gray = drawn[name].mean(2)
    power = np.abs(np.fft.fft2(gray - gray.mean())) ** 2
    f = np.fft.fftfreq(64, 1 / 64)
    r = np.hypot(f[:, None], f[None])
    share = [power[(low <= r) & (r < 2 * low)].sum() / power.sum() for low in (2, 4, 8, 16)]
    assert min(share) > 0.01, share


def test_noise_has_the_spectrum_it_is_asked_for():
    field = drawing.noise(np.random.default_rng(0), 256, fall=2)
    power = np.abs(np.fft.fft2(field)) ** 2
    f = np.fft.fftfreq(256, 1 / 256)
    r = np.hypot(f[:, None], f[None])
    near, far = (power[(low <= r) & (r < low + 2)].mean() for low in (10, 40))
    assert abs(field.mean()) < 1e-9 and abs(field.std() - 1) < 1e-9
    assert abs(np.log2(near / far) - 2 * 2 * np.log2(41 / 11)) < 0.6  # amplitude f ** -2 is power f ** -4


def test_cells_are_as_a_slow_search_finds_them():
    rng = np.random.default_rng(0)
    points, (y, x) = rng.random((9, 2)), drawing.grid(16)
    first, border, owner = drawing.worley(y, x, points)
    gap = np.abs(np.stack([y, x], -1)[:, :, None] - points)
    distance = np.sort(np.linalg.norm(np.minimum(gap, 1 - gap), axis=-1), -1)
    np.testing.assert_array_equal(owner, np.linalg.norm(np.minimum(gap, 1 - gap), axis=-1).argmin(-1))
    np.testing.assert_allclose(first, distance[..., 0], atol=1e-12)
    np.testing.assert_allclose(border, (distance[..., 1] - distance[..., 0]) / 2, atol=1e-4)


def test_main_writes_every_material(tmp_path, drawn):
    exemplars.main([str(tmp_path / "new"), "--size", "64"])
    assert sorted(path.stem for path in images.sources(tmp_path / "new")) == NAMES
    assert np.abs(images.load(tmp_path / "new" / "bark.png") - drawn["bark"]).max() <= 0.5 / 255 + 1e-7
