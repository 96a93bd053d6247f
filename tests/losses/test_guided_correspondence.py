"""Guided correspondence against loops over patches in NumPy, in float64."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from texjax import errors, losses, types
from texjax.losses import directions

C, KEY, EPSILON = 2, jax.random.key(0), 1e-5
OTHER: dict[str, Any] = {"patch": 2, "stride": 1, "bandwidth": 0.3, "occurrence": 0.2}


def maps(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Features [h, w, C], not negative, many of them 0."""
    return np.maximum(np.random.default_rng(seed).standard_normal((height, width, C)), 0)


def rows(features: np.ndarray, patch: int, stride: int) -> list[np.ndarray]:
    """The values of each patch, row by row."""
    return [
        features[y : y + patch, x : x + patch].reshape(-1)
        for y in range(0, features.shape[0] - patch + 1, stride)
        for x in range(0, features.shape[1] - patch + 1, stride)
    ]


def distances(image: np.ndarray, sources: list[np.ndarray], patch: int, stride: int) -> np.ndarray:
    """[output patches, source patches], halves of one minus the cosine of the angle at the mean source patch."""
    bank = [row for source in sources for row in rows(source, patch, stride)]
    mean = np.mean(bank, axis=0)

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    return np.array([[(1 - cosine(t - mean, r - mean)) / 2 for r in bank] for t in rows(image, patch, stride)])


def counts(matrix: np.ndarray) -> np.ndarray:
    """For how many rows each column has the least distance."""
    return np.array([sum(int(row.argmin()) == j for row in matrix) for j in range(matrix.shape[1])])


def loss_of(matrix: np.ndarray, count: np.ndarray, bandwidth: float, occurrence: float) -> float:
    """The paper's formula, step by step."""
    omega = matrix.shape[0] / matrix.shape[1]
    values = []
    for row in matrix:
        penalized = row + occurrence * count / omega
        affinities = np.exp((1 - penalized / (penalized.min() + EPSILON)) / bandwidth)
        values.append(-np.log((affinities / affinities.sum()).max()))
    return float(np.mean(values))


def expected(image, sources, *, patch=7, stride=3, bandwidth=0.5, occurrence=0.05) -> float:
    matrix = distances(image, sources, patch, stride)
    return loss_of(matrix, counts(matrix), bandwidth, occurrence)


def views(images: Any, mask: np.ndarray | None = None) -> list[types.View]:
    """One place, of a stack [n, h, w, C]."""
    return [types.View(0, "conv2_1", 1.0, images, None if mask is None else jnp.asarray(mask))]


def chosen(loss: types.Loss, seen: list[types.View], target: list[Any], key: jax.Array = KEY) -> list[Any]:
    assert loss.refresh is not None
    return loss.refresh(seen, target, None, key)


def evaluate(
    loss: types.Loss, image: np.ndarray, sources, mask=None, source_mask=None, key=KEY, dtype: Any = np.float32
):
    """Value, gradient and choice for an image [h, w, C]."""

    @jax.jit
    def compiled(image, sources):
        target = loss.join([loss.summarize(views(source[None], source_mask)) for source in sources])
        (choice,) = chosen(loss, views(image[None], mask), target, key)
        value, gradient = jax.value_and_grad(lambda x: loss.value(views(x[None], mask), target, [choice]))(image)
        return value, gradient, jax.tree.map(lambda x: x[0], choice)

    return jax.tree.map(np.asarray, compiled(image.astype(dtype), [source.astype(dtype) for source in sources]))


@pytest.mark.parametrize(
    ("shape", "sides", "numbers"),
    [
        ((13, 16), [(19, 13)], {}),  # the paper's, which are the defaults
        ((7, 5), [(7, 4), (4, 8)], {"patch": 3, "stride": 2, "bandwidth": 0.4, "occurrence": 0.3}),
        ((4, 3), [(3, 6)], {"patch": 3, "stride": 1, "occurrence": 0.0}),
    ],
)
def test_equals_the_formula(shape, sides, numbers):
    image, sources = maps(*shape), [maps(*side, seed=seed) for seed, side in enumerate(sides, start=1)]
    value, _, _ = evaluate(losses.guided_correspondence(**numbers), image, sources)
    assert value == pytest.approx(expected(image, sources, **numbers), rel=1e-4)
    if numbers.get("occurrence", 0.05):
        assert value != pytest.approx(expected(image, sources, **numbers | {"occurrence": 0.0}), rel=1e-3)


