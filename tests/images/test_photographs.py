"""Crops of photographs: which ones, where they are from, and that they follow from seed and step alone."""

import builtins
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from texjax import errors
from texjax.images import photographs

SIZE = (16, 8)  # width, height


@pytest.fixture
def paths(tmp_path) -> list[Path]:
    """Five photographs of 30 x 14 px: red is the column, green the row, and blue the number of the photograph."""
    rows, columns = np.indices((14, 30))
    for i in range(5):
        levels = np.stack([columns, rows, np.full_like(rows, 50 * i)], -1).astype(np.uint8)
        Image.fromarray(levels).save(tmp_path / f"{i}.png")
    return sorted(tmp_path.iterdir())


def levels(crops: np.ndarray) -> np.ndarray:
    return np.rint(crops * 255).astype(int)


def test_crops_are_parts_of_photographs(paths):
    read = photographs.crops(paths, SIZE, 3, seed=1)
    corners = set()
    for step in range(4):
        crops = read(step)
        assert (crops.shape, crops.dtype) == ((3, 8, 16, 3), np.float32)
        for crop in levels(crops):
            left, top, blue = crop[0, 0]
            assert 0 <= left <= 30 - 16 and 0 <= top <= 14 - 8
            rows, columns = np.indices((8, 16))
            np.testing.assert_array_equal(crop, np.stack([columns + left, rows + top, np.full_like(rows, blue)], -1))
            corners.add((left, top))
    assert len(corners) > 6


def test_every_photograph_is_used_before_any_is_used_again(paths):
    read = photographs.crops(paths, SIZE, 5, seed=0)
    rounds = [[crop[0, 0, 2] // 50 for crop in levels(read(step))] for step in range(4)]
    assert all(sorted(numbers) == [0, 1, 2, 3, 4] for numbers in rounds)
    assert len(set(map(tuple, rounds))) > 1


def test_seed_and_step_decide(paths):
    first, again, other = (photographs.crops(paths, SIZE, 2, seed) for seed in (7, 7, 8))
    later = first(5)
    np.testing.assert_array_equal(later, again(5))  # without the steps before
    assert (later != first(6)).any() and (later != other(5)).any()


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((14, 30), (14, 30)),  # at most twice as large along one axis
        ((16, 40), (16, 40)),
        ((80, 80), (32, 32)),  # twice the width of a crop
        ((40, 400), (16, 160)),  # twice the height
        ((4, 16), (8, 32)),  # too low
        ((6, 4), (24, 16)),  # too small, and more so in width
    ],
)
def test_sizes(shape, expected, tmp_path):
    Image.fromarray(np.zeros((*shape, 3), np.uint8)).save(tmp_path / "a.png")
    assert photographs.read(tmp_path / "a.png", SIZE).shape == (*expected, 3)


def test_gray_crops(paths):
    """Luminance by the weights of Rec. 601, as in `images.colors`."""
    color, gray = (photographs.crops(paths, SIZE, 2, 0, channels=channels)(3) for channels in (3, 1))
    np.testing.assert_allclose(gray[..., 0], color @ np.array([0.299, 0.587, 0.114]), atol=1e-3)


def test_what_cannot_be_read_is_named(paths):
    paths[2].write_bytes(b"no picture")
    read = photographs.crops(paths, SIZE, 5, 0)
    with pytest.raises(errors.TexjaxError, match=r"2\.png: this is no picture"):
        read(0)


def test_without_grain(paths, monkeypatch):
    load = builtins.__import__

    def without_grain(name, *arguments):
        if name == "grain":
            raise ImportError(name)
        return load(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_grain)
    with pytest.raises(errors.TexjaxError, match=r"pip install 'texjax\[train\]'"):
        photographs.crops(paths, SIZE, 1, 0)
