"""The size at which a source is analyzed: as the config says, or as the network and the texture ask for."""

import warnings

import numpy as np

from texjax import config as configs
from texjax import errors
from texjax.images import periods
from texjax.synthesis import build

REPEATS = 2  # how many of the largest features fit into the output's shorter side, at least


def factor(config: configs.Config, shape: tuple[int, ...], like: np.ndarray | None) -> float | None:
    """Return the factor to resize a source by, or None to leave it as it is.

    A TexjaxWarning tells of a size that the config does not name.

    Args:
        config: its group `source` decides.
        shape: height and width of the source.
        like: the picture whose features decide with `source.auto_width`: the source itself, or A' for A.
    """
    source, (height, width) = config.source, shape
    relative = max(config.size) / max(height, width)  # of the output's longer side to the source's
    if source.auto_width:
        assert like is not None
        return _automatic(config, shape, like, _bound(config, relative))
    if source.width:
        return source.width / width
    if source.scale:
        return source.scale
    if source.fit:
        return max(1, round(width * source.fit * relative)) / width
    bound = _bound(config, relative)
    if bound == 1:
        return None
    _tell(
        f"a source of {width} x {height} px is reduced to {_size(shape, bound)}, {source.max_fit:g} times as long as "
        f"the output; --source-width, --source-scale or --config.source.max_fit=0 (the full size) changes that."
    )
    return bound


def _bound(config: configs.Config, relative: float) -> float:
    """The factor, at most 1, that `source.max_fit` allows."""
    return min(1.0, config.source.max_fit * relative) if config.source.max_fit else 1.0


def _automatic(config: configs.Config, shape: tuple[int, ...], like: np.ndarray, bound: float) -> float | None:
    """The factor, at most `bound`, at which the largest features are seen whole, and fit into the output repeatedly."""
    parts, features = build.parts(config), periods.largest(like)
    deepest = max(parts.extractor.grid(layer).receptive for layer in parts.layers)
    seen = min(deepest * 2 ** (config.octaves - 1), min(config.size) / REPEATS)
    chosen = min(bound, seen / features)
    end = "keeps its size" if chosen == 1 else f"is reduced to {_size(shape, chosen)}"
    _tell(
        f"a source of {shape[1]} x {shape[0]} px, whose largest features are about {features:.0f} px, "
        f"{end}; --source-width PX sets another width."
    )
    return None if chosen == 1 else chosen


def _size(shape: tuple[int, ...], factor: float) -> str:
    height, width = (max(1, round(side * factor)) for side in shape)
    return f"{width} x {height} px"


def _tell(sentence: str) -> None:
    warnings.warn(sentence, errors.TexjaxWarning, stacklevel=5)
