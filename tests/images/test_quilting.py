"""Quilting: its errors and cuts against exhaustive search, and where the pixels of a quilt come from."""

import itertools

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given
from hypothesis import strategies as st

from texjax import errors
from texjax.images import quilting

SIDES = list(itertools.product([False, True], repeat=4))


def quilt(sources: list[np.ndarray], size: tuple[int, int], seed: int = 0, **settings) -> np.ndarray:
    return quilting.quilt(sources, size, np.random.default_rng(seed), **settings)


def paths(rows: int, columns: int) -> list[tuple[int, ...]]:
    """All columns from row to row that move by one at most."""
    return [
        path
        for path in itertools.product(range(columns), repeat=rows)
        if all(abs(a - b) <= 1 for a, b in itertools.pairwise(path))
    ]


@given(seed=st.integers(0, 2**31 - 1), rows=st.integers(1, 5), columns=st.integers(1, 4))
def test_no_path_is_cheaper_than_the_cut(seed: int, rows: int, columns: int):
    costs = np.random.default_rng(seed).random((rows, columns))
    path = tuple(int(column) for column in quilting.cut(costs))
    assert path in paths(rows, columns)
    sums = [costs[np.arange(rows), list(other)].sum() for other in paths(rows, columns)]
    assert costs[np.arange(rows), list(path)].sum() == pytest.approx(min(sums), abs=1e-12)


@pytest.mark.parametrize("sides", SIDES)
def test_a_block_covers_what_lies_within_its_cuts(sides: tuple[bool, bool, bool, bool]):
    costs = np.random.default_rng(0).random((9, 9))
    want = np.ones((9, 9), bool)
    for side, turns in zip(sides, (1, 3, 0, 2), strict=True):
        if not side:
            continue
        # Turned until the side is on the left: the top by a quarter counterclockwise, and so on.
        turned = np.rot90(costs, turns)
        path = min(paths(9, 3), key=lambda path: turned[np.arange(9), list(path)].sum())
        want &= np.rot90(np.arange(9) >= np.array(path)[:, None], -turns)
    np.testing.assert_array_equal(quilting.cover(costs, 3, sides), want)


@pytest.mark.parametrize("channels", [1, 3])
def test_errors_are_those_of_every_window(channels: int):
    rng = np.random.default_rng(0)
    source, block, mask = rng.random((11, 14, channels)), rng.random((4, 4, channels)), rng.random((4, 4)) < 0.5
    windows = np.lib.stride_tricks.sliding_window_view(source, (4, 4), (0, 1))
    want = ((windows - np.moveaxis(block, -1, 0)) ** 2 * mask).sum((2, 3, 4))
    got = quilting.errors(quilting.spectrum(source), (11, 14), block, mask)
    np.testing.assert_allclose(got, want, atol=1e-12)


@pytest.mark.parametrize("sides", SIDES)
def test_overlaps_are_along_the_sides(sides: tuple[bool, bool, bool, bool]):
    top, bottom, left, right = sides
    mask = quilting.overlaps(5, 2, sides)
    for y, x in itertools.product(range(5), repeat=2):
        assert mask[y, x] == ((top and y < 2) or (bottom and y >= 3) or (left and x < 2) or (right and x >= 3))


def test_all_that_fit_nearly_best_are_drawn_and_nothing_else():
    costs = [np.array([[1.0, 1.09, 3.0]]), np.array([[1.11, 1.05], [9.0, 1.0]])]
    rng = np.random.default_rng(0)
    assert {quilting.draw(costs, rng) for _ in range(100)} == {(0, 0, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1)}


@given(length=st.integers(1, 60), block=st.integers(1, 20), part=st.floats(0, 0.5), tile=st.booleans())
def test_blocks_leave_no_gaps(length: int, block: int, part: float, tile: bool):
    block = min(block, length)
    overlap = min(int(part * block), block - 1)
    begins = quilting.places(length, block, overlap, tile)
    assert begins[0] == 0
    distances = np.diff([*begins, length] if tile else begins)
    assert ((distances > 0) & (distances <= block - overlap)).all()
    if not tile:
        assert begins[-1] + block == length


