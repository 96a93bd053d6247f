"""Nearest patches, exact and approximate, against all cosines in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax.losses.search import matching, patches, patchmatch

PATCH, C = 2, 3


def maps(height: int, width: int, seed: int = 0, levels: int = 0) -> np.ndarray:
    """Features [h, w, C]; of few levels, so that many patches are alike, if `levels`."""
    rng = np.random.default_rng(seed)
    values = rng.integers(levels, size=(height, width, C)) if levels else rng.standard_normal((height, width, C))
    return values.astype(np.float32)


def rows(sources, stride: int, centered: bool = False) -> np.ndarray:
    """All patches [n, PATCH^2 C] in float64, of length 1 or 0."""
    found = np.stack(
        [
            source[y : y + PATCH, x : x + PATCH].reshape(-1).astype(np.float64)
            for source in sources
            for y in range(0, source.shape[0] - PATCH + 1, stride)
            for x in range(0, source.shape[1] - PATCH + 1, stride)
        ]
    )
    found -= found.mean(1, keepdims=True) * centered
    return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)


def of(sources, stride: int) -> patches.Patches:
    return patches.of([jnp.asarray(source) for source in sources], PATCH, stride)


def budget(queries: int, bank: int) -> int:
    """The bytes that blocks of this size take."""
    return 4 * matching.COPIES * (queries * bank + PATCH**2 * C * (queries + bank))


IMAGE, SOURCES = maps(7, 8), [maps(6, 5, seed=1), maps(4, 9, seed=2)]


# A row each, some, all at once.
@pytest.mark.parametrize(("memory", "centered"), [(1, False), (budget(5, 7), True), (2**28, False)])
def test_matches_are_those_of_all_cosines(memory: int, centered: bool):
    found = matching.exact(of([IMAGE], 1), of(SOURCES, 1), patch=PATCH, centered=centered, memory=memory)
    cosines = rows([IMAGE], 1, centered) @ rows(SOURCES, 1, centered).T
    np.testing.assert_array_equal(found.index, cosines.argmax(1))
    np.testing.assert_allclose(found.response, cosines.max(1), rtol=1e-5)


@pytest.mark.parametrize("memory", [1, budget(5, 4), 2**28])
def test_of_equally_near_ones_the_first_is_taken(memory: int):
    """The sources come twice, so that each maximum is there twice, to the last bit."""
    found = matching.exact(of([IMAGE], 2), of([*SOURCES, *SOURCES], 1), patch=PATCH, memory=memory)
    np.testing.assert_array_equal(found.index, (rows([IMAGE], 2) @ rows(SOURCES, 1).T).argmax(1))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_patches_of_few_levels_find_themselves(seed: int):
    """Rows of 0 and 1 are alike or far apart; the first of those alike is taken, in any block."""
    image = maps(7, 8, seed, levels=2)
    found = matching.exact(of([image], 1), of([image], 1), patch=PATCH, memory=budget(5, 7))
    own = rows([image], 1)
    cosines = np.round(own @ own.T, 6)
    np.testing.assert_array_equal(found.index, cosines.argmax(1))
    np.testing.assert_allclose(found.response, cosines.max(1), atol=1e-5)


@settings(max_examples=50)
@given(
    queries=st.integers(1, 20000),
    bank=st.integers(1, 200000),
    length=st.integers(1, 5000),
    memory=st.integers(1, 2**32),
)
def test_blocks_hold_the_budget_and_are_not_needlessly_small(queries: int, bank: int, length: int, memory: int):
    def size(a: int, b: int) -> int:
        return 4 * matching.COPIES * (a * b + length * (a + b))

    a, b = matching.blocks(queries, bank, length, memory)
    assert 1 <= a <= queries
    assert 1 <= b <= bank
    assert size(a, b) <= max(memory, size(1, 1))
    # Twice as large blocks would have no room, but for the rows that make all blocks one size.
    assert (a, b) == (queries, bank) or size(2 * a + 1, 2 * b + 1) > memory


def test_memory_stays_within_the_budget():
    """What a compiled program says it needs besides the maps; all similarities would be 20 MB, all patches 0.7 MB."""
    image, sources, memory = maps(48, 48), [maps(48, 49, seed=1)], 2**20
    find = jax.jit(lambda a, b: matching.exact(a, b, patch=PATCH, memory=memory))
    analysis = find.lower(of([image], 1), of(sources, 1)).compile().memory_analysis()
    assert analysis is not None
    assert analysis.temp_size_in_bytes < memory + 4 * (image.size + sources[0].size)


def test_bf16_finds_nearly_as_near_ones():
    image, sources = maps(20, 20), [maps(24, 24, seed=1)]
    found = matching.exact(of([image], 1), of(sources, 1), patch=PATCH, precision="bf16")
    cosines = rows([image], 1) @ rows(sources, 1).T
    near = cosines[np.arange(len(cosines)), np.asarray(found.index)]
    assert (found.index == cosines.argmax(1)).mean() > 0.85
    # A rounded factor is off by 2^-9 at most, of two unit rows the product by 2^-8; two such may be exchanged.
    assert (cosines.max(1) - near).max() < 2 * 2**-8
    np.testing.assert_allclose(found.response, cosines.max(1), atol=2**-8)
    assert np.abs(np.asarray(found.response) - cosines.max(1)).max() > 1e-5  # it is bf16 indeed


def smooth(side: int, seed: int) -> np.ndarray:
    """Features without jumps, as those of pictures are."""
    wave = np.fft.rfft2(np.random.default_rng(seed).standard_normal((side, side, C)), axes=(0, 1))
    y, x = np.fft.fftfreq(side)[:, None, None], np.fft.rfftfreq(side)[None, :, None]
    return np.fft.irfft2(wave * np.exp(-200 * (x**2 + y**2)), (side, side), axes=(0, 1)).astype(np.float32) * 10


@pytest.mark.parametrize("hop", [1, 2])
def test_patchmatch_finds_a_picture_within_another(hop: int):
    """A part of one of two sources: each patch's own place is the one match of cosine 1."""
    sources = [smooth(24, 1), smooth(24, 2)]
    image, bank = sources[1][3:19, 2:22], of(sources, 1)
    queries, shape = of([image], hop), patches.grid(image.shape, PATCH, hop)
    want = (rows([image], hop) @ rows(sources, 1).T).argmax(1).reshape(shape)
    recall = []
    for steps in (1, 3, 10):
        field = patchmatch.start(jax.random.key(0), shape, bank)
        found = patchmatch.search(
            jax.random.key(1), queries, bank, field, patch=PATCH, hop=hop, steps=steps, memory=2**14
        )
        recall.append(float((np.asarray(found.index) == want).mean()))
    print(f"recall after 1, 3 and 10 steps: {recall}")
    assert recall[0] < recall[1] < recall[2]
    assert recall[2] > 0.95
    cosines = (rows([image], hop)[:, None] * rows(sources, 1)[np.asarray(found.index).reshape(-1), None]).sum((1, 2))
    np.testing.assert_allclose(np.asarray(found.response).reshape(-1), cosines, rtol=1e-5)
