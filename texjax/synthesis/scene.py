"""What each term of an objective sees of a stack of images: the views of its places."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from texjax import pyramid, types


class Analysis(NamedTuple):
    """How sources are analyzed: by the extractor, and with the padding of the pyramid."""

    extractor: types.Extractor
    padding: str


class Setup(NamedTuple):
    """What the functions of an objective share.

    terms: those with any weight, by name. names: of all terms, in their order. first_octave: the octave of the
    full-size picture that octave 0 is here.
    """

    extractor: types.Extractor
    terms: dict[str, types.Term]
    names: tuple[str, ...]
    octaves: int
    padding: str
    first_octave: int
    analysis: Analysis


def views(
    setup: Setup, weights: types.Weights, images: types.Images, terms: Sequence[types.Term]
) -> dict[str, list[types.View]]:
    """Return the views of each term; a layer that several terms look at is computed once.

    A network sees a gray image, of one channel, as a color image of three equal channels.
    """
    places = {term.name: term.places(setup.octaves) for term in terms}
    by_moments = {term.name for term in terms if term.loss.moments and setup.extractor.moments}

    def layers(octave: int, moments: bool) -> tuple[str, ...]:
        pairs = [place for name, of_term in places.items() if (name in by_moments) == moments for place in of_term]
        return tuple(dict.fromkeys(layer for at, layer in pairs if at == octave))

    def analyze(image: types.Image) -> list[tuple[types.Features, dict[str, types.Moments]]]:
        levels = pyramid.gaussian(image, setup.octaves, padding=setup.padding)
        return [
            _analyze(setup.extractor, weights, level, layers(octave, False), layers(octave, True))
            for octave, level in enumerate(levels)
        ]

    results = jax.vmap(analyze)(images)

    def view(place: tuple[int, str], weight: float, moments: bool) -> types.View:
        (features_of, moments_of), layer = results[place[0]], place[1]
        octave = setup.first_octave + place[0]
        if not moments:
            return types.View(octave, layer, weight, features_of[layer])
        outer = moments_of[layer].outer
        none = jnp.zeros((len(outer), 0, 0, outer.shape[-1]), outer.dtype)
        return types.View(octave, layer, weight, none, moments=moments_of[layer])

    return {
        name: [view(place, weight, name in by_moments) for place, weight in of_term.items()]
        for name, of_term in places.items()
    }


def _analyze(
    extractor: types.Extractor,
    weights: types.Weights,
    level: types.Image,
    layers: tuple[str, ...],
    of_moments: tuple[str, ...],
) -> tuple[types.Features, dict[str, types.Moments]]:
    """The features and the second moments of an octave, at these layers."""
    colored = jnp.broadcast_to(level, (*level.shape[:2], 3))
    if of_moments:
        assert extractor.moments is not None
        return extractor.moments(weights, colored, layers, of_moments)
    return extractor.apply(weights, colored, layers) if layers else {}, {}
