"""The `texjax measure` command, which compares a result with its sources in numbers."""

import argparse
from pathlib import Path
from typing import Any

from texjax import validate
from texjax.cli import synthesize

NETWORK = "vgg19"
LAYERS = ("conv1_1", "pool1", "pool2", "conv3_2", "pool3")


def add_parser(commands: Any) -> None:
    """Add `measure` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "measure",
        help="compare a result with its sources, in numbers",
        description="Compare a result with its sources, in numbers. A crop of a source, measured the same way, shows "
        "how good a number can be. Transparent pictures lie on white, and pictures of more than 89 million pixels are "
        "refused.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("result", type=Path, metavar="RESULT", help="the picture to measure")
    add("--source", "-s", nargs="+", required=True, metavar="SOURCE", help="pictures, or folders of pictures")
    add("--source-width", "-sw", type=int, metavar="PX", help="width to resize sources to, as for the synthesis")
    add(
        "--weights", metavar="FILE", help=f"weights of {NETWORK}, a file or a folder (where `texjax weights list` says)"
    )
    add("--layers", "-l", nargs="+", default=LAYERS, metavar="LAYER", help="layers of the Gram error, names or indices")
    add("--octaves", "-o", type=int, default=4, metavar="N", help="octaves of the Gram error, at most (%(default)s)")
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
    """Return the values of `measures.measure_all`, and sentences on what was left out.

    Raises TexjaxError for what cannot be read, for pictures that are too small, and for unknown layers.
    """
    from texjax import features, images, measures
    from texjax.features.weights import catalog

    validate.whole("--octaves", args.octaves, 1)
    paths = images.sources(args.source)
    result, sources = images.load(args.result), [images.load(path, width=args.source_width) for path in paths]
    measures.check_sizes({str(args.result): result} | dict(zip(map(str, paths), sources, strict=True)))
    if not args.weights and next(catalog.candidates(NETWORK), None) is None:
        return measures.measure_all(result, sources), [
            f"no Gram error, as no weights of {NETWORK} were found; run `texjax weights fetch {NETWORK}`, or name a "
            "file with --weights."
        ]
    extractor = features.vgg19(weights=args.weights or "")
    octaves = measures.largest_octaves(extractor, [result, *sources], layers=layers, octaves=args.octaves)
    notes = [f"the Gram error is of {octaves} octaves, as {args.octaves} do not fit."] if octaves < args.octaves else []
    return measures.measure_all(result, sources, extractor=extractor, layers=layers, octaves=octaves), notes
