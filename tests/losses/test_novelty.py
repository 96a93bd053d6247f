"""Novelty against Gram matrices and their products written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors, features, losses, types
from texjax.synthesis import objective

C = 4


def maps(count: int, seed: int = 0) -> np.ndarray:
    """Features [n, 6, 5, C]."""
    return np.random.default_rng(seed).standard_normal((count, 6, 5, C)).astype(np.float32)


def novelty(features: np.ndarray, mul: float) -> float:
    """sum_ij (<G_i, G_j> - mul [i = j])^2, with G = F'F / pixels / channels."""
    grams = [np.einsum("hwi,hwj->ij", f, f) / (6 * 5 * C) for f in features.astype(np.float64)]
    return sum((np.sum(a * b) - mul * (i == j)) ** 2 for i, a in enumerate(grams) for j, b in enumerate(grams))


def view(features, octave: int = 0, weight: float = 1.0, mask=None) -> types.View:
    """One place, of a stack of frames [n, h, w, c]."""
    return types.View(octave, "conv1_1", weight, jnp.asarray(features), mask)


def value(loss: types.Loss, *views: types.View) -> float:
    """The loss of a stack that is seen at some places."""
    source = [place._replace(features=place.features[:1]) for place in views]
    return float(loss.value(views, loss.join([loss.summarize(source)])))


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("mul", [1.0, 0.25, 3.0])
def test_equals_the_formula(count: int, mul: float):
    assert value(losses.novelty(mul=mul), view(maps(count))) == pytest.approx(novelty(maps(count), mul), rel=1e-5)


def test_default_is_the_original():
    assert value(losses.novelty(), view(maps(3))) == pytest.approx(novelty(maps(3), 1), rel=1e-5)


def test_frames_of_different_channels_are_at_no_distance():
    """Each of two has a live channel of its own, of mean square s: one entry s / C in G, so K = (s / C)^2 I."""
    features = np.zeros((2, 6, 5, C), np.float32)
    features[0, ..., 0] = features[1, ..., 2] = 2.0
    assert value(losses.novelty(mul=(4 / C) ** 2), view(features)) == 0
    features[1] = features[0]
    assert value(losses.novelty(mul=(4 / C) ** 2), view(features)) == 2  # the products of one and the other


def test_sources_leave_no_target():
    loss = losses.novelty()
    assert not jax.tree.leaves(loss.join([loss.summarize([view(maps(1, seed))]) for seed in (0, 1)]))


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_frames_and_pixels_does_not_matter(seed: int):
    features, rng = maps(4, seed), np.random.default_rng(seed)
    shuffled = rng.permutation(rng.permutation(features.reshape(4, 30, C), axis=1), axis=0).reshape(features.shape)
    assert value(losses.novelty(), view(shuffled)) == pytest.approx(value(losses.novelty(), view(features)), rel=1e-4)


def test_mask_weighs_pixels():
    """A mask of zeros and ones leaves the statistics of the pixels at ones."""
    features, loss, mask = maps(3), losses.novelty(), np.zeros((6, 5), np.float32)
    mask[:3] = 1
    masked = value(loss, view(features, mask=jnp.asarray(mask)))
    twice = np.concatenate([features[:, :3], features[:, :3]], axis=1)  # as many pixels as `novelty` takes
    assert masked == pytest.approx(novelty(twice, 1), rel=1e-5)


def pooled(places: list[np.ndarray], mul: float, weights: list[float]) -> float:
    """subjective-functions' `--internal`: one K of all frames [n, h, w, c] at all places, each Gram matrix a row.

    Gram matrices of different numbers of channels have the inner product 0.
    """
    rows = []
    for frames, weight in zip(places, weights, strict=True):
        for f in frames:
            flat = f.reshape(-1, f.shape[-1]).astype(np.float64)
            rows.append(weight * (flat.T @ flat).ravel() / flat.size)
    products = [[a @ b if a.shape == b.shape else 0.0 for b in rows] for a in rows]
    return float(((np.array(products) - mul * np.eye(len(rows))) ** 2).sum())


@pytest.mark.parametrize("count", [1, 3])
def test_internal_compares_all_frames_octaves_and_layers(count: int):
    """The objective computes the places; here SciPy does. Both layers have the same number of channels."""
    extractor, images = features.random(size=3, channels=3), np.random.default_rng(0).random((count, 12, 15, 3))
    loss, layers = losses.novelty(mul=0.01, internal=True), {"pixels": 2.0, "conv1_1": 0.5}
    term = types.Term("novelty", loss, 7.0, layers, (1.0, 3.0))
    problem = objective.objective(extractor, [term], 2)
    stack = jnp.asarray(images, jnp.float32)
    total, shares = jax.jit(problem.value)(stack, extractor.weights, {"novelty": [()] * 4})
    places, kernel = [], np.asarray(extractor.weights["conv1_1"], np.float64)
    for octave in range(2):
        levels = np.stack([halved(image) if octave else image for image in images])
        places += [levels, np.stack([filtered(level, kernel) for level in levels])]
    expected = 7 * pooled(places, 0.01, [2.0, 0.5, 6.0, 1.5])
    assert float(total) == pytest.approx(expected, rel=1e-4)
    assert float(shares["novelty"]) == pytest.approx(expected, rel=1e-4)


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
    assert value(loss, *map(view, places)) == pytest.approx(pooled(places, 0.2, [1.0] * 3), rel=1e-5)


def test_one_place_is_the_same_either_way():
    loss, frames = losses.novelty(internal=True), maps(3)
    assert value(loss, view(frames)) == pytest.approx(novelty(frames, 1), rel=1e-5)


OCTAVES = (0, 1, 2, 3, 4)


@pytest.mark.parametrize(("octave_step", "compared"), [(1, OCTAVES), (2, (0, 2, 4)), (3, (0, 3)), (5, (0,))])
def test_octave_step_leaves_octaves_out(octave_step: int, compared: tuple[int, ...]):
    """Counted from the finest octave of the full-size picture, which the first view need not be."""
    places, weights = {o: maps(2, seed=o) for o in OCTAVES}, {o: 1.0 + o for o in OCTAVES}
    views = [view(places[octave], octave, weights[octave]) for octave in OCTAVES]
    separate, internal = (losses.novelty(mul=0.5, internal=x, octave_step=octave_step) for x in (False, True))
    for left in (OCTAVES, OCTAVES[1:]):
        counted = [octave for octave in left if octave in compared]
        expected = sum(weights[octave] * novelty(places[octave], 0.5) for octave in counted)
        assert value(separate, *views[OCTAVES.index(left[0]) :]) == pytest.approx(expected, rel=1e-5)
        together = pooled([places[o] for o in counted], 0.5, [weights[o] for o in counted]) if counted else 0
        assert value(internal, *views[OCTAVES.index(left[0]) :]) == pytest.approx(together, rel=1e-5)


def test_octaves_left_out_have_no_slope():
    loss = losses.novelty(octave_step=2)
    gradient = jax.grad(lambda features: loss.value([view(features, octave=1)], [()]))(jnp.asarray(maps(2)))
    np.testing.assert_array_equal(gradient, np.zeros((2, 6, 5, C)))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"mul": float("inf")}, "mul is inf; give a finite number"),
        ({"octave_step": 0}, "octave_step is 0; give a whole number from 1"),
    ],
)
def test_numbers_out_of_range_are_refused(settings, message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        losses.novelty(**settings)
