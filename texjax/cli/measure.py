"""The `texjax measure` command: a result against its sources, in numbers.

The parser needs no JAX, so that `--help` answers at once.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from texjax import errors
from texjax.cli import synthesize

NETWORK = "vgg19"
LAYERS = ("conv1_1", "pool1", "pool2", "conv3_2", "pool3")


def add_parser(commands: Any) -> None:
    """Add `measure` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "measure",
        help="compare a result with its sources, in numbers",
        description="Compare a result with its sources, in numbers. A crop of a source, measured the same way, shows "
        "how good a number can be.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("result", type=Path, metavar="RESULT", help="the picture that was made")
    add("--source", "-s", nargs="+", required=True, metavar="SOURCE", help="pictures, or folders of pictures")
    add("--source-width", "-sw", type=int, metavar="PX", help="width to resize sources to, as for the synthesis")
    add("--weights", metavar="FILE", help=f"of {NETWORK}, or their folder; else where `texjax weights list` says")
    add("--layers", "-l", nargs="+", default=LAYERS, metavar="LAYER", help="of the Gram error, names or indices")
    add("--octaves", "-o", type=int, default=4, metavar="N", help="of the Gram error, at most (%(default)s)")
    add("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> None:
    """Measure, print the values, and say on standard error what had to be left out."""
    layers = synthesize.layers(args.layers)
    from texjax import measures
    from texjax.cli import display
    from texjax.runs import programs

    programs.keep()
    with programs.device_errors():
        values, notes = measure(args, layers)
    display.show_measures(values, measures.MEANINGS, args.json)
    for note in notes:
        display.note(note)


def measure(args: argparse.Namespace, layers: list[str]) -> tuple[dict[str, float], list[str]]:
    """The values of `measures.measure_all`, and sentences on what was left out.

    Raises TexjaxError for what cannot be read, for pictures that are too small, and for unknown layers.
    """
    from texjax import features, images, measures
    from texjax.features.weights import catalog

    if args.octaves < 1:
        raise errors.TexjaxError(f"--octaves is {args.octaves}; give a whole number from 1.")
    paths = [args.result, *images.sources(args.source)]
    result = images.load(args.result)
    pictures = [result, *(images.load(path, width=args.source_width) for path in paths[1:])]
    check_sizes(paths, pictures, measures.SMALLEST)
    if not args.weights and next(catalog.candidates(NETWORK), None) is None:
        return measures.measure_all(result, pictures[1:]), [
            f"no Gram error, as no weights of {NETWORK} were found; run `texjax weights fetch {NETWORK}`, or name a "
            "file with --weights."
        ]
    extractor = features.vgg19(weights=args.weights or "")
    octaves = check_octaves(extractor, pictures, layers, args.octaves)
    notes = [f"the Gram error is of {octaves} octaves, as {args.octaves} do not fit."] if octaves < args.octaves else []
    return measures.measure_all(result, pictures[1:], extractor, layers, octaves), notes


def check_sizes(paths: list[Path], pictures: list[np.ndarray], smallest: int) -> None:
    """Raises TexjaxError for a picture with a side of less than `smallest` pixels."""
    for path, picture in zip(paths, pictures, strict=True):
        h, w = picture.shape[:2]
        if min(h, w) < smallest:
            raise errors.TexjaxError(
                f"{path} is {w} x {h} px, but the measures need {smallest} px on each side; give a larger picture."
            )


def check_octaves(extractor: Any, pictures: list[np.ndarray], layers: list[str], octaves: int) -> int:
    """The number of octaves that fit, at most `octaves`. Raises TexjaxError where not even one does."""
    from texjax import measures

    side = min(min(picture.shape[:2]) for picture in pictures)
    fitting = measures.fitting_octaves(extractor, [side], layers, octaves)
    if not fitting:
        raise errors.TexjaxError(
            f"a side of {side} px is too small for the layers {', '.join(layers)}; give larger pictures, or shallower "
            "layers with --layers."
        )
    return fitting
