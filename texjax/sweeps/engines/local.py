"""Engines of this machine: batches in turn in this process, or several at a time in processes of their own."""

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from multiprocessing import connection, resource_tracker
from multiprocessing.process import BaseProcess
from typing import Any

from texjax import errors, interrupts
from texjax.sweeps.engines import contract

POLL = 0.5  # seconds between ticks
PATIENCE = 60  # seconds that interrupted processes have to write their results


def serial(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Ticks:
    """Run all batches in this process, one after the other."""
    for batch in batches:
        for task in batch:
            work([task])
            yield


def processes(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Ticks:
    """Run each batch in a new process, at most `jobs` at a time.

    Processes are spawned, as a process with JAX must not be forked. Each batch has its own process and there is no
    pool, because a pool of the standard library loses all its work if one process dies, for example of too little
    memory.
    """
    context, waiting, running = multiprocessing.get_context("spawn"), list(batches), []
    # The tracker is started first, because its start would unblock the signals that `_deferred_interrupts` blocks.
    resource_tracker.ensure_running()
    try:
        while waiting or running:
            while waiting and (resources.jobs is None or len(running) < resources.jobs):
                running.append(context.Process(target=_child, args=(work, waiting.pop(0))))
                with _deferred_interrupts():
                    running[-1].start()
            connection.wait([process.sentinel for process in running], timeout=POLL)
            running = [process for process in running if process.is_alive()]
            yield
    finally:
        _interrupt(running)


def _child(work: contract.Work, batch: Any) -> None:
    """Work in a process of its own, which ends at once if its parent dies."""
    # The child leaves the terminal's process group: Ctrl-C reaches the parent, which passes it on exactly once.
    with contextlib.suppress(AttributeError, OSError):
        os.setpgid(0, 0)
    parent = multiprocessing.parent_process()
    if parent is not None:
        if connection.wait([parent.sentinel], timeout=0):
            return  # the parent was killed while this process started
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    try:
        # SIGINT is ignored by default in a process that a script started in the background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with interrupts.handled():
            _mask(signal.SIG_UNBLOCK)
            work(batch)
    except KeyboardInterrupt:
        return
    except errors.TexjaxError as error:  # a run's own errors are in its records; this one concerns the records
        sys.exit(f"texjax: {error}")


@contextlib.contextmanager
def _deferred_interrupts() -> Iterator[None]:
    """Block SIGINT; a process that is started meanwhile inherits this and unblocks it once it can end in order."""
    _mask(signal.SIG_BLOCK)
    try:
        yield
    finally:
        _mask(signal.SIG_UNBLOCK)


def _mask(how: int) -> None:
    with contextlib.suppress(AttributeError):  # the function does not exist on every platform
        signal.pthread_sigmask(how, {signal.SIGINT})


def _die_with(parent: BaseProcess) -> None:
    """End this process when its parent ends: after a kill, the next sweep must not find runs that still write."""
    connection.wait([parent.sentinel])
    os._exit(1)


def _interrupt(running: Sequence[BaseProcess]) -> None:
    """Interrupt processes as Ctrl-C does, so that they write their results, and kill those that do not end."""
    for process in running:
        if process.is_alive() and process.pid:
            os.kill(process.pid, signal.SIGINT)
    for process in running:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
