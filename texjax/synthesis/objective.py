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
from texjax.synthesis import scene


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
) -> Objective:
    """Return the weighted sum of the terms (Snelgrove 2017: Gram distances over octaves x layers).

    Args:
        extractor: its weights are not captured; they are an argument of the objective's functions.
        terms: a term that weighs 0 is not computed, and its share is reported as 0.
        octaves: levels of the Gaussian pyramid, full size included.
        padding: of the pyramid.
        first_octave: see `scene.Setup`.
        analysis: of the sources; like the images if left out.

    Raises:
        TexjaxError: where no term has any weight.
    """
    weighing = {term.name: term for term in terms if term.places(octaves)}
    if not weighing:
        raise errors.TexjaxError("every term weighs 0, so nothing would be optimized; give one a weight above 0.")
    names = tuple(term.name for term in terms)
    analysis = analysis or scene.Analysis(extractor, padding)
    setup = scene.Setup(extractor, weighing, names, octaves, padding, first_octave, analysis)
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
    views = scene.views(setup, weights, picture[None], terms)
    return {term.name: term.loss.summarize(views[term.name]) for term in terms}


def _join(setup: scene.Setup, summaries: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {name: setup.terms[name].loss.join([of_source[name] for of_source in summaries]) for name in summaries[0]}


def _value(
    setup: scene.Setup, images: types.Images, weights: types.Weights, targets: dict[str, Any], choices: Any = None
) -> tuple[types.Scalar, dict[str, types.Scalar]]:
    views = scene.views(setup, weights, images, list(setup.terms.values()))
    shares = dict.fromkeys(setup.names, jnp.zeros((), images.dtype))
    for name, term in setup.terms.items():
        choice = [choices[name]] if term.loss.refresh else []
        shares[name] = term.weight * term.loss.value(views[name], targets[name], *choice)
    return sum(shares.values(), start=jnp.zeros((), images.dtype)), shares


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
    views, choices = scene.views(setup, weights, images, terms), {}
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
