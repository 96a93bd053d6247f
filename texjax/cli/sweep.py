"""The `texjax sweep` command: its flags, and what it prints about the runs."""

import argparse
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from texjax import config as configs
from texjax import errors
from texjax.sweeps import engines
from texjax.sweeps.engines import contract


def add_parser(commands: Any) -> None:
    """Add `sweep` to the subparsers of the `texjax` command."""
    parser = commands.add_parser(
        "sweep",
        help="make the many runs that a config declares",
        description="Make the runs that the config's sweep(add) declares, each with every source. Runs that have ended "
        "are not repeated, so that the same command continues an interrupted sweep. --config.KEY=VALUE sets a key for "
        "all runs.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, overridable=True)
    add = parser.add_argument
    known = ", ".join(configs.names("ablations/*.py"))
    add("config", metavar="CONFIG", help=f"one of {known}, or the path of a config that defines sweep(add)")
    add("sources", nargs="*", metavar="SOURCE", help="pictures, a run for each; a folder of pictures is one source")
    add(
        "--content",
        nargs="+",
        default=[],
        metavar="PICTURE",
        help="contents to transfer the sources' look to; a run for each",
    )
    add(
        "--analogy",
        nargs=3,
        default=[],
        metavar=("A", "A_PRIME", "B"),
        help="the pictures of an analogy, instead of sources and contents",
    )
    add("--sweep-dir", type=Path, metavar="DIR", help="directory of the sweep (outputs/sweep.CONFIG)")
    add("--engine", default="serial", metavar="NAME", help=f"{', '.join(engines.__all__)} (%(default)s)")
    add("--jobs", type=int, metavar="N", help="largest number of runs at a time (serial: 1, processes: 2)")
    add("--retries", type=int, default=1, metavar="N", help="further tries of a run whose process died (%(default)s)")
    add("--cpus", type=float, default=1.0, metavar="X", help="CPUs of a cluster that a run needs (%(default)g)")
    add(
        "--gpus",
        type=float,
        default=0.0,
        metavar="X",
        help="GPUs of a cluster that a run needs; ray can share a GPU, such as 0.5 (%(default)g)",
    )
    add("--tpus", type=float, default=0.0, metavar="X", help="TPUs of a cluster that a run needs (%(default)g)")
    add(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="setting of submitit for the engine slurm, such as slurm_partition=gpu",
    )
    add("--dry-run", action="store_true", help="list the runs with their memory and time, and stop")


def run(args: argparse.Namespace, overrides: Sequence[str]) -> None:
    """List the runs, or make them and print how they ended.

    Raises:
        TexjaxError: If the sweep cannot be run.
        EnvironmentFault: If runs failed.
    """
    from texjax.cli import display
    from texjax.runs import programs
    from texjax.sweeps import entries, sweep

    resources = _resources(args)
    request = entries.Request(args.config, overrides, args.sources, args.content, args.analogy)
    directory = args.sweep_dir or Path("outputs") / f"sweep.{Path(args.config.partition(':')[0]).stem}"
    declaration = sweep.Sweep(directory, args.config, entries.declared(request))
    programs.keep()
    if args.dry_run:
        with programs.device_errors():
            costs = _costs(declaration.declared)
        display.show_sweep_plan(declaration.declared, sweep.read_runs(declaration), costs)
        return
    for run in sweep.read_runs(declaration).values():
        if "damaged" in run.record:
            display.note(f"this run is repeated: {run.record['damaged']}")
    with display.sweep_progress() as watch:
        runs = sweep.execute(declaration, getattr(engines, args.engine), resources(directory), args.retries, watch)
    display.show_sweep(directory, runs.values())
    failed = Counter(run.status for run in runs.values())["failed"]
    if failed:
        raise errors.EnvironmentFault(
            f"{failed} of {len(runs)} runs failed; mend what their errors say, and the same command tries them again."
        )


def _resources(args: argparse.Namespace) -> Callable[[Path], contract.Resources]:
    """Return a function from the sweep directory to the engine's resources.

    Raises:
        TexjaxError: If a flag has an impossible value, or is not for the chosen engine.
    """
    if args.engine not in engines.__all__:
        raise errors.unknown("engine", args.engine, engines.__all__)
    for flag, low in {"jobs": 1, "retries": 0, "cpus": 0, "gpus": 0, "tpus": 0}.items():
        value = getattr(args, flag)
        if value is not None and not low <= value < float("inf"):
            raise errors.TexjaxError(f"--{flag} is {value:g}; give a number from {low}.")
    malformed = [word for word in args.option if "=" not in word]
    if malformed:
        raise errors.TexjaxError(f"--option {malformed[0]} has no value; give --option KEY=VALUE.")
    if args.option and args.engine != "slurm":
        raise errors.TexjaxError(f"--option {args.option[0]} is for the engine slurm; leave it out, or choose slurm.")
    if args.engine in ("serial", "processes") and (args.gpus or args.tpus or args.cpus != 1):
        raise errors.TexjaxError("--cpus, --gpus and --tpus are for a cluster; choose --engine ray or slurm.")
    if args.engine == "serial" and args.jobs not in (None, 1):
        raise errors.TexjaxError(
            f"the engine serial makes one run at a time, and --jobs is {args.jobs}; choose --engine processes."
        )
    options = dict(word.split("=", 1) for word in args.option)
    # By default Ray and Slurm get each run as a batch of its own. Processes get few batches: runs of one batch share a
    # compiled program, and a process of its own for each run would compile once per run.
    jobs = args.jobs or {"serial": 1, "processes": 2}.get(args.engine)
    return lambda folder: contract.Resources(jobs, folder.absolute(), args.cpus, args.gpus, args.tpus, options)


def _costs(declared: Sequence[Any]) -> list[Any]:
    """Return memory and time of each run, or a sentence that says why it cannot be run.

    Only the first of the runs that share their programs compiles them.
    """
    from texjax.runs import plan

    costs, programs = [], set()
    for entry in declared:
        try:
            cost = plan.cost(entry.config, entry.pictures)
            costs.append(cost._replace(seconds=cost.seconds - cost.once) if cost.program in programs else cost)
            programs.add(cost.program)
        except errors.TexjaxError as error:
            costs.append(str(error))
    return costs
