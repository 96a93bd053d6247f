"""The `texjax sweep` command: its flags, and what it says of the runs."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from texjax import config as configs
from texjax import errors

ENGINES = ("serial", "processes", "ray", "slurm")


def add_parser(commands: Any) -> None:
    """Add `sweep` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "sweep",
        help="make many runs, those that a config declares",
        description="Make the runs that the config's sweep(add) declares, each with every source. Runs that have "
        "ended are not run again, so that the same command goes on after an interrupt. --config.KEY=VALUE sets a key "
        "for all runs.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, overridable=True)
    add = parser.add_argument
    known = ", ".join(configs.names("ablations/*.py"))
    add("config", metavar="CONFIG", help=f"one of {known}, or the path of a config that defines sweep(add)")
    add("sources", nargs="*", metavar="SOURCE", help="pictures, a run for each; a folder of pictures is one source")
    add("--content", nargs="+", default=[], metavar="PICTURE", help="to give the sources' look; a run for each")
    add("--analogy", nargs=3, default=[], metavar=("A", "A_PRIME", "B"), help="three pictures instead of sources")
    add("--sweep-dir", type=Path, metavar="DIR", help="where the runs are (outputs/sweep.CONFIG)")
    add("--engine", default="serial", metavar="NAME", help=f"{', '.join(ENGINES)} (%(default)s)")
    add("--jobs", type=int, metavar="N", help="at a time, at most; of processes 2 unless given")
    add("--retries", type=int, default=1, metavar="N", help="more tries of a run whose process died (%(default)s)")
    add("--cpus", type=float, default=1.0, metavar="X", help="that a run needs, of a cluster (%(default)g)")
    add("--gpus", type=float, default=0.0, metavar="X", help="likewise; a part of one is possible with ray")
    add("--tpus", type=float, default=0.0, metavar="X", help="likewise")
    add("--option", action="append", default=[], metavar="KEY=VALUE", help="of submitit, such as slurm_partition=gpu")
    add("--dry-run", action="store_true", help="list the runs with their memory and time, and stop")


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """List the runs, or make them and say how they ended.

    Raises TexjaxError for what cannot be run, and where runs failed.
    """
    from texjax.cli import display
    from texjax.runs import programs
    from texjax.sweeps import engines, entries, sweep

    resources_of = _check(args)
    given = entries.Given(args.config, overrides, args.sources, args.content, args.analogy)
    directory = args.sweep_dir or Path("outputs") / f"sweep.{Path(args.config.partition(':')[0]).stem}"
    made = sweep.Sweep(directory, args.config, entries.declared(given))
    programs.keep()
    if args.dry_run:
        with programs.device_errors():
            display.show_sweep_plan(made.declared, sweep.look(made), [_cost(entry) for entry in made.declared])
        return
    for run in sweep.look(made).values():
        if "damaged" in run.record:
            display.note(f"to be run again: {run.record['damaged']}")
    engine = getattr(engines, args.engine)
    with display.sweep_progress() as watch:
        found = sweep.execute(made, engine, resources_of(directory), args.retries, watch)
    display.show_sweep(directory, found.values())
    failed = Counter(run.status for run in found.values())["failed"]
    if failed:
        raise errors.EnvironmentFault(
            f"{failed} of {len(found)} runs failed; mend what their errors say, and the same command tries them again."
        )


def _check(args: argparse.Namespace) -> Any:
    """The engine's resources, but for the folder. Raises TexjaxError for values that cannot be."""
    from texjax.sweeps.engines import contract

    if args.engine not in ENGINES:
        raise errors.unknown("engine", args.engine, ENGINES)
    for flag, low in {"jobs": 1, "retries": 0, "cpus": 0, "gpus": 0, "tpus": 0}.items():
        value = getattr(args, flag)
        if value is not None and not low <= value < float("inf"):
            raise errors.TexjaxError(f"--{flag} is {value:g}; give a number from {low}.")
    wrong = [word for word in args.option if "=" not in word]
    if wrong or (args.option and args.engine != "slurm"):
        raise errors.TexjaxError(
            f"--option {(wrong or args.option)[0]} is none of engine slurm; give KEY=VALUE with it."
        )
    if args.engine in ("serial", "processes") and (args.gpus or args.tpus or args.cpus != 1):
        raise errors.TexjaxError("--cpus, --gpus and --tpus are for a cluster; choose --engine ray or slurm.")
    if args.engine == "serial" and args.jobs not in (None, 1):
        raise errors.TexjaxError(f"engine serial makes one run at a time, and --jobs is {args.jobs}; use processes.")
    options = dict(word.split("=", 1) for word in args.option)
    jobs = args.jobs or {"serial": 1, "processes": 2}.get(args.engine)

    def resources(folder: Path) -> contract.Resources:
        return contract.Resources(jobs, folder.absolute(), args.cpus, args.gpus, args.tpus, options)

    return resources


def _cost(entry: Any) -> Any:
    """What the run would take, or why it cannot be."""
    from texjax.runs import plan

    try:
        return plan.cost(entry.config, entry.paths, entry.others)
    except errors.TexjaxError as error:
        return str(error)
