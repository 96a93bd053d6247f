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
        description="Write one HTML page that shows a run or a sweep: its pictures side by side, curves of the loss, "
        "and the settings that differ between runs.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    add = parser.add_argument
    add(
        "directory",
        type=Path,
        metavar="DIR",
        help="directory of a run or of a sweep, or any folder that holds run directories",
    )
    add("--output", type=Path, metavar="FILE", help="the page to write (DIR/report.html)")
    add(
        "--embed", action="store_true", help="put the pictures at full size into the page, so that it can be sent alone"
    )
    add(
        "--measure", action="store_true", help="first measure the results against their sources, unless measured before"
    )
    add(
        "--serve",
        nargs="?",
        type=int,
        const=PORT,
        metavar="PORT",
        help=f"show the page at http://127.0.0.1:PORT ({PORT}) until Ctrl-C, and update it while runs go on",
    )
    add("--tensorboard", type=Path, metavar="LOGDIR", help="also write metrics and pictures for TensorBoard")


def run(args: argparse.Namespace) -> None:
    """Measure the runs if asked to, and write or serve their page.

    Raises:
        TexjaxError: If the flags contradict each other, or there is no run.
        EnvironmentFault: If the page cannot be written or served.
    """
    from texjax.report import data, page, tensorboard
    from texjax.runs import archive

    if args.serve is not None and (args.output is not None or args.embed):
        raise errors.TexjaxError("--serve writes no page; leave out --output and --embed, or --serve.")
    data.check_directory(args.directory)
    if args.measure:
        measure(args.directory)
    if args.tensorboard is not None:
        runs, _ = archive.runs(args.directory)
        tensorboard.write([(data.run_id(run, args.directory), run) for run in runs], args.tensorboard)
        print(args.tensorboard)
    if args.serve is not None:
        serve(args.directory, args.serve)
    else:
        print(page.write(args.directory, args.output, args.embed))


def measure(directory: Path) -> None:
    """Measure all runs below the directory that have not been measured; print why a run cannot be measured."""
    from texjax.runs import archive, measured

    for run in archive.runs(directory)[0]:
        try:
            measured.of_run(run)
        except errors.TexjaxError as error:
            print(f"texjax: {run.directory} is not measured: {error}", file=sys.stderr)


def serve(directory: Path, port: int) -> None:
    """Print the address of the page and serve it until Ctrl-C."""
    from texjax.report import data, page, server

    link = page.served_link(directory)
    bound = server.bind(
        directory, port, collect=lambda version: data.collect(directory, link, live=version), render=page.render
    )
    with bound:
        print(f"http://{server.HOST}:{bound.server_port}/ (Ctrl-C ends it)", flush=True)
        bound.serve_forever()
