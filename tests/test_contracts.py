"""The contracts of losses, extractors and optimizers; a new one is a new row of its table."""

import functools
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import features, losses, optimizers, types
from texjax.features.weights import files

LOSSES = {
    "analogy": losses.analogy,
    "analogy full": lambda: losses.analogy(patch=3, full=True),
    "content": losses.content,
    "gram": losses.gram,
    "inter_frame": lambda: losses.inter_frame(order=1),  # of stacks of two frames
    "mean": losses.mean,
    "mrf": lambda: losses.mrf(stride=1, bank_stride=1),  # tiles are cut anywhere
    "mrf overlap": lambda: losses.mrf(stride=1, bank_stride=1, normalization="overlap"),
    "novelty": losses.novelty,
    "smoothness": losses.smoothness,
}


def narrow_vgg(name: str, folder: Path) -> types.Extractor:
    """A VGG of random weights with 4 channels, up to pool2, from a file."""
    rng, channels, layers = np.random.default_rng(0), 3, {"mean": np.full(3, 0.5, np.float32)}
    for layer in ("conv1_1", "conv1_2", "conv2_1", "conv2_2"):
        kernel, bias = rng.normal(size=(3, 3, channels, 4)) / 3, rng.normal(size=4) / 10
        layers[layer] = {"kernel": kernel.astype(np.float32), "bias": bias.astype(np.float32)}  # type: ignore[assignment]
        channels = 4
    path = folder / f"{name}.safetensors"
    files.write(path, layers, {"network": name, "preprocessing": "caffe"})
    return getattr(features, name)(weights=str(path), normalize=False)


EXTRACTORS = {
    "compact": lambda folder: features.compact(padding="same"),
    "random": lambda folder: features.random(size=5, channels=4),
    "vgg16": lambda folder: narrow_vgg("vgg16", folder),
    "vgg19": lambda folder: narrow_vgg("vgg19", folder),
}
# Steps after which a well-conditioned quadratic is a hundredth of what it was.
MINIMIZERS = {"lbfgs": 6, "lbfgsb": 12, "optax_lbfgs": 6, "adam": 60}


def test_every_public_one_has_a_row():
    assert {name.split()[0] for name in LOSSES} == set(losses.__all__)
    assert set(EXTRACTORS) == set(features.__all__)
    assert set(MINIMIZERS) == set(optimizers.__all__)


def constants(traced: Any) -> int:
    """How many numbers a program holds that were no arguments."""
    return sum(np.size(x) for x in traced.consts)


class OfLoss:
    """A loss, features it is measured on, and a target of other features (for a joint loss, of a stack of two)."""

    def __init__(self, name: str):
        self.loss: types.Loss = LOSSES[name]()
        rng = np.random.default_rng(0)
        shape = (2, 7, 8, 4) if self.loss.joint else (7, 8, 4)
        self.features = jnp.asarray(rng.random(shape), jnp.float32)
        self.other = jnp.asarray(rng.random((7, 8, 4)), jnp.float32)
        # A is to A' as B is to the image: all three are the same here.
        self.target = self.loss.join([self.loss.summarize(self.other, None)] * (3 if "analogy" in name else 1))

    def value(self, x: jax.Array, target: Any) -> jax.Array:
        return self.loss.distance(self.loss.measure(x, target, None), target)


@pytest.fixture(params=LOSSES)
def of(request) -> OfLoss:
    return OfLoss(request.param)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("cut", [1, 4])
def test_measure_adds_over_tiles(of: OfLoss, axis: int, cut: int):
    loss, n = of.loss, of.other.shape[axis]
    whole = loss.measure(of.features, of.target, None)
    total = None
    # A tile holds, beside the entries it owns, those that they look at; a mask takes these out.
    for first, last in ((0, cut), (cut, n)):
        part = slice(max(first - loss.back, 0), min(last + loss.reach, n))
        index = (..., part, slice(None)) if axis == 1 else (..., part, slice(None), slice(None))
        tile = of.features[index]
        owned = np.zeros(tile.shape[-3:-1], np.float32)
        owned[(slice(None),) * axis + (slice(first - part.start, last - part.start),)] = 1
        cut_like_it = functools.partial(jax.lax.slice_in_dim, start_index=part.start, limit_index=part.stop, axis=axis)
        target = jax.tree.map(cut_like_it, of.target) if loss.aligned else of.target
        sums = loss.measure(tile, target, jnp.asarray(owned))
        total = sums if total is None else jax.tree.map(jnp.add, total, sums)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), total, whole)
    assert any(float(jnp.abs(leaf).max()) > 0 for leaf in jax.tree.leaves(whole))


