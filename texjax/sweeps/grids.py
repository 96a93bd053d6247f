"""Combine overrides into the runs of a sweep, for the function `sweep(add)` of a config.

    def sweep(add):
        for overrides in product(over("terms.gram.layers", SETS), octaves=(1, 2, 3), seed=range(4)):
            add(**overrides)

One item of a list, here called overrides, is a mapping from flattened config keys to values. Every function takes lists
of overrides, called axes, and returns such a list, so that calls nest.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from texjax import errors

Overrides = Mapping[str, Any]


def over(key: str, values: Iterable[Any]) -> list[Overrides]:
    """Return an axis of one key with each of its values; for keys with dots, which cannot be keyword arguments."""
    return [{key: value} for value in values]


def product(*axes: Iterable[Overrides], **keys: Iterable[Any]) -> list[Overrides]:
    """Return every combination of one item of each axis; the last axis changes fastest.

    A keyword argument is an axis of one key with its values.

    Raises:
        TexjaxError: If two axes set the same key.
    """
    return [_merged(items) for items in itertools.product(*axes, *(over(key, keys[key]) for key in keys))]


def zipped(*axes: Iterable[Overrides], **keys: Iterable[Any]) -> list[Overrides]:
    """Return the first items of all axes merged, then the second items merged, and so on.

    A keyword argument is an axis of one key with its values.

    Raises:
        TexjaxError: If the axes differ in length, or two of them set the same key.
    """
    all_axes = [*map(list, axes), *(over(key, keys[key]) for key in keys)]
    lengths = [len(axis) for axis in all_axes]
    if len(set(lengths)) > 1:
        raise errors.TexjaxError(
            f"zipped axes have {', '.join(map(str, lengths))} values; give every axis the same number of values."
        )
    return [_merged(items) for items in zip(*all_axes, strict=True)]


def chain(*axes: Iterable[Overrides]) -> list[Overrides]:
    """Return all items of the first axis, then all items of the second, and so on."""
    return list(itertools.chain(*axes))


def _merged(items: Iterable[Overrides]) -> Overrides:
    merged: dict[str, Any] = {}
    for overrides in items:
        shared = merged.keys() & overrides.keys()
        if shared:
            raise errors.TexjaxError(f"two axes of a sweep set {min(shared)}; let one of them set it.")
        merged |= overrides
    return merged
