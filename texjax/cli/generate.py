"""The `texjax generate` command."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add `generate` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "generate",
        help="make pictures by a trained generator",
        description="Make pictures by a generator that `texjax train` has trained, at once and of any size. Pictures "
        "tile where their sides are multiples that the generator makes; others are cut from larger ones. "
        "--config.output.KEY=VALUE sets the format of the files.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, overridable=True)
    add = parser.add_argument
    add("network", type=Path, metavar="NETWORK", help="network.safetensors of a training")
    add("--output-width", "-ow", type=int, metavar="PX", help="width of the pictures (512)", default=512)
    add("--output-height", "-oh", type=int, metavar="PX", help="height of the pictures (the width)")
    add("--random-seed", type=int, default=0, metavar="N", help="seed of the noise (%(default)s)")
    add("--count", "-c", type=int, default=1, metavar="N", help="number of pictures (%(default)s)")
    add("--mix", metavar="X,X", help="how much of each source: one number for each that the generator has learned")
    add("--memory-budget", default="", metavar="SIZE", help="memory for computing, such as 2GiB (what is free)")
    add("--run-dir", type=Path, metavar="DIR", help="write exactly there")
    add("--output-dir", type=Path, default=Path("outputs"), help="parent of fresh run directories (%(default)s)")
    add("--output-prefix", "-op", default="out", help="start of their names (%(default)s)")


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Make the pictures and their records. Raises TexjaxError for a network or numbers that cannot be used."""
    from texjax.cli import display, transfer
    from texjax.runs import generate, networks, programs, records

    network = networks.read(args.network)
    height = args.output_width if args.output_height is None else args.output_height
    mix = transfer.numbers("--mix", args.mix, "source") if args.mix else ()
    wanted = generate.Wanted((args.output_width, height), args.random_seed, args.count, mix, args.memory_budget)

    def directory() -> Path:
        if args.run_dir is not None:
            return records.exact(args.run_dir)
        name = f"{args.output_prefix}.{network.config.generator.name}.{args.output_width}x{height}"
        return records.fresh(args.output_dir, name)

    programs.keep()
    with programs.device_errors():
        display.show_paths(generate.run(network, wanted, args.network, directory, overrides))
