"""Checks of numbers that users set, each with an error of one sentence."""

import math
from typing import Any

from texjax import errors

LARGEST = 2**31 - 1


def whole(name: str, value: Any, low: int, high: int = LARGEST) -> None:
    """Raise TexjaxError where `value` is no whole number from `low` to `high`.

    name: the key or flag, for the error.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise errors.TexjaxError(f"{name} is {value!r}; give a whole number from {low}{_to(high)}.")


def real(name: str, value: Any, low: int | float = -math.inf, high: int | float = math.inf) -> None:
    """Raise TexjaxError where `value` is no finite number from `low` to `high`.

    name: the key or flag, for the error.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        possible = "a finite number" if low == -math.inf else f"a number from {low:g}{_to(high)}"
        raise errors.TexjaxError(f"{name} is {value!r}; give {possible}.")


def _to(high: int | float) -> str:
    """How the sentence goes on where there is an upper bound."""
    return "" if high >= LARGEST else f" to {high:g}"