def coded(height: int, width: int) -> np.ndarray:
    """A picture whose first two channels are the row and the column of each pixel, and the third noise."""
    rows, columns = np.mgrid[:height, :width] / 64
    return np.stack([rows, columns, np.random.default_rng(0).random((height, width))], -1).astype(np.float32)


@pytest.mark.parametrize("tile", [False, True])
def test_each_block_is_a_window_of_the_source(tile: bool):
    source = coded(40, 36)
    image = quilt([source], (50, 60), block=18, tile=tile)
    origin = np.round(image[..., :2] * 64).astype(int)
    np.testing.assert_array_equal(image, source[origin[..., 0], origin[..., 1]])
    shift = origin - np.moveaxis(np.mgrid[:50, :60], 0, -1)
    tops, lefts = (quilting.places(length, 18, 3, tile) for length in (50, 60))
    shifts = set()
    for (top, below), (left, beside) in itertools.product(itertools.pairwise(tops), itertools.pairwise(lefts)):
        inner = shift[top + 6 : below, left + 6 : beside]  # blocks of 18 at distances of 12 or more overlap by 6
        assert (inner == inner[0, 0]).all()
        shifts.add(tuple(inner[0, 0]))
    assert len(shifts) > 3


@pytest.mark.parametrize("tile", [False, True])
def test_a_periodic_source_goes_on(tile: bool):
    """There is a window that fits exactly, everywhere, and others do not fit at all."""
    pattern = np.random.default_rng(0).random((5, 7, 3)).astype(np.float32)
    image = quilt([np.tile(pattern, (5, 4, 1))], (40, 42), block=12, tile=tile)
    whole = np.tile(pattern, (8, 6, 1))
    moved = [np.roll(whole, (dy, dx), (0, 1)) for dy in range(5) for dx in range(7)]
    assert min(np.abs(image - other).max() for other in moved) == 0


@pytest.mark.parametrize("axis", [0, 1])
def test_a_quilt_that_tiles_has_no_seam(axis: int):
    """The largest steps in the six pixels to each side of the edge, where the last cut and the first one lie."""
    white = np.random.default_rng(1).random((80, 80, 1))
    smooth = scipy.ndimage.gaussian_filter(white, (3, 3, 0), mode="wrap")
    source = (smooth / smooth.std()).astype(np.float32)
    largest = {}
    for tile in (False, True):
        images = np.stack([quilt([source], (60, 64), seed, block=24, tile=tile) for seed in range(4)])
        steps = np.abs(images - np.roll(images, 1, axis + 1))
        largest[tile] = np.take(steps, range(-6, 6), axis + 1).max(axis + 1).mean()
    assert largest[True] < largest[False] / 2


def test_the_random_numbers_decide():
    source = coded(30, 30)
    first, again, other = (quilt([source], (40, 40), seed, block=12) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1


def test_all_sources_are_seen():
    levels = np.array([0.0, 0.25, 0.5], np.float32)
    flat = [np.full((9, 20, 1), level) for level in levels]
    firsts = {float(quilt(flat, (12, 12), seed, block=6)[0, 0, 0]) for seed in range(40)}
    assert firsts == set(levels.tolist())


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 9, 3), (3, 2, 3)])
@pytest.mark.parametrize("tile", [False, True])
def test_blocks_are_no_larger_than_the_pictures(shape: tuple[int, int, int], tile: bool):
    source = np.random.default_rng(0).random(shape).astype(np.float32)
    image = quilt([source], (5, 4), tile=tile)
    assert image.shape == (5, 4, shape[2])
    assert {tuple(pixel) for pixel in image.reshape(-1, shape[2])} <= {tuple(p) for p in source.reshape(-1, shape[2])}


@pytest.mark.parametrize("block", [0, True])
def test_a_block_that_cannot_be(block):
    with pytest.raises(errors.TexjaxError, match="block of the quilt is"):
        quilt([coded(9, 9)], (9, 9), block=block)
