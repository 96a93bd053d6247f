"""The displacement score against a brute-force search by SciPy, and in cases whose answer is known."""

import numpy as np
import pytest
import scipy.spatial.distance
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import measures
from texjax.measures import displacement


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((height, width, 3)).astype(np.float32)


def patches(picture: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    h, w = (n - 4 for n in picture.shape[:2])
    return {(i, j): picture[i : i + 5, j : j + 5].ravel() for i in range(h) for j in range(w)}


def brute_force(result: np.ndarray, sources: list[np.ndarray]) -> float:
    """Return the score by comparing all patches in float64; pairs begin at pixels that have both neighbors."""
    bank = {(n, *position): patch for n, source in enumerate(sources) for position, patch in patches(source).items()}
    positions, queries = list(bank), patches(result)
    nearest = scipy.spatial.distance.cdist(np.stack(list(queries.values())), np.stack(list(bank.values()))).argmin(1)
    displacements = {
        (i, j): (positions[k][0], positions[k][1] - i, positions[k][2] - j)
        for (i, j), k in zip(queries, nearest, strict=True)
    }
    pairs = [
        (displacements[i, j], displacements[other])
        for i, j in queries
        if (i + 1, j) in queries and (i, j + 1) in queries
        for other in ((i + 1, j), (i, j + 1))
    ]
    return sum(a != b for a, b in pairs) / len(pairs)


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32 - 1), height=st.integers(6, 20), width=st.integers(6, 20))
def test_equals_brute_force(seed: int, height: int, width: int):
    sources = [noise(12, 17, seed), noise(21, 9, seed + 1)]
    result = noise(height, width, seed + 2)
    # Pieces of both sources keep the score from being 1.
    first, second = sources[0][2:10, 3:10][:height, :width], sources[1][7:15, 1:8][:height, :width]
    result[: len(first), : first.shape[1]] = first
    result[-len(second) :, -second.shape[1] :] = second
    assert measures.displacement_score(result, sources) == pytest.approx(brute_force(result, sources), abs=1e-12)


@settings(max_examples=10)
@given(top=st.integers(0, 20), left=st.integers(0, 10))
def test_a_translated_copy_is_displaced_as_one(top: int, left: int):
    source = noise(50, 40)
    assert measures.displacement_score(source[top : top + 30, left : left + 30], [noise(20, 20, 1), source]) == 0


def test_permuted_pixels_are_displaced_differently():
    # The score stays below 1, as neighboring patches share 20 of their 25 pixels and may be nearest to the same place.
    source = noise(48, 48)
    shuffled = np.random.default_rng(1).permutation(source.reshape(-1, 3)).reshape(48, 48, 3)
    assert measures.displacement_score(shuffled, [source]) > 0.75


def test_two_copies_side_by_side():
    # The 36 x 31 patches make 35 x 30 x 2 pairs. Only patches across the seam can be displaced differently. They start
    # in the four columns left of it, and their pairs start in five columns (in the fifth only the pairs to the right).
    source = noise(60, 60)
    result = np.concatenate([source[:40, :20], source[20:, 35:50]], 1)
    got = measures.displacement_score(result, [source])
    assert 35 * 1 / (35 * 30 * 2) <= got <= (35 * 5 + 35 * 4) / (35 * 30 * 2)


def test_a_sample_of_larger_pictures(monkeypatch):
    source = noise(60, 60)
    result = np.concatenate([source[:, :30], noise(60, 60, 1)[:, :30]], 1)
    whole = measures.displacement_score(result, [source])
    monkeypatch.setattr(displacement, "COMPARISONS", 0)
    pixels = displacement._sample((56, 56), 56 * 56)
    # 55 x 55 pixels have both neighbors, and every second row and column is the densest grid of at most 1024 of them.
    assert len(pixels) == 28 * 28 and (pixels % 2 == 0).all() and pixels.max() == 54
    assert measures.displacement_score(result, [source]) == pytest.approx(whole, abs=0.03)
