"""The `texjax devices` command, which tells on what a synthesis would run."""

import argparse
from typing import Any


def add_parser(commands: Any) -> None:
    """Add `devices` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "devices",
        help="show the devices, and what computes the networks there",
        description="Show the devices that JAX finds and, for each precision of the features, what computes the "
        "networks (XLA or, on CPU, oneDNN) and why.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Print a table."""
    from texjax.cli import display

    display.show_rows(rows())


def rows() -> list[tuple[str, str]]:
    """Return the rows (what, value) of the table."""
    import jax

    from texjax.features import native_library, vgg

    devices = [(f"{device.platform}:{device.id}", device.device_kind) for device in jax.devices()]
    choices = [(precision, native_library.choose("auto", precision)) for precision in vgg.PRECISIONS]
    return devices + [(precision, f"{choice.name}: {choice.reason}") for precision, choice in choices]
