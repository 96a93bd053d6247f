"""Terms, an extractor and the pyramid make one objective over images.

A term is a loss at several layers and octaves; the objective is the weighted sum of all. Network weights and targets
are arguments of its functions, so one compiled program serves every source.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from texjax import errors, pyramid, types


class Look(NamedTuple):
    """The pictures that a term compares with.

    of: their group: "sources", "content" (the one a transfer keeps) or "analogy" (A, A' and B).
    rotations, scales: of the turned and scaled copies beside each, steps to each side, see `copies.of`.
    """

    of: str = "sources"
    rotations: int = 0
    scales: int = 0


SOURCES = Look()


class Term(NamedTuple):
    """One named line of a config: a loss, its weight, and what it looks at.

    layers: layer -> weight; octave_weights: one per octave, or empty for 1 everywhere. What weighs 0 is not computed.
    look: the pictures of its target.
    """

    name: str
    loss: types.Loss
    weight: float
    layers: dict[str, float]
    octave_weights: tuple[float, ...] = ()
    look: Look = SOURCES

    def places(self, octaves: int) -> dict[tuple[int, str], float]:
        """(octave, layer) -> weight beside that of the term, where neither is zero."""
        scales = self.octave_weights or (1.0,) * octaves
        if len(scales) != octaves:
            raise errors.TexjaxError(
                f"term {self.name} has {len(scales)} octave weights for {octaves} octaves; give one each, or none."
            )
        return {
            (octave, layer): scale * weight
            for octave, scale in enumerate(scales)
            for layer, weight in self.layers.items()
            if self.weight * scale * weight
        }


def looks(terms: Sequence[Term], octaves: int) -> tuple[Look, ...]:
    """The different ones of the terms that have any weight."""
    return tuple(dict.fromkeys(term.look for term in terms if term.places(octaves)))


class Objective(NamedTuple):
    """The functions of an objective; all but `join` can be jitted.

    summarize: (weights, picture [h, w, 3], look) -> what the terms of that look, the sources if left out, keep of it.
    join: list of those, of one look -> targets of its terms.
    value: (images [n, h, w, 3], weights, targets, held) -> (scalar, {term: its weighted share}); a sum over the stack.
        The targets are those of all looks, in one mapping. held: from `prepare`; left out, nothing is held.
    prepare: (images, weights, targets, held before or None, step) -> held, {term: what holds at each of its places}. A
        term is prepared anew where its period divides the step, and where nothing was held before.
    periods: of the terms that hold something for several steps.
    """

    summarize: Callable[..., Any]
    join: Callable[..., Any]
    value: Callable[..., tuple[types.Scalar, dict[str, types.Scalar]]]
    prepare: Callable[..., dict[str, list[Any]]]
    periods: tuple[int, ...]


def objective(extractor: types.Extractor, terms: Sequence[Term], octaves: int, padding: str = "valid") -> Objective:
    """Sum over terms, octaves and layers of weight x distance (Snelgrove 2017: Gram over octaves x layers).

    A loss with a `pool` of its own makes one distance of a term's octaves and layers.

    Raises TexjaxError where no term has any weight.
    """
    places = {term.name: term.places(octaves) for term in terms}
    losses = {term.name: term.loss for term in terms}
    holding = {n: loss.prepare for n, loss in losses.items() if loss.prepare and loss.period > 1 and places[n]}

    def needed(names: Sequence[str]) -> list[tuple[str, ...]]:
        """Per octave the layers that those terms look at."""
        found = [place for name in names for place in places[name]]
        return [tuple(dict.fromkeys(layer for at, layer in found if at == octave)) for octave in range(octaves)]

    if not any(places.values()):
        raise errors.TexjaxError("every term weighs 0, so nothing would be optimized; give one a weight above 0.")

    def features(weights: types.Weights, image: types.Image, names: Sequence[str]) -> list[types.Features]:
        levels = pyramid.gaussian(image, octaves, padding)
        return [extractor.apply(weights, x, n) if n else {} for x, n in zip(levels, needed(names), strict=True)]

    def summarize(weights: types.Weights, picture: types.Image, look: Look = SOURCES) -> dict[str, list[Any]]:
        names = [term.name for term in terms if term.look == look]
        found = features(weights, picture, names)
        return {
            name: [losses[name].summarize(found[octave][layer], None) for octave, layer in places[name]]
            for name in names
        }

    def join(summaries: list[dict[str, list[Any]]]) -> dict[str, list[Any]]:
        return {
            name: [losses[name].join(list(of_place)) for of_place in zip(*(s[name] for s in summaries), strict=True)]
            for name in summaries[0]
        }

    def share(term: Term, found: list[types.Features], targets: list[Any], held: list[Any]) -> types.Scalar:
        loss = term.loss

        def of(levels, held):
            parts = [
                weight * loss.distance(_measured(loss, levels[octave][layer], target, kept), target)
                for ((octave, layer), weight), target, kept in zip(
                    places[term.name].items(), targets, held, strict=True
                )
            ]
            return term.weight * loss.pool(parts)

        return of(found, held) if loss.joint else jax.vmap(of)(found, held).sum()

    def value(
        images: types.Images, weights: types.Weights, targets: Any, held: Any = None
    ) -> tuple[types.Scalar, dict[str, types.Scalar]]:
        found = jax.vmap(lambda image: features(weights, image, list(places)))(images)
        nothing = jnp.zeros((), images.dtype)
        held = {name: [None] * len(places[name]) for name in places} | (held or {})
        shares = {
            term.name: share(term, found, targets[term.name], held[term.name]) if places[term.name] else nothing
            for term in terms
        }
        return sum(shares.values(), start=nothing), shares

    def prepare(
        images: types.Images, weights: types.Weights, targets: Any, before: Any, step: Any
    ) -> dict[str, list[Any]]:
        found = jax.vmap(lambda image: features(weights, image, list(holding)))(images)

        def anew(name: str, before: list[Any]) -> list[Any]:
            return [
                jax.vmap(holding[name], (0, None, 0))(found[octave][layer], target, old)
                for (octave, layer), target, old in zip(places[name], targets[name], before, strict=True)
            ]

        if before is None:
            return {name: anew(name, [None] * len(places[name])) for name in holding}
        return {
            name: lax.cond(
                step % losses[name].period == 0, functools.partial(anew, name), lambda old: old, before[name]
            )
            for name in holding
        }

    periods = tuple(dict.fromkeys(losses[name].period for name in holding))
    return Objective(summarize, join, value, prepare, periods)


def _measured(loss: types.Loss, features: types.Feature, target: Any, held: Any) -> Any:
    return loss.measure(features, target, None) if held is None else loss.measure(features, target, None, held)


def check_size(
    what: str, size: tuple[int, int], extractor: types.Extractor, terms: Sequence[Term], octaves: int, padding: str
) -> None:
    """Raises TexjaxError where a picture of `size` (width, height) has no room for all octaves and layers.

    The error says the largest number of octaves possible for it and the smallest side that this number needs.
    """
    pyramid.check(padding)
    places = [
        (at, layer, max(term.loss.least, term.loss.reach + 1)) for term in terms for at, layer in term.places(octaves)
    ]
    grids = {layer: extractor.grid(layer) for _, layer, _ in places}

    def fits(side: int, octaves: int) -> bool:
        sides = pyramid.sizes(side, octaves, padding)
        return (
            all(grids[layer].size(sides[at]) >= least for at, layer, least in places if at < octaves) and sides[-1] > 0
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
