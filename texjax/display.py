"""What the command shows on a terminal, and how it sets up JAX."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import jax
import platformdirs
import rich.box
import rich.console
import rich.progress
import rich.table

from texjax import errors, records, run, synthesis


def prepare_jax() -> None:
    """Turn on JAX's persistent compilation cache, in the user's cache folder.

    TEXJAX_COMPILATION_CACHE=0 turns it off; any other value is the folder to use. JAX's own settings win.
    """
    folder = os.environ.get("TEXJAX_COMPILATION_CACHE") or os.path.join(
        platformdirs.user_cache_dir("texjax"), "programs"
    )
    if folder != "0" and jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", folder)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@contextlib.contextmanager
def device_errors() -> Iterator[None]:
    """Turn the device's running out of memory into one sentence."""
    try:
        yield
    except (jax.errors.JaxRuntimeError, MemoryError) as error:
        text = str(error)
        if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in text or "out of memory" in text.lower():
            raise errors.EnvironmentFault(
                "the device ran out of memory; use a smaller size, count or history_size, or batch_mode 'map'."
            ) from error
        raise


@contextlib.contextmanager
def progress(steps: int) -> Iterator[Callable[[synthesis.Iterate], None]]:
    """A progress bar with loss, rate and time left; silent when standard output is no terminal."""
    console = rich.console.Console(stderr=True)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("loss {task.fields[loss]}  {task.fields[rate]}"),
        rich.progress.TimeRemainingColumn(),
    )
    with rich.progress.Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("compiling", total=steps, loss="-", rate="")

        def watch(iterate: synthesis.Iterate) -> None:
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
