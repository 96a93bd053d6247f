"""Coarse to fine: a run first solves smaller pictures, and enlarges each to be the start of the next.

A resolution of the schedule is solved like a run of its own, at half the size of the next resolution and with one
octave less, from sources reduced likewise. So its terms see exactly what the terms of the whole run see at its octaves
from there on. With `keep_octaves` it has as many octaves as the whole run instead: with one octave, this is the
objective at every size in turn, as CNNMRF has it. Errors of the small picture in its finest detail, noise and weave,
would survive all later steps: enlarging low-passes them away, and a fresh start supplies the detail above.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from texjax import config as configs
from texjax import pyramid, types
from texjax.synthesis import jitter


class Resolution(NamedTuple):
    """One size of the picture. below: octaves between it and the full size. config: of this size alone."""

    below: int
    config: configs.Config


class Stage(NamedTuple):
    """One round of steps at one resolution. first: whether the resolution begins with it."""

    resolution: Resolution
    round: jitter.Round
    first: bool


def stages(config: configs.Config) -> list[Stage]:
    """Return all stages of a run in their order: the rounds of each resolution, coarse to fine."""
    return [
        Stage(resolution, round_, first=index == 0)
        for resolution in resolutions(config)
        for index, round_ in enumerate(jitter.rounds(resolution.config, resolution.below))
    ]


def resolutions(config: configs.Config) -> list[Resolution]:
    """Return the resolutions of `config.schedule`, coarse to fine; the last is the full size, with `config` itself."""
    steps = _steps(config)
    coarse = [_reduced_config(config, len(steps) - i, n) for i, n in enumerate(steps)]
    return [*coarse, Resolution(0, config)]


def total(config: configs.Config) -> int:
    """Return the number of steps of all resolutions together."""
    return sum(_steps(config)) + config.max_iter


def _steps(config: configs.Config) -> tuple[int, ...]:
    """Steps at the smaller sizes, without the coarsest sizes where each takes away an octave and octaves run out."""
    steps = tuple(config.schedule.steps)
    return steps if config.schedule.keep_octaves else steps[max(0, len(steps) + 1 - config.octaves) :]


def _reduced_config(config: configs.Config, below: int, steps: int) -> Resolution:
    reduced = config.copy_and_resolve_references()
    with reduced.unlocked():
        reduced.size = tuple(pyramid.sizes(n, below + 1, config.pyramid.padding)[-1] for n in config.size)
        reduced.max_iter = steps
        reduced.schedule.steps = ()
        if not config.schedule.keep_octaves:
            reduced.octaves = config.octaves - below
            for term in reduced.terms.values():
                term.octave_weights = tuple(term.octave_weights)[below:]
    return Resolution(below, reduced)


def reduced_pictures(pictures: Sequence[types.AnyImage], resolution: Resolution, padding: str) -> list[jax.Array]:
    """Return pictures [h, w, c] reduced to a resolution. padding: of the pyramid."""
    return [pyramid.gaussian(jnp.asarray(picture), resolution.below + 1, padding=padding)[-1] for picture in pictures]


def enlarged(images: np.ndarray | jax.Array, config: configs.Config) -> Float[Array, "count n h w c"]:
    """Return images [count, n, h, w, c] of a coarser resolution at the size of `config`, low-passed."""
    width, height = config.size
    deviation = config.schedule.lowpass

    def enlarge(image: pyramid.Octave) -> pyramid.Octave:
        return pyramid.enlarge(image, (height, width), config.pyramid.padding, deviation)

    return jax.vmap(jax.vmap(enlarge))(jnp.asarray(images))


def refined(images: np.ndarray, config: configs.Config, fresh: jax.Array) -> jax.Array:
    """Return where a resolution starts: the previous result, enlarged, with the finest detail of a fresh start.

    The start is L(images) + fresh - L(fresh), with the low-pass L of `enlarged`.

    Args:
        images: [count, n, h, w, c] at the previous resolution.
        config: of the new resolution.
        fresh: [count, n, h, w, c] at the new resolution.
    """
    return enlarged(images, config) + fresh - enlarged(fresh, config)
