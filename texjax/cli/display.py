"""What the command shows on a terminal."""

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import rich.box
import rich.console
import rich.progress
import rich.table
import rich.text

from texjax.runs import archive, plan, records, run
from texjax.sweeps import entries
from texjax.synthesis import loop


def _bar(*fields: str) -> rich.progress.Progress:
    """A progress bar with a description and what the fields tell; silent where standard error is no terminal."""
    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("  ".join(fields)),
        rich.progress.TimeRemainingColumn(),
    )
    return rich.progress.Progress(*columns, console=console, disable=not console.is_terminal)


@contextlib.contextmanager
def progress(steps: int) -> Iterator[Callable[[loop.Iterate], None]]:
    """A progress bar with loss, rate and time left."""
    with _bar("loss {task.fields[loss]}", "{task.fields[rate]}") as bar:
        task = bar.add_task("compiling", total=steps, loss="-", rate="")

        def watch(iterate: loop.Iterate) -> None:
            rate = f"{len(iterate.metrics['loss']) / iterate.seconds:.2f} it/s" if iterate.step else ""
            loss = f"{iterate.metrics['loss'][-1].mean():.4g}"
            bar.update(task, completed=iterate.step, loss=loss, rate=rate, description="optimizing")

        yield watch


def show_result(result: run.Result) -> None:
    """One line on how it ended, and the pictures' paths, last."""
    console = rich.console.Console(soft_wrap=True, highlight=False, markup=False)
    memory = f"peak memory {records.peak_memory() / 2**20:.0f} MiB"
    console.print(f"{result.status} after {result.steps} steps, loss {result.loss:.6g}, {memory}")
    for path in result.paths:
        console.print(str(path))


def show_plan(rows: list[tuple[str, str]]) -> None:
    """The plan as a table of two columns."""
    table: Any = rich.table.Table.grid(padding=(0, 2))
    for row in rows:
        table.add_row(*row)
    rich.console.Console(markup=False, highlight=False, width=None).print(table)


def show_measures(values: dict[str, float], meanings: dict[str, str], as_json: bool) -> None:
    """Every measure with its value and what is good: a table on a terminal, else plain lines, or JSON."""
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
    """A line on standard error."""
    rich.console.Console(stderr=True, soft_wrap=True, highlight=False, markup=False).print(f"texjax: {text}")


@contextlib.contextmanager
def sweep_progress() -> Iterator[Callable[[Mapping[str, archive.Run]], None]]:
    """A progress bar of runs that have ended."""
    with _bar("{task.fields[failed]}") as bar:
        task = bar.add_task("runs", total=None, failed="")

        def watch(runs: Mapping[str, archive.Run]) -> None:
            counts = Counter(run.status for run in runs.values())
            ended = sum(counts[status] for status in (*archive.ENDED, "failed"))
            bar.update(
                task, total=len(runs), completed=ended, failed=f"{counts['failed']} failed" * bool(counts["failed"])
            )

        yield watch


def show_sweep(directory: Path, runs: Collection[archive.Run]) -> None:
    """How many runs ended how, the errors of those that failed, and the sweep directory, last."""
    console = rich.console.Console(soft_wrap=True, highlight=False, markup=False)
    for one in runs:
        if one.status == "failed":
            console.print(f"failed: {entries.label(one.swept)}: {one.record['error']}")
    counts = Counter(one.status for one in runs)
    console.print(f"{len(runs)} runs: {', '.join(f'{count} {status}' for status, count in counts.items())}")
    console.print(str(directory))


def show_sweep_plan(
    declared: Sequence[entries.Entry], runs: Mapping[str, archive.Run], costs: Sequence[plan.Cost | str]
) -> None:
    """A line for each run: what sets it apart, how it stands, its size, memory and time; then the time of all.

    costs: of each run, or why it cannot be run.
    """
    console = rich.console.Console(highlight=False, markup=False)
    table: Any = rich.table.Table("run", "sets", "status", "size", "memory", "time", box=rich.box.SIMPLE)
    wrong, left = [], []
    for entry, cost in zip(declared, costs, strict=True):
        about = [entry.id, rich.text.Text(entries.label(entry.swept)), runs[entry.id].status]
        if isinstance(cost, str):
            table.add_row(*about, "cannot be run", "", "")
            wrong.append(f"{entry.id} cannot be run: {cost}")
        else:
            left += [] if runs[entry.id].status in archive.ENDED else [cost.seconds]
            size = "{} x {}".format(*entry.config.size)
            table.add_row(*about, size, f"{cost.memory / 2**20:,.0f} MiB", f"{cost.seconds:,.0f} s")
    console.print(table)
    for sentence in wrong:
        console.print(sentence, soft_wrap=True)
    console.print(f"{len(declared)} runs, {len(left)} to be made, about {sum(left):,.0f} s one after the other")
