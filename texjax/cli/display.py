"""Print results, plans and tables of the commands on a terminal, and show the progress of a sweep."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import rich.box
import rich.console
import rich.table
import rich.text

from texjax import progress
from texjax.runs import archive, estimates, machine
from texjax.runs import run as runner
from texjax.sweeps import entries


def show_result(result: runner.Result) -> None:
    """Print one line about how the run ended, and then the paths of the pictures, which come last for scripts."""
    console = rich.console.Console(soft_wrap=True, highlight=False, markup=False)
    memory = f"peak memory {machine.peak_memory() / 2**20:.0f} MiB"
    console.print(f"{result.status} after {result.steps} steps, loss {result.loss:.6g}, {memory}")
    show_paths(result.paths)


def show_paths(paths: Sequence[Path]) -> None:
    """Print the paths of pictures, one in each line."""
    console = rich.console.Console(soft_wrap=True, highlight=False, markup=False)
    for path in paths:
        console.print(str(path))


def show_rows(rows: list[tuple[str, str]]) -> None:
    """Print a table of two columns."""
    table: Any = rich.table.Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    rich.console.Console(markup=False, highlight=False, width=None).print(table)


def show_sizes(rows: list[tuple[str, str, str, str]]) -> None:
    """Print a table of sizes: what they take, and how they are computed."""
    table: Any = rich.table.Table("size", "tile, px", "curvature pairs", "memory, about", box=rich.box.SIMPLE)
    for row in rows:
        table.add_row(*row)
    rich.console.Console(markup=False, highlight=False).print(table)


def show_measures(values: dict[str, float], meanings: dict[str, str], as_json: bool) -> None:
    """Print every measure with its value, and what value is good: as JSON, as a table on a terminal, or as lines."""
    console = rich.console.Console(soft_wrap=True, highlight=False, markup=False)
    if as_json:
        console.print(json.dumps(values, indent=2))
    elif console.is_terminal:
        table = rich.table.Table("measure", "value", "what is good", box=rich.box.SIMPLE)
        for name, value in values.items():
            table.add_row(name, f"{value:.4g}", meanings.get(name, ""))
        console.print(table)
    else:
        for name, value in values.items():
            console.print(f"{name:24}{value:<12.4g}{meanings.get(name, '')}".rstrip())


def note(text: str) -> None:
    """Print a line on standard error."""
    rich.console.Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"texjax: {text}")


@contextlib.contextmanager
def sweep_progress() -> Iterator[Callable[[Mapping[str, archive.Run]], None]]:
    """Show a progress bar of the runs that have ended; yields a function that takes all runs."""
    with progress.bar("{task.fields[failed]}") as bar:
        task = bar.add_task("runs", total=None, failed="")

        def watch(runs: Mapping[str, archive.Run]) -> None:
            counts = Counter(run.status for run in runs.values())
            completed = sum(counts[status] for status in (*archive.ENDED, "failed"))
            failed = f"{counts['failed']} failed" if counts["failed"] else ""
            bar.update(task, total=len(runs), completed=completed, failed=failed)

        yield watch


def show_sweep(directory: Path, runs: Collection[archive.Run]) -> None:
    """Print the errors of failed runs, the number of runs of each status, and then the sweep directory."""
    console = rich.console.Console(soft_wrap=True, highlight=False, markup=False)
    for run in runs:
        if run.status == "failed":
            console.print(f"failed: {entries.label(run.swept)}: {run.record['error']}")
    counts = Counter(run.status for run in runs)
    console.print(f"{len(runs)} runs: {', '.join(f'{count} {status}' for status, count in counts.items())}")
    console.print(str(directory))


def show_sweep_plan(
    declared: Sequence[entries.Entry], runs: Mapping[str, archive.Run], costs: Sequence[estimates.Cost | str]
) -> None:
    """Print a table with a line for each run, and then the time of all runs together.

    Args:
        declared: The declared runs.
        runs: Their states by id.
        costs: Memory and time of each run, or a sentence that says why it cannot be run.
    """
    console = rich.console.Console(highlight=False, markup=False)
    table: Any = rich.table.Table("run", "sets", "status", "size", "memory", "time", box=rich.box.SIMPLE)
    problems, seconds = [], []
    for entry, cost in zip(declared, costs, strict=True):
        status = runs[entry.id].status
        cells = [entry.id, rich.text.Text(entries.label(entry.swept)), status]
        if isinstance(cost, str):
            table.add_row(*cells, "cannot be run", "", "")
            problems.append(f"{entry.id} cannot be run: {cost}")
        else:
            seconds += [] if status in archive.ENDED else [cost.seconds]
            size = "{} x {}".format(*entry.config.size)
            table.add_row(*cells, size, f"{cost.memory / 2**20:,.0f} MiB", f"{cost.seconds:,.0f} s")
    console.print(table)
    for sentence in problems:
        console.print(sentence, soft_wrap=True)
    console.print(f"{len(declared)} runs, {len(seconds)} to be made, about {sum(seconds):,.0f} s one after the other")
