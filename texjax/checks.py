"""What no run can have: numbers, sizes, formats and terms of a config, looked at before anything is made of them."""

import math
from collections.abc import Sequence
from typing import Any

from texjax import config as configs
from texjax import errors

FORMATS = {"png": (8, 16), "jpg": (8,), "tiff": (8,)}
LOWEST = {"octaves": 1, "max_iter": 1, "save_every": 1, "count": 1, "frames": 1, "patience": 1, "tol": 0, "seed": 0}
LOWEST_OF_SOURCE = {"width": 0, "scale": 0, "fit": 0, "max_pixels": 1}
LOWEST_OF_JITTER = {"pixels": 0, "color": 0, "every": 1}
REAL = ("tol", "source.scale", "source.fit", "jitter.pixels", "jitter.color")  # the others are whole numbers
# Of a term; not every loss has each of them.
NUMBERS = ("mul", "shift", "join_position", "join_regularization")


def values(config: configs.Config) -> None:
    """Raises TexjaxError for a number, size, term or format that no run can have."""
    _numbers(config)
    _schedule(config)
    for name, term in config.terms.items():
        _term(f"terms.{name}", term)
        _copies(f"terms.{name}", term)
        if term.name == "inter_frame":
            _frames(f"terms.{name}", term, config)
    _background(config.source.background)
    _output(config.output)


def _numbers(config: configs.Config) -> None:
    if len(config.size) != 2:
        raise errors.TexjaxError(f"size is {tuple(config.size)}; give two numbers, width and height in pixels.")
    found = [("width", config.size[0], 1), ("height", config.size[1], 1)]
    found += [(key, config[key], low) for key, low in LOWEST.items()]
    found += [(f"source.{key}", config.source[key], low) for key, low in LOWEST_OF_SOURCE.items()]
    found += [(f"jitter.{key}", config.jitter[key], low) for key, low in LOWEST_OF_JITTER.items()]
    for key, got, low in found:
        kind = int | float if key in REAL else int
        if isinstance(got, bool) or not isinstance(got, kind) or not low <= got < 2**31:
            what = "whole number" if kind is int else "number"
            raise errors.TexjaxError(f"{key} is {got}; give a {what} from {low} to {2**31 - 1}.")


def _schedule(config: configs.Config) -> None:
    """Raises TexjaxError where the schedule has other than whole steps, or lets nothing pass."""
    steps, lowpass = tuple(config.schedule.steps), config.schedule.lowpass
    if not all(isinstance(n, int) and n >= 1 for n in steps):
        raise errors.TexjaxError(f"schedule.steps is {steps}; give whole numbers from 1, or none.")
    if not 0 < lowpass < math.inf:
        raise errors.TexjaxError(f"schedule.lowpass is {lowpass}; give a number above 0, such as 0.06.")


def _term(name: str, term: configs.Config) -> None:
    """Raises TexjaxError where a key is missing or a weight is no finite number."""
    for key in ("name", "weight", "layers", "octave_weights"):
        if key not in term:
            raise errors.TexjaxError(
                f"{name} has no key '{key}'; a term needs name, weight, layers and octave_weights."
            )
    weights = {"weight": term.weight, **{f"layers.{layer}": w for layer, w in term.layers.items()}}
    weights |= {f"octave_weights[{i}]": w for i, w in enumerate(term.octave_weights)}
    weights |= {key: term[key] for key in NUMBERS if key in term}
    weights |= {f"join_weights[{i}]": w for i, w in enumerate(term.get("join_weights", ()))}
    for key, got in weights.items():
        if isinstance(got, bool) or not isinstance(got, int | float) or not math.isfinite(got):
            raise errors.TexjaxError(f"{name}.{key} is {got!r}; give a finite number.")


def _copies(name: str, term: configs.Config) -> None:
    """Raises TexjaxError for other than numbers of copies, and for a loss that finds nothing in them."""
    for key in ("rotations", "scales"):
        got = term.get(key, 0)
        if isinstance(got, bool) or not isinstance(got, int) or not 0 <= got <= 12:
            raise errors.TexjaxError(f"{name}.{key} is {got!r}; give a whole number from 0 to 12.")
        if got and term.name != "mrf":
            raise errors.TexjaxError(f"{name}.{key} is {got}, and only terms of loss 'mrf' have copies; leave it out.")


def _frames(name: str, term: configs.Config, config: configs.Config) -> None:
    """Raises TexjaxError where a term ties together more frames, or looks at more octaves, than there are."""
    order, octaves = term.get("order", 2), term.get("octaves")
    if not isinstance(order, int) or not 1 <= order < config.frames:
        raise errors.TexjaxError(
            f"{name}.order is {order!r} with frames {config.frames}; give a whole number from 1, and more frames than "
            f"that, such as frames 8."
        )
    if not isinstance(octaves, int) or not 1 <= octaves <= config.octaves:
        raise errors.TexjaxError(
            f"{name}.octaves is {octaves!r} of {config.octaves}; give a whole number from 1 to that of octaves."
        )


def _background(color: Sequence[Any]) -> None:
    if len(color) != 3 or not all(isinstance(c, int | float) and 0 <= c <= 1 for c in color):
        raise errors.TexjaxError(f"source.background is {tuple(color)}; give three numbers in [0, 1].")


def _output(output: configs.Config) -> None:
    if output.format not in FORMATS:
        raise errors.unknown("output format", output.format, FORMATS)
    possible = FORMATS[output.format]
    if output.bits not in possible:
        raise errors.TexjaxError(
            f"output.bits is {output.bits}, and {output.format} files have {' or '.join(map(str, possible))}; "
            f"use one of these, or another output.format."
        )
