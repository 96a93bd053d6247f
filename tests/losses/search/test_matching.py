"""Nearest patches, exact and approximate, against all cosines in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors
from texjax.losses.search import matching, patches, patchmatch

PATCH, C = 2, 3


def feature_map(height: int, width: int, seed: int = 0, levels: int = 0) -> np.ndarray:
    """Features [h, w, C]; if `levels`, whole numbers below it, so that many patches are equal."""
    rng = np.random.default_rng(seed)
    values = rng.integers(levels, size=(height, width, C)) if levels else rng.standard_normal((height, width, C))
    return values.astype(np.float32)


def unit_rows(maps, stride: int, centered: bool = False) -> np.ndarray:
    """All patches [n, PATCH^2 C] in float64, of length 1 or 0."""
    rows = np.stack(
        [
            features[y : y + PATCH, x : x + PATCH].reshape(-1).astype(np.float64)
            for features in maps
            for y in range(0, features.shape[0] - PATCH + 1, stride)
            for x in range(0, features.shape[1] - PATCH + 1, stride)
        ]
    )
    rows -= rows.mean(1, keepdims=True) * centered
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def extract(maps, stride: int) -> patches.Patches:
    return patches.extract([jnp.asarray(features) for features in maps], PATCH, stride)


def block_bytes(queries: int, bank: int, length: int = PATCH**2 * C) -> int:
    """The bytes that a pair of blocks takes: two copies of the products and of both blocks' rows, in float32."""
    return 4 * 2 * (queries * bank + length * (queries + bank))


IMAGE, SOURCES = feature_map(7, 8), [feature_map(6, 5, seed=1), feature_map(4, 9, seed=2)]


# Blocks of one row, of several rows, and of all rows.
@pytest.mark.parametrize(("memory", "centered"), [(1, False), (block_bytes(5, 7), True), (2**28, False)])
def test_matches_have_the_largest_of_all_cosines(memory: int, centered: bool):
    match = matching.exact(extract([IMAGE], 1), extract(SOURCES, 1), patch=PATCH, centered=centered, memory=memory)
    cosines = unit_rows([IMAGE], 1, centered) @ unit_rows(SOURCES, 1, centered).T
    np.testing.assert_array_equal(match.index, cosines.argmax(1))
    np.testing.assert_allclose(match.response, cosines.max(1), rtol=1e-5)


@pytest.mark.parametrize("memory", [1, block_bytes(5, 4), 2**28])
def test_of_equally_near_patches_the_first_is_taken(memory: int):
    """Every source is there twice, so every maximum is there twice, to the last bit."""
    match = matching.exact(extract([IMAGE], 2), extract([*SOURCES, *SOURCES], 1), patch=PATCH, memory=memory)
    np.testing.assert_array_equal(match.index, (unit_rows([IMAGE], 2) @ unit_rows(SOURCES, 1).T).argmax(1))


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1))
def test_patches_of_two_levels_match_themselves(seed: int):
    """Rows of 0 and 1 are equal or far apart; of equal rows the first is taken, whatever block it is in."""
    image = feature_map(7, 8, seed, levels=2)
    match = matching.exact(extract([image], 1), extract([image], 1), patch=PATCH, memory=block_bytes(5, 7))
    rows = unit_rows([image], 1)
    cosines = np.round(rows @ rows.T, 6)
    np.testing.assert_array_equal(match.index, cosines.argmax(1))
    np.testing.assert_allclose(match.response, cosines.max(1), atol=1e-5)


@settings(max_examples=50)
@given(
    queries=st.integers(1, 20000),
    bank=st.integers(1, 200000),
    length=st.integers(1, 5000),
    memory=st.integers(1, 2**32),
)
def test_blocks_keep_to_the_budget_and_use_it(queries: int, bank: int, length: int, memory: int):
    height, width = matching.blocks(queries, bank, length, memory)
    assert 1 <= height <= queries
    assert 1 <= width <= bank
    assert block_bytes(height, width, length) <= max(memory, block_bytes(1, 1, length))
    # Twice as large blocks would exceed the budget; the added row is for the rounding to blocks of one size.
    whole = (height, width) == (queries, bank)
    assert whole or block_bytes(2 * height + 1, 2 * width + 1, length) > memory


