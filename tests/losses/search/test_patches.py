"""Patches of maps, and maps assembled from patches, against loops in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from texjax.losses.search import patches

C = 3
RNG = np.random.default_rng(0)
MAPS = [RNG.standard_normal((7, 9, C)).astype(np.float32), RNG.standard_normal((5, 6, C)).astype(np.float32)]
CASES = [(1, 1), (2, 1), (2, 3), (3, 2)]  # patch, stride


def windows(maps, patch: int, stride: int) -> list[np.ndarray]:
    """All patches [patch, patch, ...], those of the first map first, row by row."""
    return [
        features[y : y + patch, x : x + patch]
        for features in maps
        for y in range(0, features.shape[0] - patch + 1, stride)
        for x in range(0, features.shape[1] - patch + 1, stride)
    ]


@pytest.mark.parametrize(("patch", "stride"), CASES)
def test_rows_are_the_windows_of_all_maps(patch: int, stride: int):
    bank = patches.extract([jnp.asarray(features) for features in MAPS], patch, stride)
    want = np.stack([window.reshape(-1) for window in windows(MAPS, patch, stride)])
    np.testing.assert_array_equal(patches.rows(bank, jnp.arange(len(want)), patch), want)
    np.testing.assert_array_equal(patches.rows(bank, jnp.array([3, 0, 3]), patch), want[[3, 0, 3]])
    assert bank.live is None
    counts = [len(windows([features], patch, stride)) for features in MAPS]
    assert len(bank.corners) == sum(counts)
    assert np.asarray(bank.grids)[:, 0].tolist() == [0, counts[0]]
    assert np.asarray(bank.grids)[:, 1:].prod(1).tolist() == counts


@pytest.mark.parametrize(("patch", "stride"), CASES)
def test_patches_are_live_wholly_inside_their_mask(patch: int, stride: int):
    mask = (RNG.random(MAPS[0].shape[:2]) > 0.3).astype(np.float32)
    bank = patches.extract([jnp.asarray(features) for features in MAPS], patch, stride, [jnp.asarray(mask), None])
    masks = [mask, np.ones(MAPS[1].shape[:2])]
    np.testing.assert_array_equal(bank.live, [window.all() for window in windows(masks, patch, stride)])


@pytest.mark.parametrize("centered", [False, True])
def test_unit_rows(centered: bool):
    rows = RNG.standard_normal((4, 5)) + 1
    rows[1] = 0
    want = rows - rows.mean(1, keepdims=True) * centered
    want /= np.maximum(np.linalg.norm(want, axis=1, keepdims=True), 1e-30)
    np.testing.assert_allclose(patches.unit(jnp.asarray(rows, jnp.float32), centered), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("patch", "stride"), CASES)
def test_assembled_maps_and_their_energy(patch: int, stride: int):
    """A third of the places are left out; the energy is the sum of squared distances from all patches on a pixel."""
    bank = patches.extract([jnp.asarray(features) for features in MAPS], patch, 1)
    features = RNG.standard_normal((8, 7, C)).astype(np.float32)
    shape = patches.grid(features.shape, patch, stride)
    indices, weights = RNG.integers(len(bank.corners), size=shape), (RNG.random(shape) > 1 / 3).astype(np.float32)
    all_windows = windows(MAPS, patch, 1)
    count, total, energy = np.zeros((8, 7)), np.zeros((8, 7, C)), np.zeros((8, 7))
    for (i, j), index in np.ndenumerate(indices):
        place = slice(i * stride, i * stride + patch), slice(j * stride, j * stride + patch)
        count[place] += weights[i, j]
        total[place] += weights[i, j] * all_windows[index]
        energy[place] += weights[i, j] * ((features[place] - all_windows[index]) ** 2).sum(2)
    overlap = patches.assemble(bank, jnp.asarray(indices), jnp.asarray(weights), (8, 7), patch, stride)
    np.testing.assert_array_equal(overlap.count, count)
    np.testing.assert_allclose(overlap.mean, total / np.maximum(count, 1)[:, :, None], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(patches.energy(jnp.asarray(features), overlap), energy, rtol=1e-4, atol=1e-5)
