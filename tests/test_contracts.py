"""The contracts of losses, extractors and optimizers; a new one is a new row of its table."""

import functools
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import features, losses, optimizers, types
from texjax.features.weights import files

LOSSES = {
    "analogy": losses.analogy,
    "analogy full": lambda: losses.analogy(patch=2, full=True),
    "autocorrelation": losses.autocorrelation,
    "content": losses.content,
    "diversity": losses.diversity,
    "gram": losses.gram,
    "guided_correspondence": lambda: losses.guided_correspondence(patch=2, stride=1, occurrence=0.0),
    "guided_correspondence drawn": lambda: losses.guided_correspondence(patch=2, stride=1, most=9),
    "inter_frame": lambda: losses.inter_frame(order=1, octaves=2),  # the stacks have two frames
    "inter_frame lap1": lambda: losses.inter_frame(order=1, octaves=2, distance_type="lap1"),
    "mean": losses.mean,
    "mrf": losses.mrf,
    "mrf overlap": lambda: losses.mrf(patch=2, stride=1, bank_stride=1, normalization="overlap"),
    "mrf rematch": lambda: losses.mrf(patch=2, rematch=2),
    "mrf patchmatch": lambda: losses.mrf(patch=2, search="patchmatch"),
    "novelty": losses.novelty,
    "novelty internal": lambda: losses.novelty(internal=True),
    "shifted_gram": lambda: losses.shifted_gram(shifts=(1, 2)),
    "sliced_wasserstein": lambda: losses.sliced_wasserstein(directions=5),  # more than channels
    "smoothness": losses.smoothness,
    "spectrum": losses.spectrum,
}
# These compare the images of a stack with each other; all others add over the stack.
JOINT = {"diversity", "inter_frame", "inter_frame lap1", "novelty", "novelty internal"}
# The value of these does not follow from sums over tiles.
NOT_ADDITIVE = {
    *("autocorrelation", "guided_correspondence", "guided_correspondence drawn", "inter_frame lap1", "mrf rematch"),
    *("mrf patchmatch", "sliced_wasserstein", "spectrum"),
}
# These take the output for repeating, and a source for ending at its edges.
REPEATING = {"autocorrelation", "shifted_gram", "spectrum"}
# Whether another key gives another choice, for the losses that choose.
RANDOM = {
    "guided_correspondence": False,
    "guided_correspondence drawn": True,
    "mrf rematch": False,
    "mrf patchmatch": True,
    "sliced_wasserstein": True,
}
# Pixels on each side that these need.
LEAST = {"analogy full": 2, "autocorrelation": 2, "mrf": 3, "shifted_gram": 3, "smoothness": 2, "spectrum": 2}
# The shares of these depend on one pixel each.
POINTWISE = {"analogy", "content", "diversity", "gram", "inter_frame", "mean", "novelty", "novelty internal"}


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
    assert {name.split()[0] for name in LOSSES} == set(losses.NAMES) == set(losses.__all__) - {"between"}
    assert set(EXTRACTORS) == set(features.__all__)
    assert set(MINIMIZERS) == set(optimizers.__all__)


def constants(traced: Any) -> int:
    """The number of values that a program holds and that were no arguments."""
    return sum(np.size(x) for x in traced.consts)


PLACES = ((0, "pixels", 2.0), (1, "conv1_1", 0.5))  # octave, layer and weight
SIZE, TILE = (13, 12), (9, 8)  # the last tile begins at a multiple of 2
KEY = jax.random.key(0)


class Case:
    """A loss, with the features of a stack of two images and of a source at two places.

    stack, other, source: for each place, [n, 13, 12, 3]. other: another stack. target: the source's. choice: the first
    choice for the stack, or nothing.
    """

    def __init__(self, name: str):
        self.name, self.loss = name, LOSSES[name]()
        rng = np.random.default_rng(0)
        self.stack = [jnp.asarray(rng.random((2, *SIZE, 3)), jnp.float32) for _ in PLACES]
        self.other = [2 * maps[::-1] for maps in self.stack]
        self.source = [jnp.asarray(rng.random((1, *SIZE, 3)), jnp.float32) for _ in PLACES]
        self.target = self.target_of(self.source)
        self.choice = [self.refresh(self.stack, None, KEY)] if self.loss.refresh else []

    def views(self, features: Sequence[jax.Array], mask: Any = None) -> list[types.View]:
        return [types.View(*place, maps, mask) for place, maps in zip(PLACES, features, strict=True)]

    def target_of(self, source: Sequence[jax.Array]) -> Any:
        summary = jax.jit(lambda maps: self.loss.summarize(self.views(maps)))(source)
        # A is to A' as B is to the image: all three are the same here.
        return self.loss.join([summary] * (3 if self.name.startswith("analogy") else 1))

    def value(self, features: Sequence[jax.Array], target: Any, *choice: Any, mask: Any = None) -> jax.Array:
        return self.loss.value(self.views(features, mask), target, *choice)

    @functools.cached_property
    def evaluate(self) -> Any:
        """The compiled (features, target, *choice) -> value and gradient."""
        return jax.jit(jax.value_and_grad(self.value))

    @functools.cached_property
    def refresh(self) -> Any:
        """The compiled (features, previous choice, key) -> choice."""
        refresh: Any = self.loss.refresh
        return jax.jit(lambda maps, previous, key: refresh(self.views(maps), self.target, previous, key))

    @functools.cached_property
    def measure(self) -> Any:
        """The compiled (features, target, mask) -> sums at all places."""
        additive: Any = self.loss.additive
        return jax.jit(
            lambda maps, target, mask: [additive.measure(*x) for x in zip(self.views(maps, mask), target, strict=True)]
        )

    @functools.cached_property
    def masked(self) -> Any:
        """The compiled (features, target, mask) -> value."""
        return jax.jit(lambda maps, target, mask: self.value(maps, target, mask=mask))


