"""The helpers that build a loss from functions of one place, on a small loss that NumPy can follow."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import types
from texjax.losses import places

WEIGHTS = (2.0, 0.5)
SHAPES = ((4, 5, 3), (2, 3, 2))  # of a place at octave 0, and of one at octave 1


def stacks(count: int, seed: int = 0) -> list[np.ndarray]:
    """Features [n, h, w, c] at each place."""
    rng = np.random.default_rng(seed)
    return [rng.random((count, *shape)).astype(np.float32) for shape in SHAPES]


def views(maps, masks=(None, None)) -> list[types.View]:
    return [
        types.View(octave, "pixels", WEIGHTS[octave], jnp.asarray(maps[octave]), masks[octave]) for octave in (0, 1)
    ]


def total_of(features, mask, target=None):
    """The sum [c] over the pixels, of the features less the target."""
    weights = jnp.ones(features.shape[:2]) if mask is None else mask
    shift = 0 if target is None else target[None, None]
    return ((features - shift) * weights[..., None]).sum((0, 1))


def per_image(**keys) -> types.Loss:
    """sum_places weight sum_images |sum_pixels (F - T)|^2, with T [c] the largest of the sources' sums."""
    return places.per_image(
        total_of,
        lambda sums, target: (sums**2).sum() + 0 * target.sum(),
        summarize=total_of,
        join=lambda summaries: jnp.stack(summaries).max(0),
        **keys,
    )


def formula(maps, targets, masks=(None, None)) -> float:
    value = 0.0
    for weight, stack, target, mask in zip(WEIGHTS, maps, targets, masks, strict=True):
        mask = np.ones(stack.shape[1:3]) if mask is None else mask
        for features in stack.astype(np.float64):
            value += weight * (((features - target) * mask[..., None]).sum((0, 1)) ** 2).sum()
    return value


def test_per_image_sums_over_places_and_images():
    loss, maps, sources = per_image(), stacks(3), [stacks(1, seed) for seed in (1, 2)]
    targets = loss.join([loss.summarize(views(source)) for source in sources])
    expected = [np.max([source[place][0].sum((0, 1)) for source in sources], axis=0) for place in (0, 1)]
    for target, of_place in zip(targets, expected, strict=True):
        np.testing.assert_allclose(target, of_place, rtol=1e-5)
    assert float(loss.value(views(maps), targets)) == pytest.approx(formula(maps, expected), rel=1e-5)


def test_masks_reach_the_summary_and_the_value():
    loss, maps, source = per_image(), stacks(2), stacks(1, 1)
    masks = [np.random.default_rng(3).random(shape[:2]).astype(np.float32) for shape in SHAPES]
    targets = loss.join([loss.summarize(views(source, masks))])
    expected = [(x[0] * mask[..., None]).sum((0, 1)) for x, mask in zip(source, masks, strict=True)]
    for target, of_place in zip(targets, expected, strict=True):
        np.testing.assert_allclose(target, of_place, rtol=1e-5)
    assert float(loss.value(views(maps, masks), targets)) == pytest.approx(formula(maps, expected, masks), rel=1e-5)


def test_additive_measures_a_place_and_its_distance_is_of_all_places():
    loss, maps, targets = per_image(), stacks(3), [jnp.arange(3.0), jnp.arange(2.0)]
    assert loss.additive is not None
    sums = [loss.additive.measure(view, target) for view, target in zip(views(maps), targets, strict=True)]
    for of_place, stack, target in zip(sums, maps, targets, strict=True):
        np.testing.assert_allclose(of_place, (stack - np.asarray(target)).sum((1, 2)), rtol=1e-5)
    value = loss.additive.distance(sums, views(maps), targets)
    assert float(value) == pytest.approx(formula(maps, [np.arange(3), np.arange(2)]), rel=1e-5)


def test_settings_are_kept():
    loss = per_image(halo=2, stride=3, aligned=True, circular=True, least=4)
    assert loss.additive is not None
    assert (loss.additive.halo, loss.additive.stride, loss.additive.aligned, loss.least) == (2, 3, True, 4)
    assert loss.additive.circular
    assert (loss.refresh, loss.period) == (None, 1)
    plain = per_image()
    assert plain.additive is not None
    assert (plain.additive.halo, plain.additive.stride, plain.additive.aligned, plain.least) == (0, 1, False, 1)
    assert not plain.additive.circular


def test_from_sums_gives_all_places_to_the_distance():
    """A loss that multiplies the places, which no sum over places could say."""
    loss = places.from_sums(
        lambda view, target: view.features.sum() - target,
        lambda sums, views, targets: views[0].weight * sums[0] * sums[1] + targets[1],
        summarize=lambda views: [view.features.max() for view in views],
        join=lambda summaries: summaries[-1],
        halo=1,
        stride=2,
        aligned=True,
        least=3,
    )
    maps, source = stacks(2), stacks(1, 1)
    targets = loss.join([loss.summarize(views(stacks(1, 2))), loss.summarize(views(source))])
    largest = [float(x.max()) for x in source]
    expected = 2 * (maps[0].sum() - largest[0]) * (maps[1].sum() - largest[1]) + largest[1]
    assert float(loss.value(views(maps), targets)) == pytest.approx(expected, rel=1e-5)
    assert loss.additive is not None
    assert (loss.additive.halo, loss.additive.stride, loss.additive.aligned, loss.least) == (1, 2, True, 3)


def test_targets_are_one_for_each_place():
    with pytest.raises(ValueError, match="zip"):
        per_image().value(views(stacks(2)), [jnp.zeros(3)])


def test_summaries_and_joins_are_lifted_place_by_place():
    summarize = places.at_each_place(lambda features, mask: (features.shape, mask))
    masks = [np.zeros(shape[:2], np.float32) for shape in SHAPES]
    assert [shape for shape, _ in summarize(views(stacks(1)))] == list(SHAPES)
    assert [mask is given for (_, mask), given in zip(summarize(views(stacks(1), masks)), masks, strict=True)] == [
        True
    ] * 2
    assert places.join_each_place(sum)([[1, 10], [2, 20], [3, 30]]) == [6, 60]
    with pytest.raises(ValueError, match="zip"):
        places.join_each_place(sum)([[1, 10], [2]])


def test_a_loss_without_sources_has_a_target_of_nothing():
    summaries = [places.no_summary(views(stacks(1, seed))) for seed in (0, 1)]
    target = places.no_target(summaries)
    assert len(target) == 2
    assert not jax.tree.leaves(target)


def test_weighted_sum_adds_images_and_weighs_places():
    sums = [jnp.array([1.0, 2.0]), jnp.array([10.0, 30.0])]
    assert places.weighted_sum(sums, views(stacks(2)), None) == 2 * 3 + 0.5 * 40


def test_sum_of_adds_nothing_to_one_share():
    share = jnp.array(3.0)
    assert places.sum_of([share]) is share
    assert places.sum_of([share, jnp.array(4.0), jnp.array(5.0)]) == 12
