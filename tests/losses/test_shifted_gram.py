"""Shifted Gram matrices against sums over pairs of pixels, written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors, losses, types

C = 2
SHIFTS = (1, 3)
LOSS = losses.shifted_gram(shifts=SHIFTS)


def maps(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Features [h, w, C]."""
    return np.random.default_rng(seed).standard_normal((height, width, C)).astype(np.float32) + 0.5


def views(*features: np.ndarray, weight: float = 1.0, mask: np.ndarray | None = None) -> list[types.View]:
    at = None if mask is None else jnp.asarray(mask)
    return [types.View(0, "conv1_1", weight, jnp.asarray(np.stack(features)), at)]


def mean_product(features: np.ndarray, mask: np.ndarray, down: int, right: int, wraps: bool) -> np.ndarray:
    """[C, C], the mean of F(x) F(x + d)^T over pairs.

    A wrapping picture has a pair for each pixel, which counts as the pixel does; another has the pairs that exist,
    which count as the product of both.
    """
    total, count = np.zeros((C, C)), 0.0
    height, width = features.shape[:2]
    for y, x in np.ndindex(height, width):
        if wraps:
            other, weight = ((y + down) % height, (x + right) % width), mask[y, x]
        elif y + down < height and x + right < width:
            other, weight = (y + down, x + right), mask[y, x] * mask[y + down, x + right]
        else:
            continue
        total += weight * np.outer(features[y, x].astype(np.float64), features[other])
        count += weight
    return total / count


def expected(image: np.ndarray, *sources: np.ndarray, masks: list[np.ndarray] | None = None) -> float:
    """The mean over the shifts of half the squares of both axes; the matrices are divided by the channels."""
    of_image, *of_sources = masks or [np.ones(picture.shape[:2]) for picture in (image, *sources)]
    value = 0.0
    for shift in SHIFTS:
        for lag in ((0, shift), (shift, 0)):
            pairs = zip(sources, of_sources, strict=True)
            target = np.mean([mean_product(source, mask, *lag, wraps=False) for source, mask in pairs], axis=0)
            value += np.sum(((mean_product(image, of_image, *lag, wraps=True) - target) / C) ** 2) / 2
    return value / len(SHIFTS)


def evaluate(image: np.ndarray, *sources: np.ndarray) -> float:
    target = LOSS.join([LOSS.summarize(views(source)) for source in sources])
    return float(LOSS.value(views(image), target))


@settings(max_examples=3)
@given(
    sides=st.lists(st.tuples(st.integers(4, 7), st.integers(4, 7)), min_size=1, max_size=2),
    height=st.integers(4, 7),
    width=st.integers(4, 7),
    seed=st.integers(0, 99),
)
def test_equals_the_sums_over_pairs(sides, height, width, seed):
    sources = [maps(*shape, seed=seed + i) for i, shape in enumerate(sides)]
    image = maps(height, width, seed + 7)
    assert evaluate(image, *sources) == pytest.approx(expected(image, *sources), rel=1e-4, abs=1e-6)


def test_masks_count_by_the_first_pixel_in_the_output_and_by_both_in_a_source():
    image, source = maps(6, 5), maps(7, 6, 1)
    masks = [np.random.default_rng(2).random(picture.shape[:2]).astype(np.float32) for picture in (image, source)]
    target = LOSS.join([LOSS.summarize(views(source, mask=masks[1]))])
    value = float(LOSS.value(views(image, mask=masks[0], weight=2.0), target))
    assert value == pytest.approx(2 * expected(image, source, masks=masks), rel=1e-4)


def test_a_mirrored_picture_is_another_one_though_its_gram_matrix_is_the_same():
    """Columns of the second channel lie one pixel right of those of the first, with a period of four, or left of them.

    At both shifts one entry of Gx is 1/4 in one picture and 0 in the other, and another the reverse, so that the loss
    is 2 / 16 / C^2 / 2. The source's mean is over other pairs, which changes it by a little.
    """
    image = np.zeros((8, 8, C), np.float32)
    image[:, 2::4, 0] = image[:, 3::4, 1] = 1
    tiled = np.tile(image, (1, 4, 1))
    mirrored = tiled[:, ::-1]
    same, other = evaluate(image, tiled), evaluate(image, mirrored)
    assert other == pytest.approx(1 / 64, rel=0.02) and same < 0.01 * other
    gram = losses.gram()
    assert float(gram.value(views(image), gram.join([gram.summarize(views(mirrored))]))) == pytest.approx(0, abs=1e-9)


def test_a_shifted_output_is_as_good():
    target = LOSS.join([LOSS.summarize(views(maps(9, 8)))])
    image = maps(6, 7, 3)
    value = LOSS.value(views(image), target)
    np.testing.assert_allclose(LOSS.value(views(np.roll(image, (3, 4), (0, 1))), target), value, rtol=1e-5)


def test_its_halo_is_the_largest_shift_on_a_circle():
    assert LOSS.additive is not None
    assert (LOSS.additive.halo, LOSS.additive.circular, LOSS.least) == (3, True, 4)


def test_slope_of_a_difference_of_values():
    target = LOSS.join([LOSS.summarize(views(maps(5, 6)))])
    image, direction = maps(5, 4, 1), maps(5, 4, 2)
    gradient = jax.grad(lambda x: LOSS.value([views(image)[0]._replace(features=x[None])], target))(jnp.asarray(image))
    far, near = (expected(image + step * direction.astype(np.float64), maps(5, 6)) for step in (1e-4, -1e-4))
    assert float((gradient * direction).sum()) == pytest.approx((far - near) / 2e-4, rel=1e-4)


@pytest.mark.parametrize(("shifts", "message"), [((), "is empty"), ((1, 0), r"shifts\[1\] is 0"), ((1.5,), "is 1.5")])
def test_bad_shifts_are_refused(shifts, message: str):
    with pytest.raises(errors.TexjaxError, match=message):
        losses.shifted_gram(shifts=shifts)