def test_patches_reach_all_edges():
    """Of 9 x 8 pixels, patches of 3 at every second place leave a column, the last or the first one."""
    image, source = maps(9, 8), maps(7, 7, seed=1)
    numbers = {"patch": 3, "stride": 2, "bandwidth": 0.4, "occurrence": 0.3}
    shifts = set()
    for seed in range(8):
        value, gradient, choice = evaluate(
            losses.guided_correspondence(**numbers), image, [source], key=jax.random.key(seed)
        )
        row, column = choice.offset
        shifts.add(int(column))
        assert row == 0
        assert value == pytest.approx(expected(image[:, column : column + 7], [source], **numbers), rel=1e-4)
        assert not gradient[:, 7 if column == 0 else 0].any()
    assert shifts == {0, 1}


def angle_distances(b: np.ndarray, maps: list[np.ndarray], patch: int, stride: int) -> np.ndarray:
    """[output patches, source patches], halves of one minus the cosine of the directions in the patches."""
    fields = [np.asarray(directions.directions(jnp.asarray(x, jnp.float32), 9)) for x in (b, *maps)]
    bank = [row for field in fields[1:] for row in rows(field, patch, stride)]
    return np.array(
        [
            [(1 - t @ r / (np.linalg.norm(t) * np.linalg.norm(r))) / 2 for r in bank]
            for t in rows(fields[0], patch, stride)
        ]
    )


@pytest.mark.parametrize(("kind", "between"), [("guidance", distances), ("orientation", angle_distances)])
def test_maps_guide(kind, between):
    """The distances of the maps are added to those of the pictures, before counts and affinities."""
    image, source, a, b = maps(5, 4), maps(6, 5, seed=1), maps(6, 5, seed=2), maps(5, 4, seed=3)
    numbers: dict[str, Any] = {**OTHER, kind: 0.7}
    value, _, _ = evaluate(losses.guided_correspondence(**numbers), image, [a, source, b])
    matrix = distances(image, [source], 2, 1) + 0.7 * between(b, [a], 2, 1)
    formula = loss_of(matrix, counts(matrix), OTHER["bandwidth"], OTHER["occurrence"])
    assert value == pytest.approx(formula, rel=1e-4)
    assert value != pytest.approx(expected(image, [source], **OTHER), rel=1e-2)


def test_copies_of_maps_and_sources_are_compared_and_b_is_the_middle_one():
    """Three copies each, as turned copies come: of A, then of A', then of B. The two kinds of guides add."""
    numbers = {**OTHER, "guidance": 0.4, "orientation": 0.7}
    a = [maps(6, 5, seed=2), maps(5, 5, seed=3), maps(4, 6, seed=4)]
    source = [maps(6, 5, seed=5), maps(5, 5, seed=6), maps(4, 6, seed=7)]
    b = [maps(3, 3, seed=8), maps(5, 4, seed=9), maps(3, 3, seed=10)]
    image = maps(5, 4)
    value, _, _ = evaluate(losses.guided_correspondence(**numbers), image, [*a, *source, *b])
    matrix = distances(image, source, 2, 1) + 0.4 * distances(b[1], a, 2, 1) + 0.7 * angle_distances(b[1], a, 2, 1)
    assert value == pytest.approx(loss_of(matrix, counts(matrix), OTHER["bandwidth"], OTHER["occurrence"]), rel=1e-4)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [([(6, 5)], "there are 1 pictures; give the term group 'analogy'"), ([(6, 5), (5, 5), (4, 4)], "A is 5 x 6")],
)
def test_guidance_wants_an_analogy(sizes, message):
    loss = losses.guided_correspondence(**OTHER, guidance=1.0)
    with pytest.raises(errors.TexjaxError, match=message):
        loss.join([loss.summarize(views(jnp.asarray(maps(*size))[None])) for size in sizes])


