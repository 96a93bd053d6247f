"""Novelty against Gram matrices and their products written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import features, losses
from texjax.synthesis import objective

C = 4


def maps(count: int, seed: int = 0) -> np.ndarray:
    """Features [n, 6, 5, C]."""
    return np.random.default_rng(seed).standard_normal((count, 6, 5, C)).astype(np.float32)


def novelty(features: np.ndarray, mul: float) -> float:
    """sum_ij (<G_i, G_j> - mul [i = j])^2, with G = F'F / pixels / channels."""
    grams = [np.einsum("hwi,hwj->ij", f, f) / (6 * 5 * C) for f in features.astype(np.float64)]
    return sum((np.sum(a * b) - mul * (i == j)) ** 2 for i, a in enumerate(grams) for j, b in enumerate(grams))


def value(loss, features: np.ndarray) -> float:
    target = loss.join([loss.summarize(jnp.asarray(features[0]), None)])
    return float(loss.distance(loss.measure(jnp.asarray(features), target, None), target))


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("mul", [1.0, 0.25, 3.0])
def test_equals_the_formula(count: int, mul: float):
    assert value(losses.novelty(mul=mul), maps(count)) == pytest.approx(novelty(maps(count), mul), rel=1e-5)


def test_default_is_the_original():
    assert value(losses.novelty(), maps(3)) == pytest.approx(novelty(maps(3), 1), rel=1e-5)


def test_frames_of_different_channels_are_at_no_distance():
    """Each of two has a live channel of its own, of mean square s: one entry s / C in G, so K = (s / C)^2 I."""
    features = np.zeros((2, 6, 5, C), np.float32)
    features[0, ..., 0] = features[1, ..., 2] = 2.0
    assert value(losses.novelty(mul=(4 / C) ** 2), features) == 0
    features[1] = features[0]
    assert value(losses.novelty(mul=(4 / C) ** 2), features) == 2  # the products of one and the other


def test_sources_are_not_looked_at():
    loss = losses.novelty()
    assert loss.join([loss.summarize(jnp.asarray(maps(1, seed)[0]), None) for seed in (0, 1)]) == ()


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_frames_and_pixels_does_not_matter(seed: int):
    features, rng = maps(4, seed), np.random.default_rng(seed)
    shuffled = rng.permutation(rng.permutation(features.reshape(4, 30, C), axis=1), axis=0).reshape(features.shape)
    assert value(losses.novelty(), shuffled) == pytest.approx(value(losses.novelty(), features), rel=1e-4)


def test_mask_weighs_pixels():
    """A mask of zeros and ones leaves the statistics of the pixels at ones."""
    features, loss, mask = maps(3), losses.novelty(), np.zeros((6, 5), np.float32)
    mask[:3] = 1
    got = loss.distance(loss.measure(jnp.asarray(features), (), jnp.asarray(mask)), ())
    twice = np.concatenate([features[:, :3], features[:, :3]], axis=1)  # as many pixels as `novelty` takes
    assert float(got) == pytest.approx(novelty(twice, 1), rel=1e-5)


def pooled(frames: list[list[np.ndarray]], mul: float, weights: list[float]) -> float:
    """subjective-functions' `--internal`: one K of all frames (the inner lists) at all places, each Gram a row.

    Grams of different numbers of channels have no product.
    """
    rows = []
    for place, weight in zip(frames, weights, strict=True):
        for f in place:
            flat = f.reshape(-1, f.shape[-1]).astype(np.float64)
            rows.append(weight * (flat.T @ flat).ravel() / flat.size)
    products = [[a @ b if a.shape == b.shape else 0.0 for b in rows] for a in rows]
    return float(((np.array(products) - mul * np.eye(len(rows))) ** 2).sum())


@pytest.mark.parametrize("count", [1, 3])
def test_internal_compares_all_frames_octaves_and_layers(count: int):
    """By the objective: an octave is its own half, low-passed in SciPy; the layer of filters has as many channels."""
    extractor, images = features.random(size=3, channels=3), np.random.default_rng(0).random((count, 12, 15, 3))
    loss, layers = losses.novelty(mul=0.01, internal=True), {"pixels": 2.0, "conv1_1": 0.5}
    term = objective.Term("novelty", loss, 7.0, layers, (1.0, 3.0))
    made = objective.objective(extractor, [term], 2)
    stack = jnp.asarray(images, jnp.float32)
    total, shares = jax.jit(made.value)(stack, extractor.weights, {"novelty": [()] * 4})
    places, kernel = [], np.asarray(extractor.weights["conv1_1"], np.float64)
    for octave in range(2):
        levels = [halved(image) if octave else image for image in images]
        places += [levels, [filtered(level, kernel) for level in levels]]
    want = 7 * pooled(places, 0.01, [2.0, 0.5, 6.0, 1.5])
    assert float(total) == pytest.approx(want, rel=1e-4)
    assert float(shares["novelty"]) == pytest.approx(want, rel=1e-4)


def halved(image: np.ndarray) -> np.ndarray:
    """The next octave without padding (Burt and Adelson's kernel, a = 0.4)."""
    for axis in (0, 1):
        image = scipy.ndimage.correlate1d(image, [0.05, 0.25, 0.4, 0.25, 0.05], axis)
    return image[2:-2:2, 2:-2:2]


def filtered(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Unpadded correlation and ReLU."""
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape[:2], axis=(0, 1))
    return np.maximum(np.einsum("hwikl,klio->hwo", windows, kernel), 0)


def test_internal_of_different_channels():
    loss, rng = losses.novelty(mul=0.2, internal=True), np.random.default_rng(0)
    places = [rng.standard_normal((2, 6, 5, channels)).astype(np.float32) for channels in (C, 3, C)]
    parts = [loss.distance(loss.measure(jnp.asarray(place), (), None), ()) for place in places]
    want = pooled([list(place) for place in places], 0.2, [1.0] * 3)
    assert float(loss.pool(parts)) == pytest.approx(want, rel=1e-5)


def test_one_place_is_the_same_either_way():
    loss, x = losses.novelty(internal=True), jnp.asarray(maps(3))
    assert float(loss.pool([loss.distance(loss.measure(x, (), None), ())])) == pytest.approx(
        novelty(maps(3), 1), rel=1e-5
    )
