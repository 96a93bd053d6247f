"""Helpers that build a `types.Loss` from functions of one place: one layer of one octave.

`per_image` is for losses that compare every image of a stack with the same target, place by place. `from_sums` is for
losses that need the whole stack, or all places, at once.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jaxtyping import Array, Float

from texjax import types


def per_image(
    measure: Callable[..., Any],
    distance: Callable[..., types.Scalar],
    *,
    summarize: Callable[..., Any],
    join: Callable[..., Any],
    halo: int = 0,
    stride: int = 1,
    aligned: bool = False,
    circular: bool = False,
    least: int = 1,
) -> types.Loss:
    """Return the loss sum_places weight sum_images distance(measure(F, mask, T), T) of features F and targets T.

    Args:
        measure: (features [h, w, c], mask [h, w] or None, target) -> sums over the pixels.
        distance: (sums, target) -> scalar.
        summarize: (features [h, w, c], mask) -> summary of one source at one place.
        join: (list of summaries at one place) -> target of that place.
        halo: see `types.Additive`, as are stride, aligned and circular.
        stride: see `halo`.
        aligned: see `halo`.
        circular: see `halo`.
        least: pixels of the layer that the loss needs on each side.
    """

    def measure_stack(view: types.View, target: Any) -> Any:
        return jax.vmap(lambda features: measure(features, view.mask, target))(view.features)

    return from_sums(
        measure_stack,
        total(distance),
        summarize=at_each_place(summarize),
        join=join_each_place(join),
        halo=halo,
        stride=stride,
        aligned=aligned,
        circular=circular,
        least=least,
    )


def total(distance: Callable[..., types.Scalar]) -> Callable[..., types.Scalar]:
    """Lift a distance (sums of one image at one place, target) to (sums of the stack at all places, views, targets)."""

    def of_all(sums: Sequence[Any], views: Sequence[types.View], targets: Sequence[Any]) -> types.Scalar:
        shares = [
            view.weight * jax.vmap(distance, (0, None))(sums_of_place, target).sum()
            for sums_of_place, view, target in zip(sums, views, targets, strict=True)
        ]
        return sum_of(shares)

    return of_all


def from_sums(
    measure: Callable[..., Any],
    distance: Callable[..., types.Scalar],
    *,
    summarize: Callable[..., Any],
    join: Callable[..., Any],
    halo: int = 0,
    stride: int = 1,
    aligned: bool = False,
    circular: bool = False,
    least: int = 1,
) -> types.Loss:
    """Return the loss whose value is distance([measure(view, target of the place) ...], views, target).

    Args:
        measure: (view, target of the place) -> sums over the pixels, for the stack.
        distance: (list of sums at all places, views, target) -> scalar.
        summarize: (views of one source) -> summary.
        join: (list of summaries) -> target, a list with an entry for each place.
        halo: see `types.Additive`, as are stride, aligned and circular.
        stride: see `halo`.
        aligned: see `halo`.
        circular: see `halo`.
        least: pixels of the layer that the loss needs on each side.
    """

    def value(views: Sequence[types.View], targets: Sequence[Any]) -> types.Scalar:
        sums = [measure(view, target) for view, target in zip(views, targets, strict=True)]
        return distance(sums, views, targets)

    additive = types.Additive(measure, distance, halo, stride, aligned, circular)
    return types.Loss(summarize, join, value, additive=additive, least=least)


def at_each_place(function: Callable[..., Any]) -> Callable[[Sequence[types.View]], list[Any]]:
    """Lift a function of (features [h, w, c], mask) of one source to a function of all its views."""
    return lambda views: [function(view.features[0], view.mask) for view in views]


def join_each_place(join: Callable[[list[Any]], Any]) -> Callable[[Sequence[list[Any]]], list[Any]]:
    """Lift a join of the sources' summaries at one place to a join at all places."""
    return lambda summaries: [join(list(of_place)) for of_place in zip(*summaries, strict=True)]


def no_summary(views: Sequence[types.View]) -> list[tuple[()]]:
    """The summary of a source for a loss that compares with no source: nothing, at each place."""
    return [() for _ in views]


def no_target(summaries: Sequence[list[tuple[()]]]) -> list[tuple[()]]:
    """The target of a loss that compares with no source: nothing, at each place."""
    return summaries[0]


def weighted_sum(sums: Sequence[Float[Array, " n"]], views: Sequence[types.View], targets: object) -> types.Scalar:
    """The distance of a loss whose sums [n] over the pixels, one for each image, are its value already."""
    return sum_of([view.weight * sums_of_place.sum() for sums_of_place, view in zip(sums, views, strict=True)])


def sum_of(shares: Sequence[types.Scalar]) -> types.Scalar:
    """The sum of at least one scalar, without adding to zero, which would be one operation more."""
    first, *rest = shares
    return sum(rest, start=first)
