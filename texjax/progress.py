"""Progress bars, on a terminal and in a notebook."""

import contextlib
import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

import rich.console
import rich.progress


def bar(*fields: str) -> rich.progress.Progress:
    """Return a progress bar with a description and further fields.

    It writes to standard error, and is silent where that is neither a terminal nor a notebook. In a notebook rich needs
    ipywidgets to draw; without ipywidgets the bar is silent too.
    """
    console = rich.console.Console(stderr=True)
    if console.is_jupyter:
        drawable = importlib.util.find_spec("ipywidgets") is not None
    else:
        drawable = console.is_terminal
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TextColumn("  ".join(fields)),
        rich.progress.TimeRemainingColumn(),
    )
    return rich.progress.Progress(*columns, console=console, disable=not drawable)


@contextlib.contextmanager
def steps(total: int) -> Iterator[Callable[[Any], None]]:
    """Show a bar of optimization steps with loss, rate and time left; yields a function that takes each `Iterate`."""
    with bar("loss {task.fields[loss]}", "{task.fields[rate]}") as progress:
        task = progress.add_task("compiling", total=total, loss="-", rate="")

        def watch(iterate: Any) -> None:
            rate = f"{len(iterate.metrics['loss']) / iterate.seconds:.2f} it/s" if iterate.step else ""
            progress.update(
                task, completed=iterate.step, loss=f"{iterate.loss:.4g}", rate=rate, description="optimizing"
            )

        yield watch
