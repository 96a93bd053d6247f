"""The `texjax export` command."""

import argparse
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add `export` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "export",
        help="write a trained generator as a program that needs no texjax",
        description="Write a generator that `texjax train` has trained as a StableHLO program for one size. In "
        "Python, jax.export.deserialize(data).call(seed, code) runs it on CPU, GPU and TPU.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("network", type=Path, metavar="NETWORK", help="network.safetensors of a training")
    add("output", type=Path, metavar="FILE", help="the program to write, such as bark.stablehlo")
    add("--output-width", "-ow", type=int, metavar="PX", help="width of the pictures (512)", default=512)
    add("--output-height", "-oh", type=int, metavar="PX", help="height of the pictures (the width)")


def run(args: argparse.Namespace) -> None:
    """Write the program. Raises TexjaxError for a network or a size that cannot be exported."""
    from texjax.cli import display
    from texjax.runs import export, networks

    height = args.output_width if args.output_height is None else args.output_height
    export.write(networks.read(args.network), (args.output_width, height), args.output)
    display.show_paths([args.output])
