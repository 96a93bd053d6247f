"""Which runs a sweep has: combinations of overrides, for the function `sweep(add)` of a config.

    def sweep(add):
        for overrides in product(over("terms.gram.layers", SETS), octaves=(1, 2, 3), seed=range(4)):
            add(**overrides)

An override is a mapping from flattened config keys to values. Everything here takes and gives lists of overrides, so
that they nest.
"""

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from texjax import errors

Overrides = Mapping[str, Any]


def over(key: str, values: Iterable[Any]) -> list[Overrides]:
    """One key with each of its values; for a key with dots, which cannot be a keyword."""
    return [{key: value} for value in values]


def product(*axes: Iterable[Overrides], **keys: Iterable[Any]) -> list[Overrides]:
    """Every combination of one override of each axis; the last axis changes fastest.

    Raises TexjaxError where two axes set the same key.
    """
    return [_merged(choice) for choice in itertools.product(*axes, *(over(key, keys[key]) for key in keys))]


def zipped(*axes: Iterable[Overrides], **keys: Iterable[Any]) -> list[Overrides]:
    """The first overrides of all axes together, the second, and on.

    Raises TexjaxError where axes differ in length, or two set the same key.
    """
    every = [*map(list, axes), *(over(key, keys[key]) for key in keys)]
    lengths = [len(axis) for axis in every]
    if len(set(lengths)) > 1:
        raise errors.TexjaxError(f"zipped axes have {', '.join(map(str, lengths))} values; give all the same number.")
    return [_merged(choice) for choice in zip(*every, strict=True)]


def chain(*axes: Iterable[Overrides]) -> list[Overrides]:
    """All overrides of the first axis, then those of the second, and on."""
    return list(itertools.chain(*axes))


def _merged(parts: Iterable[Overrides]) -> Overrides:
    found: dict[str, Any] = {}
    for part in parts:
        twice = found.keys() & part.keys()
        if twice:
            raise errors.TexjaxError(f"two axes of a sweep set {min(twice)}; let one of them set it.")
        found |= part
    return found