@pytest.fixture(scope="module", params=LOSSES)
def case(request) -> Case:
    return Case(request.param)


def cases(names: Sequence[str] | set[str]) -> Any:
    return pytest.mark.parametrize("case", sorted(names), indirect=True, scope="module")


def spans(lengths: Sequence[int], size: int, tile: int, additive: types.Additive) -> Iterator[tuple[int, int, int]]:
    """Cut an axis into parts of about these lengths.

    Yields, for each part, where a tile begins that holds the part and its halo, and the part's first and last entry. On
    a circle a tile may begin before the first entry, and end after the last one.
    """
    first, halo = 0, additive.halo
    for length in itertools.cycle(lengths):
        start, end = first - halo, first - halo + tile
        if not additive.circular:
            start = min(max(start, 0) // additive.stride * additive.stride, size - tile)
            end = start + tile + halo * (start + tile == size)
        last = min(first + length, end - halo, size)
        yield start, first, last
        if last == size:
            return
        first = last


LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=4)


@cases(set(LOSSES) - NOT_ADDITIVE)
@given(rows=LENGTHS, columns=LENGTHS)
def test_sums_add_over_tiles_and_give_the_value(case: Case, rows: list[int], columns: list[int]):
    """Tiles are of one size, cut anywhere, and own what a mask leaves. Another mask weighs the pixels."""
    additive = case.loss.additive
    assert additive is not None
    mask = np.random.default_rng(1).random(SIZE).astype(np.float32)
    total: Any = None
    for top, first_row, last_row in spans(rows, SIZE[0], TILE[0], additive):
        for left, first_column, last_column in spans(columns, SIZE[1], TILE[1], additive):
            window = np.ix_((top + np.arange(TILE[0])) % SIZE[0], (left + np.arange(TILE[1])) % SIZE[1])
            owned = np.zeros(SIZE, np.float32)
            owned[first_row:last_row, first_column:last_column] = 1
            target = jax.tree.map(lambda x, w=window: x[w], case.target) if additive.aligned else case.target
            tiles = [maps[:, *window] for maps in case.stack]
            sums = jax.tree.map(np.float64, case.measure(tiles, target, (owned * mask)[window]))
            total = sums if total is None else jax.tree.map(np.add, total, sums)
    whole = case.measure(case.stack, case.target, mask)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-5), total, whole)
    # The features of a tile are not those of the image, so the distance must not look at them.
    places = [view._replace(features=None, mask=None) for view in case.views(case.stack)]
    value = float(additive.distance(jax.tree.map(jnp.float32, total), places, case.target))
    assert value == pytest.approx(float(case.masked(case.stack, case.target, mask)), rel=1e-4)
    assert value != 0


@cases(NOT_ADDITIVE)
def test_losses_that_are_no_sums_do_not_add(case: Case):
    assert case.loss.additive is None


def test_a_source_is_at_no_distance_from_itself(case: Case):
    if case.name in JOINT or not jax.tree.leaves(case.target):
        pytest.skip("this loss compares images of the stack, or with no source")
    if case.name in REPEATING:
        pytest.skip("this loss takes the output for repeating, and a source for ending at its edges")
    if case.name == "guided_correspondence drawn":
        pytest.skip("this loss compares some patches of the output with some others of the source")
    choice = jax.tree.map(lambda matches: jnp.zeros_like(matches[:1]), case.choice)
    if choice:
        for key in jax.random.split(KEY, 20):  # by which PatchMatch, too, has found all patches
            choice = [case.refresh(case.source, choice[0], key)]
    value, gradient = case.evaluate(case.source, case.target, *choice)
    far, slope = case.evaluate(case.stack, case.target, *case.choice)
    assert far > 1e-5
    assert abs(float(value)) < 1e-8 * float(far) + 1e-12
    for at_source, at_stack in zip(gradient, slope, strict=True):
        assert float(jnp.abs(at_source).max()) < 1e-4 * float(jnp.abs(at_stack).max())


