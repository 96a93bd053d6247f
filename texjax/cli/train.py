"""The `texjax train` command."""

import argparse
from collections.abc import Sequence
from typing import Any

from texjax import config as configs
from texjax import errors
from texjax.cli import synthesize

DEFAULT_CONFIG = "feedforward/texture"


def add_parser(commands: Any) -> None:
    """Add `train` to the subparsers of the `texjax` command."""
    parser = synthesize.picture_parser(
        commands,
        "train",
        "train a generator, which then makes any amount of a texture, or restyles photographs",
        DEFAULT_CONFIG,
    )
    parser.set_defaults(job=job, dry_run=False, init=None)
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="pictures, or folders of pictures")
    parser.add_argument(
        "--photos",
        nargs="+",
        metavar="PHOTO",
        help="photographs, or folders of these, that a network learns to restyle",
    )


def job(args: argparse.Namespace, overrides: Sequence[str]) -> synthesize.Job:
    """Return the config and the sources of a training. Raises TexjaxError where the config has no generator."""
    from texjax import images

    config = synthesize.resolve(args, overrides)
    if "generator" not in config:
        known = ", ".join(configs.names("feedforward/*.py"))
        raise errors.TexjaxError(f"config {args.config} trains no generator; give one of {known}, or a path.")
    photos = {configs.PHOTOS: images.sources(args.photos)} if args.photos else {}
    return synthesize.Job(config, {"sources": images.sources(args.sources), **photos})
