"""Checks of a config's numbers, sizes, formats and terms, before anything is computed."""

from typing import Any

from texjax import config as configs
from texjax import errors, settings, validate
from texjax.images import alpha, light

FORMATS = {"png": (8, 16), "jpg": (8,), "tiff": (8,)}  # format -> possible bits
WITH_ALPHA = ("png", "tiff")  # formats that hold alpha
WHOLE = {  # key -> smallest value
    "max_iter": 1,
    "save_every": 1,
    "count": 1,
    "frames": 1,
    "patience": 1,
    "seed": 0,
    "tile": 0,
    "checkpoint_steps": 0,
    "source.width": 0,
    "source.max_pixels": 1,
    "jitter.every": 1,
}
MAX_OCTAVES = 16  # the coarsest pixel is then 32768 pixels wide
CHANNELS = (0, 1, 3)
REAL = {  # key -> smallest value
    "tol": 0,
    "checkpoint_every": 0,
    "source.scale": 0,
    "source.fit": 0,
    "source.max_fit": 0,
    "jitter.pixels": 0,
    "jitter.color": 0,
}
WHEN = ("always", "periodic")  # a term counts for all sources, or for those that repeat
MAX_COPIES = 12  # to either side; more would only cost time


def values(config: configs.Config) -> None:
    """Raise TexjaxError for a number, size, term or format that no run can have."""
    if len(config.size) != 2:
        raise errors.TexjaxError(f"size is {tuple(config.size)}; give two numbers, width and height in pixels.")
    for name, side in zip(("width", "height"), config.size, strict=True):
        validate.whole(name, side, 1)
    for key, low in WHOLE.items():
        validate.whole(key, settings.group(config, key), low)
    validate.whole("octaves", config.octaves, 1, MAX_OCTAVES)
    for key, low in REAL.items():
        validate.real(key, settings.group(config, key), low, validate.LARGEST)
    for i, steps in enumerate(config.schedule.steps):
        validate.whole(f"schedule.steps[{i}]", steps, 1)
    if not 0 < config.schedule.lowpass < float("inf"):
        raise errors.TexjaxError(f"schedule.lowpass is {config.schedule.lowpass}; give a number above 0, such as 0.06.")
    for name, term in config.terms.items():
        _term(f"terms.{name}", term)
    _background(config.source.background)
    if config.source.flatten not in light.METHODS:
        raise errors.unknown("value of source.flatten", config.source.flatten, light.METHODS)
    _output(config.output)
    _alpha(config.source.alpha, config.output.format)
    if "generator" in config:
        _training(config)


def _training(config: configs.Config) -> None:
    """Raise TexjaxError for what a generator cannot be trained with."""
    validate.real("training.decay", config.training.decay, 0, 1)
    for key, neutral in {"schedule.steps": (), "frames": 1, "tile": 0, "jitter.pixels": 0, "jitter.color": 0}.items():
        value = settings.group(config, key)
        if value != neutral:
            raise errors.TexjaxError(
                f"{key} is {value}, which a generator is not trained with; set --config.{key}={neutral}."
            )


def _term(name: str, term: configs.Config) -> None:
    """Raise TexjaxError where a weight is no finite number, or copies are no number of copies."""
    validate.real(f"{name}.weight", term.weight)
    if term.when not in WHEN:
        raise errors.unknown(f"value of {name}.when", term.when, WHEN)
    for layer, weight in term.layers.items():
        validate.real(f"{name}.layers.{layer}", weight)
    for i, weight in enumerate(term.octave_weights):
        validate.real(f"{name}.octave_weights[{i}]", weight)
    for key in ("rotations", "scales"):
        validate.whole(f"{name}.{key}", term[key], 0, MAX_COPIES)


def _background(color: Any) -> None:
    if len(color) != 3 or not all(isinstance(c, int | float) and 0 <= c <= 1 for c in color):
        raise errors.TexjaxError(f"source.background is {tuple(color)}; give three numbers in [0, 1].")


def _output(output: configs.Config) -> None:
    if output.channels not in CHANNELS:
        raise errors.TexjaxError(
            f"output.channels is {output.channels}; give 1 (gray), 3 (color) or 0 (gray where all pictures are gray)."
        )
    if output.channels == 1 and output.original_colors:
        raise errors.TexjaxError(
            "output.original_colors keeps the content's colors, and output.channels is 1, which is gray; change one of "
            "them."
        )
    if output.format not in FORMATS:
        raise errors.unknown("output format", output.format, FORMATS)
    possible = FORMATS[output.format]
    if output.bits not in possible:
        raise errors.TexjaxError(
            f"output.bits is {output.bits}, and {output.format} files have {' or '.join(map(str, possible))}; "
            f"use one of these, or another output.format."
        )


def _alpha(mode: str, output_format: str) -> None:
    if mode not in alpha.MODES:
        raise errors.unknown("value of source.alpha", mode, alpha.MODES)
    if mode == "keep" and output_format not in WITH_ALPHA:
        raise errors.TexjaxError(
            f"source.alpha is 'keep', and {output_format} files hold no alpha; use output.format "
            f"{' or '.join(WITH_ALPHA)}, or source.alpha 'auto' or 'over'."
        )
