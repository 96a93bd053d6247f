"""The methods to compare with: where their pixels come from, patterns that go on, and what they refuse."""

import importlib.util
import itertools

import numpy as np
import pytest

from experiments import baselines
from texjax import errors, images
from texjax.images import quilting

RANDOM = np.random.default_rng(0).random((24, 26, 3)).astype(np.float32)
PATTERN = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]], np.float32)


def checkerboard(height: int, width: int) -> np.ndarray:
    """Squares of two pixels."""
    board = np.tile(PATTERN, (height // 4 + 1, width // 4 + 1))[:height, :width]
    return np.repeat(board[..., None], 3, axis=2)


@pytest.mark.parametrize("name", ["efros_leung", "quilting"])
def test_pixels_come_from_the_source_and_the_seed_decides(name: str):
    first, again, other = (baselines.BASELINES[name](RANDOM, (20, 23), seed) for seed in (0, 0, 1))
    assert first.shape == (20, 23, 3) and first.dtype == np.float32
    assert {tuple(pixel) for pixel in first.reshape(-1, 3)} <= {tuple(pixel) for pixel in RANDOM.reshape(-1, 3)}
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


@pytest.mark.parametrize("size", [(32, 32), (17, 30), (1, 9)])
def test_efros_leung_goes_on_with_a_checkerboard(size: tuple[int, int]):
    image = baselines.efros_leung(checkerboard(16, 18), size, 0, window=7)
    boards = [np.roll(checkerboard(32, 32), shift, (0, 1))[: size[0], : size[1]] for shift in np.ndindex(4, 4)]
    assert any(np.array_equal(image, board) for board in boards)


def test_efros_leung_draws_as_a_plain_loop_would():
    """Values are those of all windows within 1.1 of the least Gaussian-weighted error of the filled pixels."""
    source, rng = RANDOM[:9, :10], np.random.default_rng(1)
    patch, filled = rng.random((5, 5, 3)), rng.random((5, 5)) < 0.4
    weights = np.array([[np.exp(-(y**2 + x**2) / 2 / (5 / 6.4) ** 2) for x in range(-2, 3)] for y in range(-2, 3)])
    costs = {}
    for y, x in itertools.product(range(5), range(6)):
        difference = ((source[y : y + 5, x : x + 5] - patch) ** 2).mean(-1)
        costs[y, x] = (weights * filled * difference).sum() / (weights * filled).sum()
    least = min(costs.values())
    want = {tuple(source[y + 2, x + 2]): cost for (y, x), cost in costs.items() if cost <= 1.1 * least}
    bank = baselines.Bank(source, 5)
    got = {}
    for _ in range(60):
        values, chosen = bank.draw(patch.reshape(1, 25, 3), filled.reshape(1, 25), rng)
        got[tuple(values[0])] = chosen[0]
    assert got == pytest.approx(want, abs=1e-9)


def test_pixels_that_are_filled_together_do_not_see_each_other():
    pixels = np.random.default_rng(0).permutation(np.argwhere(np.ones((9, 11))))[:40]
    groups = list(baselines.apart(pixels, 3))
    for group in groups:
        distances = np.abs(group[:, None] - group).max(-1)
        assert (distances[~np.eye(len(group), dtype=bool)] > 3).all()
    assert sorted(map(tuple, np.concatenate(groups))) == sorted(map(tuple, pixels))
    np.testing.assert_array_equal(groups[0][0], pixels[0])


@pytest.mark.parametrize("window", [4, 1, 25])
def test_a_window_that_cannot_be(window: int):
    with pytest.raises(
        errors.TexjaxError, match=f"window of efros_leung is {window}; give an odd number from 3 to the"
    ):
        baselines.efros_leung(RANDOM, (9, 9), 0, window=window)


def test_quilting_is_that_of_the_library():
    want = quilting.quilt([RANDOM], (20, 23), np.random.default_rng(3), block=9)
    np.testing.assert_array_equal(baselines.quilting(RANDOM, (20, 23), 3, block=9), want)


@pytest.mark.skipif(importlib.util.find_spec("plenoptic") is not None, reason="the extra `baselines` is installed")
def test_what_is_missing_is_told():
    with pytest.raises(errors.TexjaxError, match="plenoptic is not installed"):
        baselines.portilla_simoncelli(RANDOM, (16, 16), 0)


def test_portilla_simoncelli_moves_toward_the_statistics():
    """Quiet noise becomes about as rich in contrast as its source."""
    pytest.importorskip("plenoptic", reason="the extra `baselines` is not installed")
    source = (
        0.2 + 0.2 * checkerboard(128, 128) + 0.05 * np.random.default_rng(0).random((128, 128, 3)).astype(np.float32)
    )
    image = baselines.portilla_simoncelli(source, (128, 128), 0, iterations=25)
    assert image.shape == (128, 128, 3) and image.dtype == np.float32
    assert image.mean() == pytest.approx(source.mean(), abs=0.03)
    assert image.std() == pytest.approx(source.std(), abs=0.05)
    for size in ((128, 60), (128, 112), (144, 128)):
        with pytest.raises(errors.TexjaxError, match="multiples of 16, at least 128, up to the source's 128 x 128"):
            baselines.portilla_simoncelli(source, size, 0)


def test_the_command_writes_a_picture(tmp_path):
    images.save(tmp_path / "source.png", RANDOM)
    words = ["quilting", tmp_path / "source.png", tmp_path / "out.png", "--size", 21, 18, "--seed", 2]
    baselines.main([str(word) for word in words])
    image = images.load(tmp_path / "out.png")
    want = baselines.quilting(images.load(tmp_path / "source.png"), (18, 21), 2)
    np.testing.assert_allclose(image, want, atol=0.5 / 255 + 1e-6)
