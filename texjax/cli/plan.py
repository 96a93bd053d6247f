"""The `texjax plan` command: what a synthesis would take, and which sizes of picture fit."""

import argparse
from collections.abc import Sequence
from typing import Any

from texjax.cli import synthesize


def add_parser(commands: Any) -> None:
    """Add `plan` to the subparsers of the `texjax` command."""
    parser = synthesize.texture_parser(commands, "plan", "show what a synthesis would take, and the sizes that fit")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """Print the table of `texjax synthesize --dry-run`, and one of sizes."""
    config, pictures = args.job(args, overrides)

    from texjax.cli import display
    from texjax.runs import plan, programs

    programs.keep()
    with programs.device_errors():
        rows, sizes = plan.plan_with_sizes(config, pictures)
    display.show_rows(rows)
    display.show_sizes(sizes)
