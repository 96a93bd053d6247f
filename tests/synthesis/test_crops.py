"""Every output of every layer is owned by one crop, in which it is what it is in the whole image."""

import hypothesis
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import strategies

from texjax.features import grids
from texjax.synthesis import crops

NAMES = ("conv1_1", "conv1_2", "pool1", "conv2_1", "conv2_2", "pool2", "conv3_1")
LAYERS = strategies.lists(strategies.sampled_from(NAMES), min_size=1, max_size=3, unique=True)
PADDINGS = ("valid", "same", "reflect", "circular")


def needs(layers: list[str], padding: str, halo: int, stride: int) -> list[crops.Need]:
    return [crops.Need(grids.of_network(NAMES, padding, layer), halo, stride) for layer in layers]


@hypothesis.settings(max_examples=12)
@hypothesis.given(
    strategies.data(), LAYERS, strategies.sampled_from(PADDINGS), strategies.integers(0, 2), strategies.integers(1, 2)
)
def test_each_output_is_owned_once(data, layers, padding, halo, stride):
    wanted = needs(layers, padding, halo, stride)
    least = crops.smallest(wanted, padding == "circular")
    largest = data.draw(strategies.integers(least, least + 90))
    length = data.draw(strategies.integers(largest + 1, largest + 300))
    axis = crops.axis(length, largest, wanted, padding == "circular")
    assert axis.side <= largest and (axis.starts >= 0).all()
    for need in wanted:
        counts = np.zeros(need.grid.size(length))
        for number in range(len(axis.starts)):
            mine = np.asarray(crops.owned(axis, need.grid, number))
            np.add.at(counts, np.asarray(crops.outputs(axis, need.grid, number))[mine], 1)
        assert (counts == 1).all()


@pytest.mark.parametrize("padding", PADDINGS)
def test_an_axis_that_fits_is_one_crop(padding):
    axis = crops.axis(37, 37, needs(["pool1", "conv3_1"], padding, 1, 2), padding == "circular")
    assert (axis.side, axis.starts.tolist()) == (37, [[0, 37]])
    grid = grids.of_network(NAMES, padding, "pool1")
    assert crops.owned(axis, grid, 0).tolist() == [True] * grid.size(37)


@pytest.mark.parametrize("padding", ["same", "circular"])
def test_crops_are_parts_of_the_image_and_go_back_where_they_were(padding):
    """The sum of all crops, added back, counts how many crops hold a pixel; by NumPy from the crops' own pixels."""
    rows = crops.axis(83, 72, needs(["pool2"], padding, 0, 1), padding == "circular")
    columns = crops.axis(101, 80, needs(["pool2"], padding, 0, 1), padding == "circular")
    image = jnp.arange(2 * 83 * 101 * 3, dtype=jnp.float32).reshape(2, 83, 101, 3)
    total, counts = jnp.zeros_like(image), np.zeros((83, 101))
    pixel = grids.of_network((), padding, "pixels")
    for i in range(len(rows.starts)):
        for j in range(len(columns.starts)):
            y, x = (np.asarray(crops.outputs(axis, pixel, k)) for axis, k in ((rows, i), (columns, j)))
            part = jax.jit(lambda image, i, j: crops.crop(image, rows, columns, (i, j)))(image, i, j)
            np.testing.assert_array_equal(part, np.asarray(image)[:, y][:, :, x])
            total = crops.add_crop(total, part, rows, columns, (i, j))
            counts[np.ix_(y, x)] += 1
    assert counts.min() == 1
    np.testing.assert_allclose(total, image * counts[None, :, :, None], rtol=1e-6)
