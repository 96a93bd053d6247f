"""A config as the functions that it describes: extractor, terms, objective, minimizer and loop, compiled once."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from texjax import config as configs
from texjax import features, losses, optimizers, types
from texjax.optimizers import periods
from texjax.synthesis import loop, objective

# Keys that choose values but no program: runs that differ in these alone share their compilations.
VALUES = ("seed", "init", "source", "output", "max_iter", "tol", "patience", "schedule", "jitter")


class Parts(NamedTuple):
    """What a config describes, as functions. layers: used by any term, shallow to deep. looks: of all terms."""

    extractor: types.Extractor
    terms: tuple[objective.Term, ...]
    layers: tuple[str, ...]
    minimizer: types.Minimizer
    advance: Callable[..., Any]
    summarize: Callable[..., Any]
    join: Callable[..., Any]
    value: Callable[..., Any]
    looks: tuple[objective.Look, ...]
    prepare: Callable[..., Any]
    periods: tuple[int, ...]


def parts(config: configs.Config) -> Parts:
    """The functions that `config` describes; equal programs are made, and compiled, once."""
    return _parts(configs.freeze(config, without=VALUES))


@functools.lru_cache(maxsize=4)
def _parts(config: configs.Config) -> Parts:
    extractor = configs.build(features, config.features)
    terms = tuple(term for name, spec in config.terms.items() for term in _terms(name, spec, config.octaves))
    used = {layer for term in terms for _, layer in term.places(config.octaves)}
    for layer in used:
        extractor.grid(layer)  # raises where there is no such layer
    made = objective.objective(extractor, terms, config.octaves, config.pyramid.padding)
    minimizer = configs.build(optimizers, config.optimizer, made.value)
    if made.periods:
        minimizer = periods.holding(minimizer, made.prepare, made.periods)
    return Parts(
        extractor,
        terms,
        tuple(layer for layer in extractor.layers if layer in used),
        minimizer,
        loop.program(minimizer, config.save_every, config.batch_mode),
        loop.compiled(made.summarize, "look"),
        made.join,
        made.value,
        objective.looks(terms, config.octaves),
        made.prepare,
        made.periods,
    )


def _terms(name: str, spec: Any, octaves: int) -> list[objective.Term]:
    """A line of `config.terms`: the term's own keys apart, the rest are settings of its loss.

    One with the key `octaves` makes a term for each of so many, the finest, as its loss has to know which `octave` it
    sees.
    """
    look = objective.Look(**{key: spec[key] for key in objective.Look._fields if key in spec})
    own = {"weight", "layers", "octave_weights", "octaves", *look._fields}
    rest = {key: value for key, value in spec.items() if key not in own}
    layers, scales = dict(spec.layers), tuple(spec.octave_weights)
    if "octaves" not in spec:
        return [objective.Term(name, configs.build(losses, rest), spec.weight, layers, scales, look)]
    scales = scales or (1.0,) * octaves
    return [
        objective.Term(
            f"{name}.{octave}",
            configs.build(losses, rest | {"octave": octave}),
            spec.weight,
            layers,
            tuple(scale if at == octave else 0.0 for at, scale in enumerate(scales)),
            look,
        )
        for octave in range(spec.octaves)
    ]