def test_a_source_is_at_no_distance_from_itself(of: OfLoss):
    if of.loss.joint:
        pytest.skip("a joint loss compares images of the stack")
    if not jax.tree.leaves(of.target):
        pytest.skip("a loss without target compares with no source")
    value, gradient = jax.value_and_grad(of.value)(of.other, of.target)
    far, slope = jax.value_and_grad(of.value)(of.features, of.target)
    assert far > 1e-5
    assert abs(float(value)) < 1e-8 * float(far) + 1e-12
    assert float(jnp.abs(gradient).max()) < 1e-4 * float(jnp.abs(slope).max())


def test_loss_compiles_maps_and_has_the_slope_of_its_value(of: OfLoss):
    value = of.value(of.features, of.target)
    assert value.shape == ()
    assert float(jax.jit(of.value)(of.features, of.target)) == pytest.approx(float(value), rel=1e-5)
    stack = jnp.stack([of.features, 2 * of.features])
    mapped = jax.vmap(of.value, (0, None))(stack, of.target)
    single = [float(of.value(x, of.target)) for x in stack]
    np.testing.assert_allclose(mapped, single, rtol=1e-5)
    direction = np.random.default_rng(1).standard_normal(of.features.shape)
    with jax.enable_x64(True):
        exact, way = jnp.asarray(np.asarray(of.features, np.float64)), jnp.asarray(direction)
        slope = (jax.grad(of.value)(exact, of.target) * way).sum()
        want = (of.value(exact + 1e-6 * way, of.target) - of.value(exact - 1e-6 * way, of.target)) / 2e-6
        assert float(slope) == pytest.approx(float(want), rel=1e-5, abs=1e-9)


def test_targets_are_arguments(of: OfLoss):
    traced = jax.make_jaxpr(of.value)(of.features, of.target)
    assert constants(traced) <= 1


@pytest.fixture(scope="module", params=EXTRACTORS)
def extractor(request, tmp_path_factory) -> types.Extractor:
    return EXTRACTORS[request.param](tmp_path_factory.mktemp("weights"))


IMAGE = np.random.default_rng(0).random((21, 18, 3)).astype(np.float32)


def test_features_are_as_large_as_the_grid_says(extractor: types.Extractor):
    out = jax.jit(extractor.apply, static_argnums=2)(extractor.weights, IMAGE, extractor.layers)
    assert set(out) == set(extractor.layers) > {"pixels"}
    for layer, found in out.items():
        size = extractor.grid(layer).size
        assert found.shape[:2] == (size(21), size(18)), layer
        assert found.dtype == jnp.float32
        assert float(jnp.std(found)) > 0, layer
    np.testing.assert_array_equal(out["pixels"], IMAGE)


def test_one_output_sees_what_the_grid_says(extractor: types.Extractor):
    for layer in extractor.layers:
        grid = extractor.grid(layer)
        assert grid.size(grid.receptive) >= 1
        assert grid.size(24 + grid.stride) == grid.size(24) + 1


def test_extractor_maps_and_has_the_slope_of_its_value(extractor: types.Extractor):
    layer = extractor.layers[-1]

    @jax.jit
    def value(x: jax.Array) -> jax.Array:
        weights = jax.tree.map(lambda w: w.astype(x.dtype), extractor.weights)
        return (extractor.apply(weights, x, (layer,))[layer] ** 2).sum()

    stack = jnp.stack([IMAGE, IMAGE[::-1], 1 - IMAGE])
    np.testing.assert_allclose(jax.vmap(value)(stack), [float(value(x)) for x in stack], rtol=1e-4)
    direction = np.random.default_rng(1).standard_normal(IMAGE.shape)
    with jax.enable_x64(True):
        exact, way = jnp.asarray(IMAGE.astype(np.float64)), jnp.asarray(direction)
        slope = (jax.grad(value)(exact) * way).sum()
        want = (value(exact + 1e-7 * way) - value(exact - 1e-7 * way)) / 2e-7
        assert float(slope) == pytest.approx(float(want), rel=1e-4)


def test_weights_are_arguments(extractor: types.Extractor):
    traced = jax.make_jaxpr(extractor.apply, static_argnums=2)(extractor.weights, IMAGE, extractor.layers)
    assert constants(traced) <= 3
    assert sum(x.size for x in jax.tree.leaves(extractor.weights)) > 100
    layer = extractor.layers[-1]
    halved = jax.tree.map(lambda x: x / 2, extractor.weights)
    full, half = (extractor.apply(w, jnp.asarray(IMAGE), (layer,))[layer] for w in (extractor.weights, halved))
    assert float(jnp.abs(full - half).max()) > 1e-3