def test_memory_stays_within_the_budget():
    """The temporaries of the compiled program; all similarities would take 20 MB, the rows of all patches 0.7 MB."""
    image, sources, memory = feature_map(48, 48), [feature_map(48, 49, seed=1)], 2**20
    match = jax.jit(lambda queries, bank: matching.exact(queries, bank, patch=PATCH, memory=memory))
    analysis = match.lower(extract([image], 1), extract(sources, 1)).compile().memory_analysis()
    assert analysis is not None
    assert analysis.temp_size_in_bytes < memory + 4 * (image.size + sources[0].size)


@pytest.mark.parametrize("memory", [1, block_bytes(50, 70), 2**28])
def test_bf16_candidates_are_compared_again_in_float32(memory: int):
    image, sources = feature_map(20, 20), [feature_map(24, 24, seed=1)]
    match = matching.exact(extract([image], 1), extract(sources, 1), patch=PATCH, precision="bf16", memory=memory)
    cosines = unit_rows([image], 1) @ unit_rows(sources, 1).T
    of_matches = cosines[np.arange(len(cosines)), np.asarray(match.index)]
    np.testing.assert_allclose(match.response, of_matches, atol=1e-6)
    # Only a patch of the same group can hide the nearest one. Rounding changes a factor by 2^-9 at most, and the
    # product of two unit rows by 2^-8; two products may swap places.
    assert (match.index == cosines.argmax(1)).mean() > 0.95
    assert (cosines.max(1) - of_matches).max() < 2 * 2**-8


def test_bf16_takes_no_dead_patch_and_the_first_of_equals():
    image, masks = feature_map(7, 8), [np.zeros((6, 5), np.float32), None]
    masks[0][1:4, 1:5] = 1
    sources = [SOURCES[0], SOURCES[0]]
    bank = patches.extract([jnp.asarray(source) for source in sources], PATCH, 1, [jnp.asarray(masks[0]), masks[1]])
    match = matching.exact(extract([image], 1), bank, patch=PATCH, precision="bf16")
    cosines = unit_rows([image], 1) @ unit_rows(sources, 1).T
    live = np.zeros((5, 4), bool)
    live[1:3, 1:4] = True
    cosines[:, :20][:, ~live.reshape(-1)] = -2
    np.testing.assert_array_equal(match.index, np.round(cosines, 6).argmax(1))


def test_settings_are_checked():
    with pytest.raises(errors.TexjaxError, match=r"unknown precision of matching 'float16'"):
        matching.check("float16", 2**28)
    with pytest.raises(
        errors.TexjaxError, match=r"memory \(bytes\) of the patch search is 0; give a whole number from 1"
    ):
        matching.check("float32", 0)
    matching.check("bf16", 2**40)


def smooth_map(side: int, seed: int) -> np.ndarray:
    """Features without jumps, like those of photographs."""
    wave = np.fft.rfft2(np.random.default_rng(seed).standard_normal((side, side, C)), axes=(0, 1))
    y, x = np.fft.fftfreq(side)[:, None, None], np.fft.rfftfreq(side)[None, :, None]
    return np.fft.irfft2(wave * np.exp(-200 * (x**2 + y**2)), (side, side), axes=(0, 1)).astype(np.float32) * 10


@pytest.mark.parametrize("hop", [1, 2])
def test_patchmatch_finds_a_crop_in_its_source(hop: int):
    """The image is a crop of one of two sources, so the place of each patch in it is the one match of cosine 1."""
    sources = [smooth_map(24, 1), smooth_map(24, 2)]
    image, bank = sources[1][3:19, 2:22], extract(sources, 1)
    queries, shape = extract([image], hop), patches.grid(image.shape, PATCH, hop)
    want = (unit_rows([image], hop) @ unit_rows(sources, 1).T).argmax(1).reshape(shape)
    field = patchmatch.start(jax.random.key(0), shape, bank)
    matches = [
        patchmatch.search(jax.random.key(1), queries, bank, field, patch=PATCH, hop=hop, steps=steps, memory=2**14)
        for steps in (1, 3, 10)
    ]
    recall = [float((np.asarray(match.index) == want).mean()) for match in matches]
    print(f"recall after 1, 3 and 10 steps: {recall}")
    assert recall[0] < recall[1] < recall[2]
    assert recall[2] > 0.95
    matched_rows = unit_rows(sources, 1)[np.asarray(matches[2].index).reshape(-1)]
    cosines = (unit_rows([image], hop) * matched_rows).sum(1)
    np.testing.assert_allclose(np.asarray(matches[2].response).reshape(-1), cosines, rtol=1e-5)
