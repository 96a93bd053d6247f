"""The `texjax report` command: its flags, and what it prints.

Only measuring needs JAX.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from texjax import errors

PORT = 8080


def add_parser(commands: Any) -> None:
    """Add `report` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "report",
        help="show a run or a sweep as a page",
        description="Write one HTML page that shows a run or a sweep: pictures side by side, curves, what differs.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add("directory", type=Path, metavar="DIR", help="of a run, of a sweep, or a folder with runs somewhere in it")
    add("--output", type=Path, metavar="FILE", help="the page to write (DIR/report.html)")
    add("--embed", action="store_true", help="put the pictures at full size into the page, to send it by itself")
    add("--measure", action="store_true", help="measure the results against their sources first, where that is missing")
    add(
        "--serve",
        nargs="?",
        type=int,
        const=PORT,
        metavar="PORT",
        help=f"show the page at http://127.0.0.1:PORT ({PORT}) until Ctrl-C, up to date while runs go on",
    )
    add("--tensorboard", type=Path, metavar="LOGDIR", help="also write metrics and pictures for TensorBoard")


def run(args: argparse.Namespace) -> None:
    """Measure where asked for, and write or serve the page. Raises TexjaxError and EnvironmentFault."""
    from texjax.report import data, page, tensorboard
    from texjax.runs import archive

    if args.serve is not None and (args.output is not None or args.embed):
        raise errors.TexjaxError("--serve writes no page; leave out --output and --embed, or --serve.")
    data.check(args.directory)
    if args.measure:
        measure(args.directory)
    if args.tensorboard is not None:
        runs, _ = archive.runs(args.directory)
        tensorboard.write([(data.name(run, args.directory), run) for run in runs], args.tensorboard)
        print(args.tensorboard)
    if args.serve is not None:
        serve(args.directory, args.serve)
    else:
        print(page.write(args.directory, args.output, args.embed))


def measure(directory: Path) -> None:
    """Measure what has not been measured; what cannot be is said and left out."""
    from texjax.runs import archive, measured

    for run in archive.runs(directory)[0]:
        try:
            measured.of_run(run)
        except errors.TexjaxError as error:
            print(f"texjax: {run.directory} is not measured: {error}", file=sys.stderr)


def serve(directory: Path, port: int) -> None:
    """Serve the page until Ctrl-C."""
    from texjax.report import data, page, server

    link = page.inside(directory)
    bound = server.bound(
        directory, port, make=lambda version: data.data(directory, link, live=version), render=page.page
    )
    with bound:
        print(f"http://{server.HOST}:{bound.server_port}/ (Ctrl-C ends it)", flush=True)
        bound.serve_forever()
