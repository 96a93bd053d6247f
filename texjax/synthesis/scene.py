"""What each term of an objective sees of a stack of images: the views of its places."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from texjax import moments, pyramid, types

Level = Float[Array, "_ _ _ _"]  # a stack of images [n, h, w, c] at an octave


class Analysis(NamedTuple):
    """How sources are analyzed: by the extractor, and with the padding of the pyramid."""

    extractor: types.Extractor
    padding: str


class Setup(NamedTuple):
    """What the functions of an objective share.

    terms: those with any weight, by name. names: of all terms, in their order. first_octave: the octave of the
    full-size picture that octave 0 is here. tile: see `objective.objective`.
    """

    extractor: types.Extractor
    terms: dict[str, types.Term]
    names: tuple[str, ...]
    octaves: int
    padding: str
    first_octave: int
    analysis: Analysis
    tile: int = 0


def levels(setup: Setup, images: types.Images) -> list[Level]:
    """Return the octaves of the Gaussian pyramid of a stack, each [n, h, w, c]."""
    return jax.vmap(lambda image: pyramid.gaussian(image, setup.octaves, padding=setup.padding))(images)


def merged(
    setup: Setup, terms: Sequence[types.Term], octaves: Sequence[dict[str, dict[str, Any]]]
) -> dict[str, list[Any]]:
    """Return what the octaves have for each term and layer, {term: {layer: ...}}, in the order of the terms' places."""
    places = {term.name: term.places(setup.octaves) for term in terms}
    return {name: [octaves[octave][name][layer] for octave, layer in of_term] for name, of_term in places.items()}


def layers_at(setup: Setup, terms: Sequence[types.Term], octave: int) -> dict[str, dict[str, float]]:
    """Return {term: {layer: weight}} of the terms' places at an octave."""
    places = {term.name: term.places(setup.octaves) for term in terms}
    return {
        name: {layer: weight for (at, layer), weight in of_term.items() if at == octave}
        for name, of_term in places.items()
    }


def at_octave(
    setup: Setup,
    weights: types.Weights,
    level: Level,
    octave: int,
    terms: Sequence[types.Term],
    masks: types.Masks | None = None,
) -> dict[str, dict[str, types.View]]:
    """Return {term: {layer: view}} of an octave; a layer that several terms look at is computed once.

    A network sees a gray image, of one channel, as a color image of three equal channels.

    Args:
        setup: of the objective.
        weights: of the network.
        level: the stack at this octave, [n, h, w, c].
        octave: its number.
        terms: those to look at.
        masks: the pixels of each layer that count; None where all do.
    """
    wanted = layers_at(setup, terms, octave)
    by_moments = [term.name for term in terms if term.loss.moments and setup.extractor.moments]
    pairs = [(name, layer) for name, of_term in wanted.items() for layer in of_term]
    layers = tuple(dict.fromkeys(layer for name, layer in pairs if name not in by_moments))
    of_moments = tuple(dict.fromkeys(layer for name, layer in pairs if name in by_moments))
    features, sums = jax.vmap(lambda image: _analyze(setup.extractor, weights, image, layers, of_moments, masks))(level)

    def view(layer: str, weight: float, moments_alone: bool) -> types.View:
        at = setup.first_octave + octave
        if moments_alone:
            return without_features(at, layer, weight)._replace(moments=sums[layer])
        return types.View(at, layer, weight, features[layer], moments.mask((masks or {}).get(layer)))

    return {
        name: {layer: view(layer, weight, name in by_moments) for layer, weight in of_term.items()}
        for name, of_term in wanted.items()
    }


def without_features(octave: int, layer: str, weight: float) -> types.View:
    """Return a view of no pixels."""
    return types.View(octave, layer, weight, jnp.zeros((0, 0, 0, 0)))


def _analyze(
    extractor: types.Extractor,
    weights: types.Weights,
    level: types.Image,
    layers: tuple[str, ...],
    of_moments: tuple[str, ...],
    masks: types.Masks | None,
) -> tuple[types.Features, dict[str, types.Moments]]:
    """The features and the second moments of an octave, at these layers."""
    colored = jnp.broadcast_to(level, (*level.shape[:2], 3))
    if of_moments:
        assert extractor.moments is not None
        return extractor.moments(weights, colored, layers, of_moments, masks)
    return extractor.apply(weights, colored, layers) if layers else {}, {}
