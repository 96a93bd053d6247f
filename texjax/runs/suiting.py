"""What a config leaves to the sources: the padding that they are analyzed with, and terms for textures that repeat."""

import warnings
from collections.abc import Sequence

import numpy as np

from texjax import config as configs
from texjax import errors, pyramid
from texjax.images import edges, repetition

# The share of its variance that a source has to repeat, see `repetition.strongest`. Drawn checkerboards, weaves and
# tiled floors have 0.6 and more, drawn honeycombs, cloth and bricks about 0.1 to 0.2, and photographs of irregular
# textures less than 0.05.
REPEATS = 0.12
LONGEST_SIDE = 256  # pixels of the octaves at which terms for textures that repeat count; coarse ones see far enough


def settle(config: configs.Config, sources: Sequence[np.ndarray]) -> configs.Config:
    """Return the config with everything settled that it leaves to the sources, [h, w, 3] as they are.

    A TexjaxWarning tells of terms that count because the sources repeat.
    """
    return with_terms(with_padding(config, sources), sources)


def with_padding(config: configs.Config, sources: Sequence[np.ndarray]) -> configs.Config:
    """Return the config with the padding of the analysis that "auto" means for these sources, [h, w, 3]."""
    if config.source.padding != "auto":
        return config
    reflected = configs.tiles(config) and not all(map(edges.fit, sources))
    return configs.overridden(config, {"source.padding": "reflect" if reflected else ""})


def with_terms(config: configs.Config, sources: Sequence[np.ndarray]) -> configs.Config:
    """Return the config whose terms for textures that repeat (`when` is "periodic") count where these sources do.

    Where the output tiles and every source repeats, such a term always counts: with its octave weights or, where it has
    none, with 1 for the octaves of at most `LONGEST_SIDE` pixels and 0 for larger ones.
    """
    names = [name for name, term in config.terms.items() if term.when == "periodic" and term.weight]
    weights = tuple(float(max(size) <= LONGEST_SIDE) for size in _sizes(config))
    if not names or not any(weights) or not configs.tiles(config):
        return config
    strongest = [repetition.strongest(source) for source in sources]
    if min(share for share, _ in strongest) < REPEATS:
        return config
    _tell(names, strongest)
    changes = {f"terms.{name}.when": "always" for name in names}
    changes |= {f"terms.{name}.octave_weights": weights for name in names if not config.terms[name].octave_weights}
    return configs.overridden(config, changes)


def _sizes(config: configs.Config) -> list[tuple[int, ...]]:
    """The width and height of every octave of the output."""
    sides = [pyramid.sizes(side, config.octaves, config.pyramid.padding) for side in config.size]
    return list(zip(*sides, strict=True))


def _tell(names: Sequence[str], strongest: Sequence[repetition.Repetition]) -> None:
    repeats = ", ".join(f"{_distance(*lag)} ({share:.0%} of the variance)" for share, lag in strongest)
    subject = "the source repeats" if len(strongest) == 1 else "the sources repeat"
    warnings.warn(
        f"{subject} after {repeats}, so that the lattice counts too; --config.terms.{names[0]}.weight=0 leaves it out.",
        errors.TexjaxWarning,
        stacklevel=4,
    )


def _distance(down: float, right: float) -> str:
    parts = [f"{abs(right):.0f} px to the {'right' if right > 0 else 'left'}"] if round(right) else []
    return " and ".join([*parts, *([f"{down:.0f} px down"] if round(down) else [])])
