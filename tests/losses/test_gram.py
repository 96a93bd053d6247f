"""Gram losses against sums written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors, losses, types
from texjax.losses import joins

C = 4
# Per normalization the distance of two Grams of F'F / P (P pixels, C channels), from the sources of the systems:
# subjective-functions sum_ij (G / C - T / C)^2, DeepTextures sum_ij (G - T)^2 / (4 C^2), and neural-style the mean
# over the C x C entries of (G / C - T / C)^2.
DISTANCES = {
    "pixels": lambda g, t: np.sum((g - t) ** 2),
    "pixels_channels": lambda g, t: np.sum((g / C - t / C) ** 2),
    "gatys": lambda g, t: np.sum((g - t) ** 2) / (4 * C**2),
    "neural_style": lambda g, t: np.mean((g / C - t / C) ** 2),
}


def maps(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Features [h, w, C]."""
    return np.random.default_rng(seed).standard_normal((height, width, C)).astype(np.float32)


def moments(features: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    """sum_p m_p F_pi F_pj / sum_p m_p, in float64."""
    mask = np.ones(features.shape[:2]) if mask is None else mask
    features = features.astype(np.float64)
    return np.einsum("hwi,hwj,hw->ij", features, features, mask) / mask.sum()


def views(features, mask=None) -> list[types.View]:
    """One place, of a stack of one image [h, w, c]."""
    return [types.View(0, "conv1_1", 1.0, jnp.asarray(features)[None], mask)]


def distance(loss: types.Loss, features: np.ndarray, sources: list[np.ndarray]) -> float:
    """The distance of an image's features from the target that is joined from the sources."""
    target = loss.join([loss.summarize(views(source)) for source in sources])
    return float(loss.value(views(features), target))


def sums_of(features, mask=None) -> types.Moments:
    """The sums of one place, of a stack of one image."""
    additive = losses.gram().additive
    assert additive is not None
    return additive.measure(views(features, mask)[0], None)


@pytest.mark.parametrize("mul", [1.0, 0.5, -2.0])
@pytest.mark.parametrize("normalization", DISTANCES)
def test_equals_the_formula(normalization: str, mul: float):
    image, source = maps(6, 5), maps(4, 7, seed=1)
    expected = DISTANCES[normalization](moments(image), mul * moments(source))
    loss = losses.gram(normalization=normalization, mul=mul)
    assert distance(loss, image, [source]) == pytest.approx(expected, rel=1e-5)


def test_default_is_snelgrove():
    image, source = maps(6, 5), maps(4, 7, seed=1)
    expected = DISTANCES["pixels_channels"](moments(image), moments(source))
    assert distance(losses.gram(), image, [source]) == pytest.approx(expected, rel=1e-5)


def test_a_case_by_hand():
    # Two pixels, two channels: F = [[1, 2], [3, 0]], so F'F = [[10, 2], [2, 4]], and over 2 pixels [[5, 1], [1, 2]].
    features = jnp.array([[[1.0, 2.0], [3.0, 0.0]]])
    loss = losses.gram(normalization="pixels")
    np.testing.assert_array_equal(loss.summarize(views(features))[0], [[5, 1], [1, 2]])
    sums = sums_of(features)
    np.testing.assert_array_equal(sums.outer, [[[10, 2], [2, 4]]])
    assert sums.count == 2
    assert loss.value(views(features), [jnp.zeros((2, 2))]) == 25 + 1 + 1 + 4


def test_sources_join_by_the_mean_of_their_moments():
    # Each source counts the same, whatever its size.
    sources, image = [maps(4, 7, seed=1), maps(2, 3, seed=2), maps(9, 5, seed=3)], maps(6, 5)
    expected = DISTANCES["pixels_channels"](moments(image), np.mean([moments(source) for source in sources], 0))
    assert distance(losses.gram(join="average"), image, sources) == pytest.approx(expected, rel=1e-5)


def test_sources_join_by_weights_or_by_position():
    # Two thirds of the second: by weights in any unit, or at 2/3 of the way.
    sources, image = [maps(4, 7, seed=1), maps(2, 3, seed=2)], maps(6, 5)
    expected = DISTANCES["pixels_channels"](moments(image), moments(sources[0]) / 3 + 2 * moments(sources[1]) / 3)
    assert distance(losses.gram(join_weights=(2, 4)), image, sources) == pytest.approx(expected, rel=1e-5)
    assert distance(losses.gram(join_position=2 / 3), image, sources) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("join", joins.NAMES)
def test_one_source_is_its_own_join(join: str):
    # Two pixels for four channels, so that the matrix is singular.
    loss = losses.gram(join=join)
    (summary,) = loss.summarize(views(maps(1, 2)))
    np.testing.assert_array_equal(loss.join([[summary]])[0], summary)


def test_join_weights_are_one_for_each_source():
    sources, image = [maps(4, 7, seed=1), maps(2, 3, seed=2)], maps(6, 5)
    with pytest.raises(errors.TexjaxError, match="3 numbers for 2 sources"):
        distance(losses.gram(join_weights=(1.0, 2.0, 3.0)), image, sources)
    with pytest.raises(errors.TexjaxError, match="2 numbers for 1 source;"):
        distance(losses.gram(join_weights=(1.0, 2.0)), image, sources[:1])


@pytest.mark.parametrize("regularization", [-1e-3, float("nan"), float("inf")])
def test_regularization_is_a_number_from_0(regularization: float):
    with pytest.raises(errors.TexjaxError, match="join_regularization is"):
        losses.gram(join_regularization=regularization)


def test_mul_is_a_finite_number():
    with pytest.raises(errors.TexjaxError, match="mul is nan"):
        losses.gram(mul=float("nan"))


def test_mask_weighs_pixels():
    image, mask = maps(6, 5), np.random.default_rng(5).random((6, 5)).astype(np.float32)
    (summary,) = losses.gram().summarize(views(image, jnp.asarray(mask)))
    np.testing.assert_allclose(summary, moments(image, mask), rtol=1e-5, atol=1e-6)


def test_mask_of_ones_is_no_mask():
    whole, masked = sums_of(maps(6, 5)), sums_of(maps(6, 5), jnp.ones((6, 5)))
    assert whole.count == masked.count == 30
    np.testing.assert_allclose(whole.outer, masked.outer, rtol=1e-6)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), parts=st.integers(1, 5))