def test_gradient_is_that_of_the_formula_with_held_counts():
    """By central differences, in float64. The counts have no gradient, and some are above 1."""
    image, source = maps(5, 4), maps(6, 5, seed=1)
    held, slope = counts(distances(image, [source], 2, 1)), np.zeros(image.shape)
    assert (held > 1).any()
    for place in np.ndindex(image.shape):
        step = np.zeros(image.shape)
        step[place] = 1e-6
        above, below = (
            loss_of(distances(moved, [source], 2, 1), held, OTHER["bandwidth"], OTHER["occurrence"])
            for moved in (image + step, image - step)
        )
        slope[place] = (above - below) / 2e-6
    with jax.enable_x64(True):
        _, gradient, _ = evaluate(losses.guided_correspondence(**OTHER), image, [source], dtype=np.float64)
    np.testing.assert_allclose(gradient, slope, rtol=1e-5, atol=1e-7)


def test_blocks_change_nothing():
    image, source = maps(6, 5), maps(7, 6, seed=1)
    # 4 x 30 distances and 3 x 8 values of a row: six of the 20 patches at a time, and the last block is filled up.
    memory = 4 * 7 * (4 * 30 + 3 * 8) - 1
    whole, blocks = (
        evaluate(losses.guided_correspondence(**OTHER, **more), image, [source]) for more in ({}, {"memory": memory})
    )
    jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6), whole, blocks)


def test_so_many_patches_are_drawn_and_compared():
    """The mean patch is that of all patches of the source; counts and their factor are those of the patches drawn."""
    image, source, most = maps(8, 7), maps(9, 8, seed=1), 12
    loss = losses.guided_correspondence(**OTHER, most=most)
    value, _, choice = evaluate(loss, image, [source])
    part = distances(image, [source], 2, 1)[choice.queries][:, choice.bank]
    assert part.shape == (most, most)
    assert len(set(choice.queries.tolist())) == len(set(choice.bank.tolist())) == most
    assert value == pytest.approx(loss_of(part, counts(part), OTHER["bandwidth"], OTHER["occurrence"]), rel=1e-4)


def test_each_image_of_a_stack_has_its_own_patches():
    """The images are equal, so that only the keys can make different choices."""
    loss = losses.guided_correspondence(**OTHER, most=12)

    @jax.jit
    def choose(image, source):
        target = loss.join([loss.summarize(views(source[None]))])
        return chosen(loss, views(jnp.stack([image, image])), target)[0]

    choice = choose(maps(8, 7), maps(9, 8, seed=1))
    assert (choice.queries[0] != choice.queries[1]).any() and (choice.bank[0] != choice.bank[1]).any()


def test_masks_leave_patches_of_the_image_and_of_a_source():
    """What a mask leaves counts as if it were all; where patches are drawn, these come first."""
    numbers = {**OTHER, "stride": 2}
    image, source = maps(8, 10), maps(11, 9, seed=1)
    mask, source_mask = np.zeros((8, 10), np.float32), np.zeros((11, 9), np.float32)
    mask[2:8, 4:9], source_mask[4:, :8] = 0.5, 1
    formula = expected(image[2:8, 4:9], [source[4:, :8]], **numbers)
    for most in (2048, 14):  # of 20 and 20 patches, 6 and 12 are left
        loss = losses.guided_correspondence(**numbers, most=most)
        assert evaluate(loss, image, [source], mask, source_mask)[0] == pytest.approx(formula, rel=1e-4)


def test_flat_maps_make_no_nan():
    flat = np.ones((8, 8, C))
    value, gradient, _ = evaluate(losses.guided_correspondence(**OTHER), flat, [flat])
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_it_is_chosen_anew_every_so_many_steps_and_does_not_add_over_tiles():
    loss = losses.guided_correspondence(patch=5, rematch=3)
    assert (loss.least, loss.period, loss.additive) == (5, 3, None)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"patch": 0}, "patch of the guided correspondence loss is 0; give a whole number from 1"),
        ({"stride": 0}, "stride of the guided correspondence loss is 0"),
        ({"most": 0}, "most of the guided correspondence loss is 0"),
        ({"rematch": True}, "rematch of the guided correspondence loss is True"),
        ({"bandwidth": 0.0}, "bandwidth of the guided correspondence loss is 0.0; give a number from 0.001"),
        ({"guidance": -1.0}, "guidance of the guided correspondence loss is -1.0"),
        ({"orientation": -1.0}, "orientation of the guided correspondence loss is -1.0"),
        ({"occurrence": -0.1}, "occurrence of the guided correspondence loss is -0.1"),
        ({"memory": 0}, r"memory \(bytes\) of the guided correspondence loss is 0"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers, message):
    with pytest.raises(errors.TexjaxError, match=message):
        losses.guided_correspondence(**numbers)
