"""Coarse to fine: a run first solves smaller pictures, and each is enlarged to be the start of the next.

A scale of the schedule is a run of its own, at half the size of the next one and an octave less, with sources reduced
likewise; so its terms see just what the whole run's see at its octaves from there on. Or, with `keep_octaves`, it has
as many octaves as the whole: with one octave, the objective at every size in turn, as CNNMRF has it. What the small
picture gets wrong in its finest detail, noise and weave, no later step would remove: enlarging low-passes it, and a
fresh start has what is above.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from texjax import config as configs
from texjax import pyramid


class Scale(NamedTuple):
    """One stage. below: octaves between it and the whole picture. config: of the stage alone."""

    below: int
    config: configs.Config


def scales(config: configs.Config) -> list[Scale]:
    """The scales of `config.schedule`, coarse to fine; the last is the whole picture with `config` itself."""
    steps = _steps(config)
    coarse = [_coarser(config, len(steps) - i, n) for i, n in enumerate(steps)]
    return [*coarse, Scale(0, config)]


def total(config: configs.Config) -> int:
    """Steps of all scales together."""
    return sum(_steps(config)) + config.max_iter


def _steps(config: configs.Config) -> tuple[int, ...]:
    """Those of smaller sizes. A scale takes away an octave, and the coarsest scales go where there are too few."""
    steps = tuple(config.schedule.steps)
    return steps if config.schedule.keep_octaves else steps[max(0, len(steps) + 1 - config.octaves) :]


def _coarser(config: configs.Config, below: int, steps: int) -> Scale:
    coarse = config.copy_and_resolve_references()
    with coarse.unlocked():
        coarse.size = tuple(pyramid.sizes(n, below + 1, config.pyramid.padding)[-1] for n in config.size)
        coarse.octaves = config.octaves - below * (not config.schedule.keep_octaves)
        coarse.max_iter = steps
        coarse.schedule.steps = ()
        for term in coarse.terms.values():
            if "shift" in term:
                term.shift /= 2**below
            if config.schedule.keep_octaves:
                continue
            term.octave_weights = tuple(term.octave_weights)[below:]
            if "octaves" in term:  # the finest octaves are not here, and those that are lie nearer the top
                term.weight *= term.octaves > below
                term.octaves = max(1, term.octaves - below)
    return Scale(below, coarse)


def reduced(sources: Sequence[jax.Array], scale: Scale) -> list[jax.Array]:
    """The sources, or other pictures, [h, w, 3] at that scale."""
    padding = scale.config.pyramid.padding
    return [pyramid.gaussian(source, scale.below + 1, padding)[-1] for source in sources]


def enlarged(images: np.ndarray | jax.Array, config: configs.Config) -> Float[Array, "count n h w 3"]:
    """Stacks [count, n, h, w, 3] of a coarser scale at the size of `config`, low-passed."""
    width, height = config.size
    deviation = config.schedule.lowpass

    def one(image: pyramid.Octave) -> pyramid.Octave:
        return pyramid.enlarge(image, (height, width), config.pyramid.padding, deviation)

    return jax.vmap(jax.vmap(one))(jnp.asarray(images))


def refined(images: np.ndarray, config: configs.Config, fresh: jax.Array) -> jax.Array:
    """What a scale starts from: the result of the one before, enlarged, with the finest detail of a fresh start.

    L(images) + fresh - L(fresh), with the low-pass L of `enlarged`; fresh: [count, n, h, w, 3] at the scale's size.
    """
    return enlarged(images, config) + fresh - enlarged(fresh, config)
