"""Terms, an extractor and the pyramid make one objective over images.

A term is a loss at several layers and octaves; the objective is the weighted sum of all terms. Network weights and
targets are arguments of its functions, so that one compiled program serves every source.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from texjax import errors, types
from texjax.synthesis import scene, tiling


class Objective(NamedTuple):
    """The functions of an objective; all but `join` can be jitted.

    summarize: (weights, picture [h, w, c], exemplars) -> {term: summary} of the terms with these exemplars.
    join: list of such mappings, one for each picture -> {term: target}.
    value: (images [n, h, w, c], weights, targets, choices) -> (scalar, {term: its weighted share}). The targets are
        those of all terms. The choices come from `refresh` and may be left out where no term refreshes.
    refresh: (images, weights, targets, previous choices or None, key, step) -> {term: choice}. Without previous choices
        every refreshing term chooses; otherwise those do whose period divides the step.
    periods: the distinct periods of the refreshing terms; empty where no term refreshes.
    """

    summarize: Callable[..., dict[str, Any]]
    join: Callable[..., dict[str, Any]]
    value: Callable[..., tuple[types.Scalar, dict[str, types.Scalar]]]
    refresh: Callable[..., dict[str, Any]]
    periods: tuple[int, ...]


SOURCES = types.Exemplars()


def objective(
    extractor: types.Extractor,
    terms: Sequence[types.Term],
    octaves: int,
    padding: str = "valid",
    first_octave: int = 0,
    analysis: scene.Analysis | None = None,
    tile: int = 0,
) -> Objective:
    """Return the weighted sum of the terms (Snelgrove 2017: Gram distances over octaves x layers).

    Args:
        extractor: its weights are not captured; they are an argument of the objective's functions.
        terms: a term that weighs 0 is not computed, and its share is reported as 0.
        octaves: levels of the Gaussian pyramid, full size included.
        padding: of the pyramid.
        first_octave: see `scene.Setup`.
        analysis: of the sources; like the images if left out.
        tile: pixels of the largest side of a tile. Octaves that are larger are computed in tiles, which takes the
            memory of a tile and gives the same values (`tiling`); 0 computes all octaves as a whole.

    Raises:
        TexjaxError: where no term has any weight. The functions raise where tiles are too small, or do not suit a term.
    """
    weighing = {term.name: term for term in terms if term.places(octaves)}
    if not weighing:
        raise errors.TexjaxError("every term weighs 0, so nothing would be optimized; give one a weight above 0.")
    names = tuple(term.name for term in terms)
    analysis = analysis or scene.Analysis(extractor, padding)
    setup = scene.Setup(extractor, weighing, names, octaves, padding, first_octave, analysis, tile)
    periods = [term.loss.period for term in weighing.values() if term.loss.refresh]
    return Objective(
        functools.partial(_summarize, setup),
        functools.partial(_join, setup),
        functools.partial(_value, setup),
        functools.partial(_refresh, setup),
        tuple(dict.fromkeys(periods)),
    )


def _summarize(
    setup: scene.Setup, weights: types.Weights, picture: types.Image, exemplars: types.Exemplars = SOURCES
) -> dict[str, Any]:
    terms = [term for term in setup.terms.values() if term.exemplars == exemplars]
    # The content and the analogy are maps over the image, and have to be padded like it.
    if exemplars.group == "sources":
        setup = setup._replace(extractor=setup.analysis.extractor, padding=setup.analysis.padding)
    views = _views(setup, weights, picture[None], terms)
    return {term.name: term.loss.summarize(views[term.name]) for term in terms}


def _views(
    setup: scene.Setup, weights: types.Weights, images: types.Images, terms: Sequence[types.Term]
) -> dict[str, list[types.View]]:
    """The views of each term, assembled from tiles where an octave is larger than a tile; these have no gradient."""

    def by_tiles(octave: int, tiles: tiling.Cut, level: scene.Level) -> dict[str, dict[str, types.View]]:
        return tiling.views(setup, octave, tiles, terms, weights, level)

    return _seen(setup, weights, images, terms, by_tiles)


def _seen(
    setup: scene.Setup,
    weights: types.Weights,
    images: types.Images,
    terms: Sequence[types.Term],
    by_tiles: Callable[..., dict[str, dict[str, Any]]],
) -> dict[str, list[Any]]:
    """What each term sees at its places: views or, where an octave is larger than a tile, what `by_tiles` returns."""
    octaves = []
    for octave, level in enumerate(scene.levels(setup, images)):
        tiles = tiling.cut(setup, octave, level.shape, terms)
        if tiles:
            octaves.append(by_tiles(octave, tiles, level))
        else:
            octaves.append(scene.at_octave(setup, weights, level, octave, terms))
    return scene.merged(setup, terms, octaves)


def _join(setup: scene.Setup, summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: setup.terms[name].loss.join([of_source[name] for of_source in summaries]) for name in summaries[0]}


def _value(
    setup: scene.Setup, images: types.Images, weights: types.Weights, targets: dict[str, Any], choices: Any = None
) -> tuple[types.Scalar, dict[str, types.Scalar]]:
    terms = list(setup.terms.values())

    def by_tiles(octave: int, tiles: tiling.Cut, level: scene.Level) -> dict[str, dict[str, Any]]:
        of_octave = _targets_at(setup, terms, octave, targets)
        return tiling.measure(setup, octave, tiles, terms, weights, level, of_octave)

    shares = dict.fromkeys(setup.names, jnp.zeros((), images.dtype))
    for name, seen in _seen(setup, weights, images, terms, by_tiles).items():
        term = setup.terms[name]
        choice = [choices[name]] if term.loss.refresh else []
        shares[name] = term.weight * _of_term(setup, term, seen, targets[name], *choice)
    return sum(shares.values(), start=jnp.zeros((), images.dtype)), shares


def _of_term(setup: scene.Setup, term: types.Term, seen: Sequence[Any], targets: Any, *choice: Any) -> types.Scalar:
    """The value of a loss from the views of its places, or from their sums where an octave was cut into tiles."""
    if all(isinstance(view, types.View) for view in seen):
        return term.loss.value(seen, targets, *choice)
    additive = term.loss.additive
    assert additive is not None
    sums = [
        additive.measure(at_place, target) if isinstance(at_place, types.View) else at_place
        for at_place, target in zip(seen, targets, strict=True)
    ]
    views = [
        scene.without_features(setup.first_octave + octave, layer, weight)
        for (octave, layer), weight in term.places(setup.octaves).items()
    ]
    return additive.distance(sums, views, targets)


def _targets_at(
    setup: scene.Setup, terms: Sequence[types.Term], octave: int, targets: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """The targets of the terms that add over tiles, {term: {layer: target}}, at an octave."""
    return {
        term.name: {
            layer: target
            for (at, layer), target in zip(term.places(setup.octaves), targets[term.name], strict=True)
            if at == octave
        }
        for term in terms
        if term.loss.additive
    }


def _refresh(
    setup: scene.Setup,
    images: types.Images,
    weights: types.Weights,
    targets: dict[str, Any],
    previous: dict[str, Any] | None,
    key: types.PRNGKey,
    step: Any,
) -> dict[str, Any]:
    terms = [term for term in setup.terms.values() if term.loss.refresh]
    views, choices = _views(setup, weights, images, terms), {}
    for term, key_of_term in zip(terms, jax.random.split(key, len(terms)), strict=True):
        refresh: Any = term.loss.refresh
        choose = functools.partial(refresh, views[term.name], targets[term.name])
        if previous is None:
            choices[term.name] = choose(None, key_of_term)
        else:
            due, before = step % term.loss.period == 0, previous[term.name]
            choices[term.name] = lax.cond(
                due, lambda old, choose=choose, key=key_of_term: choose(old, key), lambda old: old, before
            )
    return choices
