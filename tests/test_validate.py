"""Checks of numbers: which values pass, and the sentence for those that do not."""

import math
from typing import Any

import numpy as np
import pytest

from texjax import errors, validate


@pytest.mark.parametrize("value", [1, 7, 2**31 - 1])
def test_whole_numbers_from_the_lower_bound_pass(value: int):
    validate.whole("steps", value, 1)


@pytest.mark.parametrize("value", [0, -3, 2.0, 1.5, math.inf, math.nan, True, False, "2", None, np.float32(2)])
def test_other_values_are_no_whole_numbers(value: Any):
    with pytest.raises(errors.TexjaxError) as caught:
        validate.whole("steps", value, 1)
    assert str(caught.value) == f"steps is {value!r}; give a whole number from 1."


def test_whole_numbers_fit_32_bits():
    with pytest.raises(errors.TexjaxError, match="steps is 2147483648"):
        validate.whole("steps", 2**31, 1)


@pytest.mark.parametrize("value", [2, 5])
def test_both_bounds_of_whole_numbers_are_possible(value: int):
    validate.whole("octaves", value, 2, 5)


@pytest.mark.parametrize("value", [1, 6, 3.0])
def test_the_sentence_names_both_bounds_of_whole_numbers(value: Any):
    with pytest.raises(errors.TexjaxError) as caught:
        validate.whole("octaves", value, 2, 5)
    assert str(caught.value) == f"octaves is {value!r}; give a whole number from 2 to 5."


def test_a_larger_upper_bound_is_possible_and_not_named():
    validate.whole("memory", 2**40, 1, 2**63 - 1)
    with pytest.raises(errors.TexjaxError, match=r"^memory is 0; give a whole number from 1\.$"):
        validate.whole("memory", 0, 1, 2**63 - 1)


@pytest.mark.parametrize("value", [-1e30, -2, 0, 0.5, 3, np.float64(1.5)])
def test_finite_numbers_pass(value: Any):
    validate.real("mul", value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, True, "1", None, (1.0,)])
def test_other_values_are_no_finite_numbers(value: Any):
    with pytest.raises(errors.TexjaxError) as caught:
        validate.real("mul", value)
    assert str(caught.value) == f"mul is {value!r}; give a finite number."


@pytest.mark.parametrize("value", [0, 0.0, 0.25, 1, 1.0])
def test_both_bounds_of_numbers_are_possible(value: Any):
    validate.real("weight", value, 0, 1)


@pytest.mark.parametrize(
    ("value", "low", "high", "possible"),
    [
        (-1e-9, 0, math.inf, "a number from 0"),
        (math.inf, 0, math.inf, "a number from 0"),
        (1.5, 0, 1, "a number from 0 to 1"),
        (math.nan, 0, 1, "a number from 0 to 1"),
        (True, 0.0, 1.0, "a number from 0 to 1"),
        (0.2, 0.25, 0.5, "a number from 0.25 to 0.5"),
    ],
)
def test_the_sentence_names_the_bounds_of_numbers(value: Any, low: float, high: float, possible: str):
    with pytest.raises(errors.TexjaxError) as caught:
        validate.real("weight", value, low, high)
    assert str(caught.value) == f"weight is {value!r}; give {possible}."
