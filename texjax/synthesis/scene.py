"""What each term of an objective sees of a stack of images: the views of its places."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from texjax import pyramid, types


class Analysis(NamedTuple):
    """How sources are analyzed: by the extractor's `apply`, and with the padding of the pyramid."""

    apply: Callable[..., types.Features]
    padding: str


class Setup(NamedTuple):
    """What the functions of an objective share.

    terms: those with any weight, by name. names: of all terms, in their order. first_octave: the octave of the
    full-size picture that octave 0 is here.
    """

    apply: Callable[..., types.Features]
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
    all_places = [place for of_term in places.values() for place in of_term]
    layers = [tuple(dict.fromkeys(layer for at, layer in all_places if at == o)) for o in range(setup.octaves)]

    def features(image: types.Image) -> list[types.Features]:
        levels = pyramid.gaussian(image, setup.octaves, padding=setup.padding)
        colored = [jnp.broadcast_to(level, (*level.shape[:2], 3)) for level in levels]
        return [
            setup.apply(weights, level, names) if names else {} for level, names in zip(colored, layers, strict=True)
        ]

    maps = jax.vmap(features)(images)
    return {
        name: [
            types.View(setup.first_octave + octave, layer, weight, maps[octave][layer])
            for (octave, layer), weight in of_term.items()
        ]
        for name, of_term in places.items()
    }