def test_adds_over_any_partition(seed: int, parts: int):
    # Each pixel belongs to one part; an empty part adds nothing.
    image = maps(6, 5, seed)
    owner = np.random.default_rng(seed).integers(parts, size=(6, 5))
    masks = [jnp.asarray(owner == part, jnp.float32) for part in range(parts)]
    total = jax.tree.map(lambda *shares: np.sum(shares, axis=0), *[sums_of(image, mask) for mask in masks])
    assert total.count == 30
    np.testing.assert_allclose(total.outer[0] / 30, moments(image), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("row", "column"), [(1, 4), (3, 2)])
def test_adds_over_tiles(row: int, column: int):
    image = maps(6, 5)
    rows, columns = (slice(None, row), slice(row, None)), (slice(None, column), slice(column, None))
    tiles = [sums_of(image[r, c]) for r in rows for c in columns]
    assert sum(float(tile.count[0]) for tile in tiles) == 30
    total = np.sum([tile.outer for tile in tiles], axis=0)
    np.testing.assert_allclose(total[0] / 30, moments(image), rtol=1e-4, atol=1e-5)


@settings(max_examples=20)
@given(seed=st.integers(0, 2**32 - 1))
def test_order_of_pixels_does_not_matter(seed: int):
    image = maps(6, 5)
    shuffled = np.random.default_rng(seed).permutation(image.reshape(-1, C)).reshape(5, 6, C)
    np.testing.assert_allclose(losses.gram().summarize(views(shuffled))[0], moments(image), rtol=1e-4, atol=1e-6)


def test_gradient_equals_the_formula():
    # d/dF sum_ij (F'F / (P C) - T)^2 = 4 F (F'F / (P C) - T) / (P C).
    image, source, loss = maps(6, 5), maps(4, 7, seed=1), losses.gram()
    target = loss.join([loss.summarize(views(source))])
    gradient = jax.grad(lambda features: loss.value(views(features), target))(jnp.asarray(image))
    expected = 4 * image @ ((moments(image) - moments(source)) / C) / (30 * C)
    np.testing.assert_allclose(gradient, expected, rtol=1e-4, atol=1e-6)


def test_unknown_names_are_refused():
    with pytest.raises(errors.TexjaxError, match="did you mean 'gatys'"):
        losses.gram(normalization="gattys")
    with pytest.raises(errors.TexjaxError, match="did you mean 'average'"):
        losses.gram(join="averag")


def test_images_together_have_the_moments_of_all_their_pixels():
    """Two images whose own moments are wrong cost nothing where their mean is right, and each counts once."""
    loss, source = losses.gram(together=True), maps(4, 6)
    halves = jnp.stack([jnp.asarray(source[:, :3]), jnp.asarray(source[:, 3:])])
    target = loss.join([loss.summarize(views(source))])
    stack = [types.View(0, "conv1_1", 1.0, halves)]
    assert float(loss.value(stack, target)) == pytest.approx(0, abs=1e-9)
    assert float(losses.gram().value(stack, target)) > 1e-3
    other = maps(4, 6, seed=1)
    target = loss.join([loss.summarize(views(other))])
    expected = 2 * DISTANCES["pixels_channels"](moments(source), moments(other))
    assert float(loss.value(stack, target)) == pytest.approx(expected, rel=1e-4)
