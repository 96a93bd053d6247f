"""The `texjax resume` command."""

import argparse
from pathlib import Path
from typing import Any


def add_parser(commands: Any) -> None:
    """Add `resume` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "resume",
        help="go on with an interrupted run, or add steps to one that has ended",
        description="Go on with the run in a directory from its newest checkpoint. The pictures, the weights and the "
        "config are those that the directory records, and a file that has changed is refused. On the same machine the "
        "result is the same, byte by byte, as that of a run without a break.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    parser.add_argument("run_dir", type=Path, metavar="RUN_DIR", help="directory of the run")
    parser.add_argument(
        "--extend", type=int, default=0, metavar="N", help="add N steps at full size, also to a run that has ended"
    )


def run(args: argparse.Namespace) -> None:
    """Go on with the run. Raises TexjaxError where there is none, or its pictures or weights have changed."""
    from texjax import validate
    from texjax.cli import synthesize
    from texjax.runs import programs, resume
    from texjax.synthesis import devices

    validate.whole("--extend", args.extend, 0)
    begun = resume.begun(args.run_dir, args.extend)
    programs.keep()
    devices.join(begun.config)
    with programs.device_errors():
        synthesize.carry_out(begun.config, begun.paths, lambda parts: begun.directory, begun)
