"""A config as the functions that it describes: extractor, terms, objective, minimizer and program, compiled once."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

from texjax import config as configs
from texjax import features, losses, optimizers, settings, types
from texjax.synthesis import devices, objective, scene, steps

# Keys that choose values but no program: runs that differ in these alone share their compilations.
VALUES = (
    *("memory_budget", "checkpoint_every", "checkpoint_steps", "seed", "init", "source", "output", "max_iter", "tol"),
    *("patience", "schedule", "jitter"),
)


class Parts(NamedTuple):
    """What a config describes, as functions. layers: those that any term looks at, shallow to deep.

    source_extractor: with the padding that sources are analyzed with.
    """

    extractor: types.Extractor
    source_extractor: types.Extractor
    terms: tuple[types.Term, ...]
    layers: tuple[str, ...]
    objective: objective.Objective
    minimizer: types.Minimizer
    program: steps.Program
    summarize: Callable[..., Any]


def parts(config: configs.Config, first_octave: int = 0) -> Parts:
    """Return the functions that `config` describes; equal programs are built, and compiled, once.

    first_octave: the octave of the full-size picture that octave 0 of this config is.

    Raises TexjaxError for a layer that the network lacks, and as the functions do that the config names.
    """
    program = parts_of_program(configs.freeze(config, without=VALUES), configs.source_padding(config), first_octave)
    return program._replace(extractor=_extractor(configs.freeze(config.features), config.seed))


@functools.lru_cache(maxsize=4)
def _extractor(spec: configs.Config, seed: int) -> types.Extractor:
    return settings.build(features, spec, seed=seed)


@functools.lru_cache(maxsize=4)
def parts_of_program(config: configs.Config, source_padding: tuple[str, str], first_octave: int = 0) -> Parts:
    """Return the functions of a frozen config without its `VALUES`; the extractor's weights are those of seed 0.

    source_padding: of the network and the pyramid where sources are analyzed.
    """
    # The seed changes the weights of some extractors, but no program: weights are an argument.
    extractor = _extractor(config.features, 0)
    source_features = configs.freeze({**config.features.to_dict(), "padding": source_padding[0]})
    source_extractor = _extractor(source_features, 0)
    # Terms that only suit sources that repeat count once `runs.suiting` has found that these do.
    terms = tuple(_term(name, spec) for name, spec in config.terms.items() if spec.when == "always")
    used = {layer for term in terms for _, layer in term.places(config.octaves)}
    for layer in used:
        extractor.grid(layer)  # raises where there is no such layer
    analysis = scene.Analysis(source_extractor, source_padding[1])
    problem = objective.objective(
        extractor, terms, config.octaves, config.pyramid.padding, first_octave, analysis, config.tile
    )
    minimizer = settings.build(optimizers, config.optimizer, problem.value)
    return Parts(
        extractor,
        source_extractor,
        terms,
        tuple(layer for layer in extractor.layers if layer in used),
        problem,
        minimizer,
        steps.program(
            minimizer,
            config.save_every,
            config.batch_mode,
            problem.refresh,
            problem.periods,
            devices.layout(config),
        ),
        steps.compiled(problem.summarize, "exemplars"),
    )


def _term(name: str, spec: configs.Config) -> types.Term:
    """A line of `config.terms`: the keys of every term are taken out, and the rest are settings of its loss."""
    of_loss = {key: value for key, value in spec.items() if key not in settings.TERM}
    exemplars = types.Exemplars(spec.group, spec.rotations, spec.scales)
    loss = settings.build(losses, of_loss)
    return types.Term(name, loss, spec.weight, dict(spec.layers), tuple(spec.octave_weights), exemplars)
