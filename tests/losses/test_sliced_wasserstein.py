"""Sliced Wasserstein distances against sorts in NumPy, assignments by SciPy, and distances known in closed form."""

import importlib
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
from hypothesis import given, settings
from hypothesis import strategies as st

from texjax import errors, losses, types

C, KEY = 4, jax.random.key(0)
LOSS = losses.sliced_wasserstein(directions=3)
order = jax.jit(
    importlib.import_module("texjax.losses.sliced_wasserstein")._order
)  # the function has the module's name


def maps(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Features [h, w, C] after a ReLU that leaves many pixels without any."""
    return np.maximum(np.random.default_rng(seed).standard_normal((height, width, C)) - 0.6, 0).astype(np.float32)


def views(*features: np.ndarray, weight: float = 1.0) -> list[types.View]:
    return [types.View(0, "conv1_1", weight, jnp.asarray(np.stack(features)))]


def target_of(*sources: np.ndarray, loss: types.Loss = LOSS) -> list[Any]:
    return loss.join([loss.summarize(views(source)) for source in sources])


def drawn(images: list[types.View], target: list[Any], loss: types.Loss = LOSS, key: jax.Array = KEY) -> Any:
    assert loss.refresh is not None
    return loss.refresh(images, target, None, key)


def projected(features: np.ndarray, direction: np.ndarray) -> np.ndarray:
    return features.reshape(-1, C).astype(np.float64) @ direction


def expected(image: np.ndarray, sources: list[np.ndarray], directions: np.ndarray) -> float:
    errors = []
    for direction in directions.astype(np.float64):
        ours = np.sort(projected(image, direction))
        theirs = np.sort(np.concatenate([projected(source, direction) for source in sources]))
        middles = [Fraction(2 * rank + 1, 2 * len(ours)) for rank in range(len(ours))]  # of each pixel's share
        errors += [(x - theirs[int(middle * len(theirs))]) ** 2 for x, middle in zip(ours, middles, strict=True)]
    return float(np.mean(errors))


@settings(max_examples=4)
@given(
    sides=st.lists(st.tuples(st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=2),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    seed=st.integers(0, 99),
)
def test_equals_the_squares_in_sorted_order(sides, height, width, seed):
    sources = [maps(*shape, seed=seed + i) for i, shape in enumerate(sides)]
    images, target = [maps(height, width, seed + 7), maps(height, width, seed + 8)], target_of(*sources)
    stack = views(*images, weight=2.0)
    (choice,) = drawn(stack, target)
    directions = np.asarray(choice.directions)
    values = [expected(image, sources, directions[i]) for i, image in enumerate(images)]
    assert float(LOSS.value(stack, target, [choice])) == pytest.approx(2 * sum(values), rel=1e-4, abs=1e-7)


def test_tags_sort_each_label_by_itself():
    """Two labels, far apart: the distance is the mean of those of the two parts, of equal sizes, each by itself."""
    loss = losses.sliced_wasserstein(directions=3, tags=1e3)
    source, image = maps(4, 6), maps(4, 6, 1)
    label = np.ones((4, 6, C), np.float32) * (np.arange(6) < 3)[None, :, None]
    mirrored = label[:, ::-1]
    target = target_of(label, source, mirrored, loss=loss)
    choice = drawn(views(image), target, loss)
    directions = np.asarray(choice[0].directions[0])
    parts = [expected(image[:, 3:], [source[:, :3]], directions), expected(image[:, :3], [source[:, 3:]], directions)]
    assert float(loss.value(views(image), target, choice)) == pytest.approx(np.mean(parts), rel=1e-3)


def test_tags_want_an_analogy():
    loss = losses.sliced_wasserstein(tags=20.0)
    with pytest.raises(errors.TexjaxError, match="there are 2 pictures; give the term group 'analogy'"):
        target_of(maps(3, 3), maps(3, 3), loss=loss)
    with pytest.raises(errors.TexjaxError, match="A has 9 pixels at this layer and A' 12"):
        target_of(maps(3, 3), maps(3, 4), maps(3, 3), loss=loss)


@pytest.mark.parametrize("times", [1, 3])
def test_is_the_optimal_transport(times: int):
    """An output of `times` as many pixels: each of the source's stands for so many, and SciPy assigns them."""
    source, image = maps(3, 5), maps(3 * times, 5, 1)
    target = target_of(source)
    choice = drawn(views(image), target)
    costs = []
    for direction in np.asarray(choice[0].directions[0], np.float64):
        copies = np.repeat(projected(source, direction), times)
        squares = (projected(image, direction)[:, None] - copies[None]) ** 2
        costs.append(squares[scipy.optimize.linear_sum_assignment(squares)].mean())
    assert float(LOSS.value(views(image), target, choice)) == pytest.approx(np.mean(costs), rel=1e-4)


def test_gradient_pulls_each_pixel_to_its_quantile():
    source, image = maps(6, 5), maps(6, 5, 1) + np.linspace(0, 0.1, C, dtype=np.float32)
    image += 1e-3 * np.random.default_rng(2).random(image.shape, np.float32)  # no two pixels are equal
    target = target_of(source)
    choice = drawn(views(image), target)
    slope = np.zeros((30, C))
    for direction in np.asarray(choice[0].directions[0], np.float64):
        ours = projected(image, direction)
        difference = np.sort(ours) - np.sort(projected(source, direction))
        slope[np.argsort(ours)] += 2 * difference[:, None] * direction[None] / (30 * 3)
    gradient = jax.grad(lambda x: LOSS.value([views(image)[0]._replace(features=x)], target, choice))(
        jnp.asarray(image)[None]
    )
    np.testing.assert_allclose(gradient[0], slope.reshape(image.shape), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("directions", [C, 3 * C])
def test_a_shift_has_its_length(directions: int):
    """sum_u (u.s)^2 = |s|^2 over every orthonormal basis u, so the mean over whole bases is |s|^2 / c for each draw."""
    loss = losses.sliced_wasserstein(directions=directions)
    source, shift = maps(5, 5), np.array([0.3, -0.2, 0.5, 0.1], np.float32)
    target = target_of(source, loss=loss)
    moved = views(source + shift)
    for seed in (0, 1):
        choice = drawn(moved, target, loss, jax.random.key(seed))
        assert float(loss.value(moved, target, choice)) == pytest.approx(0.39 / C, rel=1e-4)


def test_directions_are_orthogonal_and_everyone_has_their_own():
    stack = [*views(maps(3, 3), maps(3, 3)), *views(maps(3, 3), maps(3, 3))]
    targets = LOSS.join([LOSS.summarize(stack)])
    directions = [np.asarray(slices.directions) for slices in drawn(stack, targets)]
    every = np.concatenate(directions)
    assert every.shape == (4, 3, C)
    np.testing.assert_allclose(every @ every.swapaxes(1, 2), np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-6)
    assert all(np.abs(every[i] - every[j]).max() > 0.01 for i in range(4) for j in range(i))


FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=True)


@settings(max_examples=50)
@given(st.lists(st.one_of(FLOATS, st.sampled_from([0.0, -0.0, 1.0])), min_size=12, max_size=12))
def test_orders_all_floats(values: list[float]):
    row = np.array(values, np.float32)
    indices = np.asarray(order(jnp.asarray(row)[None, None]))[0, 0]
    assert sorted(indices) == list(range(12))
    np.testing.assert_array_equal(row[indices], np.sort(row))


def test_it_does_not_add_over_tiles():
    assert LOSS.additive is None and LOSS.period == 10 and losses.sliced_wasserstein(redraw=3).period == 3


def test_masks_are_refused():
    masked = views(maps(3, 3))[0]._replace(mask=jnp.ones((3, 3)))
    with pytest.raises(errors.TexjaxError, match="got a mask; give views without masks"):
        LOSS.summarize([masked])


@pytest.mark.parametrize("setting", ["directions", "redraw"])
def test_numbers_below_one_are_refused(setting: str):
    with pytest.raises(errors.TexjaxError, match=f"{setting} of sliced_wasserstein is 0; give a whole number from 1"):
        losses.sliced_wasserstein(**{setting: 0})
