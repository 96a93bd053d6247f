"""A loss that is written outside of texjax, with `texjax.types` and `texjax.losses.places` alone, against NumPy.

It is the shortest sliced Wasserstein loss. `losses.sliced_wasserstein` is the one to use.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import features, losses, types
from texjax.losses import places
from texjax.synthesis import objective


def projections_anew(*, directions: int = 16, period: int = 10) -> types.Loss:
    """Squared distance of sorted projections of the features (Heitz et al. 2021, arXiv 2006.07229), without masks."""

    def draw(views, targets, previous, key):  # unit vectors [c, directions] at each place
        keys = jax.random.split(key, len(views))
        vectors = [jax.random.normal(k, (v.features.shape[-1], directions)) for k, v in zip(keys, views, strict=True)]
        return [v / jnp.linalg.norm(v, axis=0, keepdims=True) for v in vectors]

    def at_place(view, source, vectors):
        pixels = view.features.reshape(len(view.features), -1, view.features.shape[-1])  # [n, pixels, c]
        image, source = jnp.sort(pixels @ vectors, axis=1), jnp.sort(source @ vectors, axis=0)
        ranks = jnp.arange(image.shape[1]) * len(source) // image.shape[1]  # the numbers of pixels may differ
        return view.weight * ((image - source[ranks][None]) ** 2).mean((1, 2)).sum()

    def value(views, targets, choice):
        return places.sum_of([at_place(*place) for place in zip(views, targets, choice, strict=True)])

    return types.Loss(
        summarize=places.at_each_place(lambda features, mask: features.reshape(-1, features.shape[-1])),
        join=places.join_each_place(jnp.concatenate),  # the pixels of all sources
        value=value,
        refresh=draw,
        period=period,
    )


LOSS = projections_anew(directions=5)
SHAPES = ((6, 4, 3), (3, 4, 2))
WEIGHTS = (2.0, 0.5)


def maps(count: int, height: int = 1, seed: int = 0) -> list[np.ndarray]:
    """Features [n, h, w, c] at two places; `height` times as high as SHAPES."""
    rng = np.random.default_rng(seed)
    return [rng.random((count, height * h, w, c)).astype(np.float32) for h, w, c in SHAPES]


def views(stacks) -> list[types.View]:
    return [types.View(octave, "pixels", WEIGHTS[octave], jnp.asarray(stacks[octave])) for octave in (0, 1)]


def unit_columns(seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = [rng.standard_normal((c, 5)) for *_, c in SHAPES]
    return [x / np.linalg.norm(x, axis=0) for x in columns]


def formula(stacks, sources, projections) -> float:
    """Pixel by pixel in the sorted order. `sources` are as many pixels as each image, or a multiple, at each place."""
    value = 0.0
    for weight, stack, source, columns in zip(WEIGHTS, stacks, sources, projections, strict=True):
        for image in stack.astype(np.float64):
            for column in columns.T:
                ours, theirs = np.sort((image @ column).ravel()), np.sort((source @ column).ravel())
                value += weight * np.mean((ours - theirs[:: len(theirs) // len(ours)]) ** 2) / columns.shape[1]
    return value


@pytest.mark.parametrize("height", [1, 3])
def test_equals_the_formula_for_given_projections(height: int):
    stacks, sources, projections = maps(2), maps(1, height, seed=1), unit_columns(2)
    targets = LOSS.join([LOSS.summarize(views(sources))])
    value = LOSS.value(views(stacks), targets, [jnp.asarray(x, jnp.float32) for x in projections])
    assert float(value) == pytest.approx(formula(stacks, sources, projections), rel=1e-4)


def test_sources_are_pooled():
    stacks, sources, projections = maps(1), [maps(1, seed=seed) for seed in (1, 2)], unit_columns(3)
    targets = LOSS.join([LOSS.summarize(views(source)) for source in sources])
    pooled = [np.concatenate(of_place, axis=1) for of_place in zip(*sources, strict=True)]
    value = LOSS.value(views(stacks), targets, [jnp.asarray(x, jnp.float32) for x in projections])
    assert float(value) == pytest.approx(formula(stacks, pooled, projections), rel=1e-4)


def test_it_is_a_loss_that_draws_and_does_not_add():
    assert LOSS.additive is None
    assert LOSS.period == 10
    assert LOSS.refresh is not None
    first, again, other = (LOSS.refresh(views(maps(1)), None, None, jax.random.key(seed)) for seed in (0, 0, 1))
    for a, b, c, (*_, channels) in zip(first, again, other, SHAPES, strict=True):
        assert a.shape == (channels, 5)
        np.testing.assert_allclose(np.linalg.norm(a, axis=0), 1, rtol=1e-6)
        np.testing.assert_array_equal(a, b)
        assert np.abs(a - c).max() > 0.1


def test_it_runs_in_between_with_a_gradient():
    """The gradient is that of squares in a sorted order: 2 (ours - theirs) v / (pixels directions), summed over v."""
    extractor, rng = features.random(size=3, channels=4), np.random.default_rng(4)
    image, source = (rng.random((9, 8, 3)).astype(np.float32) for _ in range(2))

    def value(image):
        return losses.between(LOSS, extractor, image, source, layers={"pixels": 1.0})

    key = jax.random.key(0)  # that of `between`
    assert LOSS.refresh is not None
    (projections,) = LOSS.refresh([types.View(0, "pixels", 1.0, jnp.asarray(image)[None])], None, None, key)
    expected, slope = 0.0, np.zeros((72, 3))
    for column in np.asarray(projections, np.float64).T:
        ours, theirs = (x.reshape(-1, 3).astype(np.float64) @ column for x in (image, source))
        difference = np.sort(ours) - np.sort(theirs)
        expected += (difference**2).mean() / 5
        slope[np.argsort(ours)] += 2 * difference[:, None] * column[None] / (72 * 5)
    result, gradient = jax.jit(jax.value_and_grad(value))(jnp.asarray(image))
    assert float(result) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(gradient, slope.reshape(image.shape), rtol=1e-3, atol=1e-6)


def test_a_run_draws_every_ten_steps():
    extractor, images = features.random(size=3, channels=4), jnp.full((1, 6, 5, 3), 0.5)
    problem = objective.objective(extractor, [types.Term("sliced", LOSS, 1.0, {"pixels": 1.0, "conv1_1": 1.0})], 1)
    assert problem.periods == (10,)
    targets = problem.join([problem.summarize(extractor.weights, images[0])])
    refresh = jax.jit(problem.refresh)
    first = refresh(images, extractor.weights, targets, None, jax.random.key(0), 0)
    for step in range(1, 21):
        choice = refresh(images, extractor.weights, targets, first, jax.random.key(step), step)
        same = [np.array_equal(a, b) for a, b in zip(jax.tree.leaves(choice), jax.tree.leaves(first), strict=True)]
        assert same == [step % 10 != 0] * 2


def test_it_falls_with_several_octaves_and_layers():
    extractor, rng = features.random(size=3, channels=4), np.random.default_rng(5)
    image, source = jnp.asarray(rng.random((12, 12, 3)), jnp.float32), rng.random((14, 11, 3)).astype(np.float32) ** 2

    @jax.jit
    def evaluate(image):
        layers = {"pixels": 1.0, "conv1_1": 1.0}
        return jax.value_and_grad(
            lambda x: losses.between(projections_anew(), extractor, x, source, layers=layers, octaves=2)
        )(image)

    start, _ = evaluate(image)
    for _ in range(20):
        value, gradient = evaluate(image)
        image = image - 30 * gradient
    assert float(value) < 0.1 * float(start)