def test_loss_compiles_and_maps(case: Case):
    value = case.value(case.stack, case.target, *case.choice)
    assert value.shape == ()
    compiled = [float(case.evaluate(maps, case.target, *case.choice)[0]) for maps in (case.stack, case.other)]
    assert compiled[0] == pytest.approx(float(value), rel=1e-5)
    outputs = [jnp.stack(maps) for maps in zip(case.stack, case.other, strict=True)]
    mapped = jax.jit(jax.vmap(lambda maps: case.value(maps, case.target, *case.choice)))(outputs)
    np.testing.assert_allclose(mapped, compiled, rtol=1e-5)


def test_loss_has_the_slope_of_its_value(case: Case):
    rng = np.random.default_rng(1)
    with jax.enable_x64(True):
        exact = [jnp.asarray(np.asarray(maps, np.float64)) for maps in case.stack]
        directions = [jnp.asarray(rng.standard_normal(maps.shape)) for maps in exact]

        def moved(step: float) -> Any:
            maps = [x + step * direction for x, direction in zip(exact, directions, strict=True)]
            return case.evaluate(maps, case.target, *case.choice)

        slope = sum(float((g * direction).sum()) for g, direction in zip(moved(0.0)[1], directions, strict=True))
        difference = float(moved(1e-6)[0] - moved(-1e-6)[0])
    assert slope == pytest.approx(difference / 2e-6, rel=1e-5, abs=1e-9)


@cases(set(LOSSES) - JOINT)
def test_a_stack_has_the_sum_of_the_values_of_its_images(case: Case):
    def value(images: slice) -> float:
        maps, *choice = jax.tree.map(lambda x: x[images], [case.stack, *case.choice])
        return float(case.evaluate(maps, case.target, *choice)[0])

    assert value(slice(0, 2)) == pytest.approx(value(slice(0, 1)) + value(slice(1, 2)), rel=1e-5)


def test_targets_and_choices_are_arguments(case: Case):
    assert constants(jax.make_jaxpr(case.value)(case.stack, case.target, *case.choice)) <= 1
    assert constants(jax.make_jaxpr(lambda maps: case.loss.summarize(case.views(maps)))(case.source)) <= 1
    if refresh := case.loss.refresh:
        traced = jax.make_jaxpr(lambda maps, *arguments: refresh(case.views(maps), *arguments))
        assert constants(traced(case.stack, case.target, None, KEY)) <= 1
        assert constants(traced(case.stack, case.target, case.choice[0], KEY)) <= 1


@cases(POINTWISE)
def test_masked_half_is_no_part_of_the_image(case: Case):
    half, mask = slice(0, SIZE[1] // 2), np.zeros(SIZE, np.float32)
    mask[:, half] = 1
    aligned = case.loss.additive is not None and case.loss.additive.aligned
    target = jax.tree.map(lambda x: x[:, half], case.target) if aligned else case.target
    alone = float(case.value([maps[:, :, half] for maps in case.stack], target))
    assert float(case.masked(case.stack, case.target, mask)) == pytest.approx(alone, rel=1e-5)
    assert float(case.masked(case.stack, case.target, 1 - mask)) != pytest.approx(alone, rel=1e-3)


@cases(set(LEAST))
def test_a_loss_needs_no_more_pixels_than_it_says(case: Case):
    least = LEAST[case.name]
    assert case.loss.least == least
    stack, source = ([maps[:, :least, :least] for maps in stacks] for stacks in (case.stack, case.source))
    assert float(case.value(stack, case.target_of(source))) > 0


def same(a: Any, b: Any) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


@cases(set(RANDOM))
def test_refresh_draws_from_its_key_alone(case: Case):
    key, other_key = jax.random.split(KEY)
    for previous in (None, case.choice[0]):
        choice = case.refresh(case.stack, previous, key)
        assert same(choice, case.refresh(case.stack, previous, key))
        assert same(choice, case.refresh(case.stack, previous, other_key)) != RANDOM[case.name]
        # Both branches of the loop's `cond` have to have the same types.
        assert jax.tree.map(jax.typeof, choice) == jax.tree.map(jax.typeof, case.choice[0])


def test_every_loss_that_refreshes_says_whether_it_draws():
    assert {name for name in LOSSES if LOSSES[name]().refresh} == set(RANDOM)


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