def quadratic(images: jax.Array, wanted: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    """sum_i c_i (x_i - w_i)^2 with c from 1 to 3."""
    square = (jnp.linspace(1, 3, images.size, dtype=images.dtype).reshape(images.shape) * (images - wanted) ** 2).sum()
    return square, {"square": square}


WANTED = np.random.default_rng(2).uniform(0.2, 0.8, (2, 3, 4, 3)).astype(np.float32)
METRICS = {"loss", "terms", "gradient", "evaluations", "failed", "low", "high"}


def true_loss(images: np.ndarray, wanted: np.ndarray = WANTED) -> float:
    return float(
        (np.linspace(1, 3, WANTED.size).reshape(WANTED.shape) * (images.astype(np.float64) - wanted) ** 2).sum()
    )


@pytest.mark.parametrize("name", MINIMIZERS)
def test_minimizer_steps_downhill_in_one_program(name: str):
    minimizer = getattr(optimizers, name)(quadratic)
    step: Any = jax.jit(minimizer.step)
    start = jnp.asarray(np.full(WANTED.shape, 0.5, np.float32))
    state = jax.jit(minimizer.init)(start, WANTED)
    kinds = jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), state)
    images, metrics = minimizer.read(state)
    np.testing.assert_allclose(images, start, atol=1e-6)
    first, evaluations = float(metrics["loss"]), int(metrics["evaluations"])
    assert first == pytest.approx(true_loss(np.asarray(start)), rel=1e-5)
    for _ in range(MINIMIZERS[name]):
        state = step(state, WANTED)
        assert jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), state) == kinds
        images, metrics = minimizer.read(state)
        assert metrics["evaluations"] > evaluations
        evaluations = int(metrics["evaluations"])
    assert step._cache_size() == 1
    assert set(metrics) == METRICS
    assert images.shape == WANTED.shape
    assert all(jnp.shape(x) == () for x in jax.tree.leaves(metrics))
    assert (metrics["evaluations"].dtype, metrics["failed"].dtype) == (jnp.int32, jnp.bool_)
    assert float(metrics["loss"]) == pytest.approx(true_loss(np.asarray(images)), rel=1e-3, abs=1e-9)
    assert float(metrics["loss"]) < 0.01 * first


@pytest.mark.parametrize("name", MINIMIZERS)
def test_a_renewed_minimizer_goes_on_toward_the_new_target(name: str):
    """At the same images, and with the curvature it knows: the quadratic is the same about another place."""
    minimizer = getattr(optimizers, name)(quadratic)
    step: Any = jax.jit(minimizer.step)
    renew: Any = jax.jit(minimizer.renew)
    state = jax.jit(minimizer.init)(jnp.full(WANTED.shape, 0.5), WANTED)
    for _ in range(3):
        state = step(state, WANTED)
    images, metrics = minimizer.read(state)
    after = renew(state, WANTED[::-1])
    assert jax.tree.map(lambda x: (x.shape, x.dtype, x.weak_type), after) == jax.tree.map(
        lambda x: (x.shape, x.dtype, x.weak_type), state
    )
    same, renewed = minimizer.read(after)
    np.testing.assert_array_equal(same, images)
    assert renewed["evaluations"] == metrics["evaluations"] + 1
    first = true_loss(np.asarray(images), WANTED[::-1])
    assert float(renewed["loss"]) == pytest.approx(first, rel=1e-5)
    for _ in range(MINIMIZERS[name]):
        after = step(after, WANTED[::-1])
    assert float(minimizer.read(after)[1]["loss"]) < 0.01 * first


SLOW = {"lbfgsb"}  # to compile


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.slow] * (n in SLOW)) for n in MINIMIZERS])
def test_minimizer_works_mapped(name: str):
    """Two problems at once and in turn end where each would alone; args are shared."""
    minimizer = getattr(optimizers, name)(quadratic)

    def run(start: jax.Array) -> jax.Array:
        state = minimizer.init(start, WANTED)
        return minimizer.read(jax.lax.fori_loop(0, MINIMIZERS[name], lambda _, s: minimizer.step(s, WANTED), state))[0]

    starts = jnp.stack([jnp.full(WANTED.shape, 0.5), jnp.full(WANTED.shape, 0.1)])
    for images in (jax.jit(jax.vmap(run))(starts), jax.lax.map(run, starts)):
        for one, start in zip(images, starts, strict=True):
            assert true_loss(np.asarray(one)) < 0.01 * true_loss(np.asarray(start))
