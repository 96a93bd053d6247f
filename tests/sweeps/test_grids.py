"""Combinations of overrides against independent formulas: the i-th item of a product by the digits of i."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from texjax import errors
from texjax.sweeps import grids

VALUES = st.lists(
    st.integers() | st.text(max_size=3) | st.dictionaries(st.sampled_from("xy"), st.floats(0, 1)), max_size=4
)
AXES = st.dictionaries(st.sampled_from(["octaves", "terms.gram.layers", "seed", "optimizer.name"]), VALUES, max_size=3)


def digits(i: int, lengths: list[int]) -> list[int]:
    """Return the digits of i in the mixed base of these lengths; the last digit counts ones."""
    return [i // math.prod(lengths[k + 1 :]) % n for k, n in enumerate(lengths)]


@given(key=st.text(), values=VALUES)
def test_over(key: str, values: list[Any]):
    combined = grids.over(key, values)
    assert [list(overrides.items()) for overrides in combined] == [[(key, value)] for value in values]


@given(axes=AXES)
def test_product(axes: dict[str, list[Any]]):
    combined = grids.product(*(grids.over(key, values) for key, values in axes.items()))
    lengths = [len(values) for values in axes.values()]
    assert len(combined) == math.prod(lengths)
    for i, overrides in enumerate(combined):
        at = digits(i, lengths)
        assert overrides == {key: values[k] for (key, values), k in zip(axes.items(), at, strict=True)}


@given(octaves=VALUES, seeds=VALUES)
def test_keywords_follow_the_axes(octaves: list[Any], seeds: list[Any]):
    axis = grids.over("octaves", octaves)
    assert grids.product(axis, seed=seeds) == [{"octaves": o, "seed": s} for o in octaves for s in seeds]
    assert grids.product(octaves=octaves, seed=seeds) == grids.product(axis, seed=seeds)


@given(axes=AXES.filter(bool))
def test_zipped(axes: dict[str, list[Any]]):
    least = min(len(values) for values in axes.values())
    cut = {key: values[:least] for key, values in axes.items()}
    combined = grids.zipped(*(grids.over(key, values) for key, values in cut.items()))
    assert combined == [{key: values[i] for key, values in cut.items()} for i in range(least)]
    assert grids.zipped(*(grids.over(key, values) for key, values in cut.items()), width=range(least)) == [
        {**overrides, "width": i} for i, overrides in enumerate(combined)
    ]


@given(first=VALUES, second=VALUES)
def test_chain(first: list[Any], second: list[Any]):
    combined = grids.chain(grids.over("seed", first), [], grids.over("octaves", second))
    assert len(combined) == len(first) + len(second)
    assert [overrides.get("seed", "none") for overrides in combined] == [*first, *["none"] * len(second)]
    assert [overrides["octaves"] for overrides in combined[len(first) :]] == second


def test_combinations_nest():
    """Both numbers of octaves with each pair of layers and size, and one more run."""
    pairs = grids.zipped(grids.over("terms.gram.layers", [{"pool1": 1.0}, {"pool2": 1.0}]), size=[(64, 64), (96, 96)])
    combined = grids.chain(grids.product(pairs, octaves=(1, 2)), [{"seed": 3}])
    first, second = (
        {"terms.gram.layers": {"pool1": 1.0}, "size": (64, 64)},
        {"terms.gram.layers": {"pool2": 1.0}, "size": (96, 96)},
    )
    assert combined == [
        first | {"octaves": 1},
        first | {"octaves": 2},
        second | {"octaves": 1},
        second | {"octaves": 2},
        {"seed": 3},
    ]


def test_nothing_swept_is_one_run_of_a_product():
    assert grids.product() == [{}]
    assert grids.zipped() == []
    assert grids.product(grids.over("octaves", []), seed=(0, 1)) == []


def test_an_axis_may_be_an_iterator():
    assert grids.product(iter(grids.over("octaves", (1, 2))), seed=range(2))[3] == {"octaves": 2, "seed": 1}
    assert grids.zipped(iter(grids.over("octaves", (1, 2))), seed=range(2)) == [
        {"octaves": 1, "seed": 0},
        {"octaves": 2, "seed": 1},
    ]


@pytest.mark.parametrize("combine", [grids.product, grids.zipped])
def test_a_key_is_set_once(combine):
    with pytest.raises(errors.TexjaxError, match="two axes of a sweep set octaves; let one"):
        combine(grids.over("octaves", (1, 2)), octaves=(3, 4))


@given(lengths=st.lists(st.integers(0, 4), min_size=2, max_size=3).filter(lambda lengths: len(set(lengths)) > 1))
def test_zipped_axes_are_equally_long(lengths: list[int]):
    axes = [grids.over(f"key{i}", range(n)) for i, n in enumerate(lengths)]
    with pytest.raises(errors.TexjaxError, match=f"zipped axes have {', '.join(map(str, lengths))} values"):
        grids.zipped(*axes)
