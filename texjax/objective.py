"""Terms, an extractor and the pyramid make one objective over images.

A term is a loss at several layers and octaves; the objective is the weighted sum of all. Network weights and targets
are arguments of its functions, so one compiled program serves every source.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from texjax import errors, pyramid, types


class Term(NamedTuple):
    """One named line of a config: a loss, its weight, and what it looks at.

    layers: layer -> weight; octave_weights: one per octave, or empty for 1 everywhere. What weighs 0 is not computed.
    """

    name: str
    loss: types.Loss
    weight: float
    layers: dict[str, float]
    octave_weights: tuple[float, ...] = ()

    def places(self, octaves: int) -> dict[tuple[int, str], float]:
        """(octave, layer) -> weight, where it is not zero."""
        scales = self.octave_weights or (1.0,) * octaves
        if len(scales) != octaves:
            raise errors.TexjaxError(
                f"term {self.name} has {len(scales)} octave weights for {octaves} octaves; give one each, or none."
            )
        return {
            (octave, layer): self.weight * scale * weight
            for octave, scale in enumerate(scales)
            for layer, weight in self.layers.items()
            if self.weight * scale * weight
        }


class Objective(NamedTuple):
    """The functions of an objective; all but `join` can be jitted.

    summarize: (weights, source [h, w, 3]) -> what the terms keep of one source.
    join: list of those -> targets.
    value: (images [n, h, w, 3], weights, targets) -> (scalar, {term: its weighted share}); a sum over the stack.
    """

    summarize: Callable[..., Any]
    join: Callable[..., Any]
    value: Callable[..., tuple[types.Scalar, dict[str, types.Scalar]]]


def objective(extractor: types.Extractor, terms: Sequence[Term], octaves: int, padding: str = "valid") -> Objective:
    """Sum over terms, octaves and layers of weight x distance (Snelgrove 2017: Gram over octaves x layers).

    Raises TexjaxError where no term has any weight.
    """
    places = {term.name: term.places(octaves) for term in terms}
    losses = {term.name: term.loss for term in terms}
    needed = [
        tuple(dict.fromkeys(layer for term in places.values() for at, layer in term if at == octave))
        for octave in range(octaves)
    ]
    if not any(needed):
        raise errors.TexjaxError("every term weighs 0, so nothing would be optimized; give one a weight above 0.")

    def features(weights: types.Weights, image: types.Image) -> list[types.Features]:
        levels = pyramid.gaussian(image, octaves, padding)
        return [extractor.apply(weights, x, n) if n else {} for x, n in zip(levels, needed, strict=True)]

    def summarize(weights: types.Weights, source: types.Image) -> dict[str, list[Any]]:
        found = features(weights, source)
        return {
            name: [losses[name].summarize(found[octave][layer], None) for octave, layer in places[name]]
            for name in losses
        }

    def join(summaries: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
        return {
            name: [loss.join(list(of_place)) for of_place in zip(*(s[name] for s in summaries), strict=True)]
            for name, loss in losses.items()
        }

    def share(loss: types.Loss, found: types.Feature, target: Any) -> types.Scalar:
        def of(x):
            return loss.distance(loss.measure(x, target, None), target)

        return of(found) if loss.joint else jax.vmap(of)(found).sum()

    def value(
        images: types.Images, weights: types.Weights, targets: Any
    ) -> tuple[types.Scalar, dict[str, types.Scalar]]:
        found = jax.vmap(features, in_axes=(None, 0))(weights, images)
        shares = {
            name: sum(
                (
                    weight * share(loss, found[octave][layer], target)
                    for ((octave, layer), weight), target in zip(places[name].items(), targets[name], strict=True)
                ),
                start=jnp.zeros((), images.dtype),
            )
            for name, loss in losses.items()
        }
        return sum(shares.values(), start=jnp.zeros((), images.dtype)), shares

    return Objective(summarize, join, value)


def check_size(
    what: str, size: tuple[int, int], extractor: types.Extractor, terms: Sequence[Term], octaves: int, padding: str
) -> None:
    """Raises TexjaxError where a picture of `size` (width, height) has no room for all octaves and layers.

    The error says the largest number of octaves possible for it and the smallest side that this number needs.
    """
    pyramid.check(padding)
    places = [(at, layer, term.loss.reach) for term in terms for at, layer in term.places(octaves)]
    grids = {layer: extractor.grid(layer) for _, layer, _ in places}

    def fits(side: int, octaves: int) -> bool:
        sides = pyramid.sizes(side, octaves, padding)
        return (
            all(grids[layer].size(sides[at]) > reach for at, layer, reach in places if at < octaves) and sides[-1] > 0
        )

    side = min(size)
    if fits(side, octaves):
        return
    smallest = next(n for n in range(1, 1 << 20) if fits(n, octaves))
    possible = max((o for o in range(1, octaves) if fits(side, o)), default=0)
    remedy = f"use at most {possible} octave{'s' * (possible > 1)}" if possible else "no number of octaves fits"
    raise errors.TexjaxError(
        f"{what} is {size[0]} x {size[1]} px, but {octaves} octaves down to layer {_deepest(grids)} need at least "
        f"{smallest} px on each side: {remedy}, or a picture of {smallest} px or more."
    )


def _deepest(grids: dict[str, types.Grid]) -> str:
    return max(grids, key=lambda layer: grids[layer].receptive)
