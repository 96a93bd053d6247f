"""This machine: one batch after the other in this process, or several at a time in processes of their own."""

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

from texjax import errors
from texjax.sweeps.engines import contract

POLL = 0.5  # seconds between looks at what has been written
PATIENCE = 60  # seconds for interrupted processes to write what they have


def serial(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Moments:
    """In this process, one after the other."""
    for batch in batches:
        for part in batch:
            work([part])
            yield


def processes(work: contract.Work, batches: Sequence[Any], resources: contract.Resources) -> contract.Moments:
    """Each batch in a fresh process, `jobs` at a time, or all.

    JAX must not be forked, so they are spawned. One process for each batch and not a pool of them: where one dies, of
    too little memory say, a pool of the standard library loses all its work.
    """
    context, waiting, running = multiprocessing.get_context("spawn"), list(batches), []
    resource_tracker.ensure_running()  # its start lets signals through, which `_deferred` holds back
    try:
        while waiting or running:
            while waiting and (resources.jobs is None or len(running) < resources.jobs):
                running.append(context.Process(target=_child, args=(work, waiting.pop(0))))
                with _deferred():
                    running[-1].start()
            connection.wait([process.sentinel for process in running], timeout=POLL)
            running = [process for process in running if process.is_alive()]
            yield
    finally:
        _interrupt(running)


def _child(work: contract.Work, batch: Any) -> None:
    """Work in a process of its own, as long as its parent lives."""
    # Out of the terminal's group: Ctrl-C gets to the parent, which passes it on, once.
    with contextlib.suppress(AttributeError, OSError):
        os.setpgid(0, 0)
    parent = multiprocessing.parent_process()
    if parent is not None:
        if connection.wait([parent.sentinel], timeout=0):
            return  # killed while this process started
        threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a script runs in the background
        _mask(signal.SIG_UNBLOCK)
        work(batch)
    except KeyboardInterrupt:
        return
    except errors.TexjaxError as error:  # what becomes of a run is in its records, if they can be written
        sys.exit(f"texjax: {error}")


@contextlib.contextmanager
def _deferred() -> Iterator[None]:
    """Hold Ctrl-C back; a process that is started within holds it back until it can end in order."""
    _mask(signal.SIG_BLOCK)
    try:
        yield
    finally:
        _mask(signal.SIG_UNBLOCK)


def _mask(how: int) -> None:
    with contextlib.suppress(AttributeError):  # not on every platform
        signal.pthread_sigmask(how, {signal.SIGINT})


def _die_with(parent: BaseProcess) -> None:
    """A killed sweep that is started again must not find runs of the killed one still writing."""
    connection.wait([parent.sentinel])
    os._exit(1)


def _interrupt(running: Sequence[BaseProcess]) -> None:
    """End processes as Ctrl-C does, so that they write what they have."""
    for process in running:
        if process.is_alive() and process.pid:
            os.kill(process.pid, signal.SIGINT)
    for process in running:
        process.join(PATIENCE)
        if process.is_alive():
            process.kill()
