"""Signals that ask a program to end: Ctrl-C, SIGTERM (Slurm, Docker, preemption) and SIGHUP (a closed terminal).

Python raises KeyboardInterrupt wherever the program is. Inside a callback of the garbage collector such an exception
is printed and lost, and between two files it loses a result. So a handler of our own records each signal, and raises
`Interrupted` only where nothing is deferred. Work that must not be torn apart runs under `deferred` and asks `received`
at the places where it can stop.
"""

import contextlib
import os
import signal
from collections.abc import Iterator
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")
NOTICE = b"\ntexjax: stopping; what has been computed so far is written first.\n"

# Signals belong to the process, and so does what is known about them.
_received: list[int] = []
_depth = 0


class Interrupted(KeyboardInterrupt):
    """A signal asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number


@contextlib.contextmanager
def handled() -> Iterator[None]:
    """Handle the signals by `Interrupted` while this is open; signals that are ignored stay ignored.

    Raises:
        ValueError: In another thread than the main one, where Python cannot set handlers.
    """
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {n: signal.getsignal(n) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}
    _received.clear()
    try:
        for number in before:
            signal.signal(number, _receive)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _received.clear()


def _receive(number: int, frame: Any) -> None:
    _received.append(number)
    if not _depth:
        raise Interrupted(number)
    if len(_received) == 1:
        os.write(2, NOTICE)  # print is not safe in a handler, which may interrupt another print


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Record signals without an exception while this is open. Without `handled` this changes nothing."""
    global _depth
    _depth += 1
    try:
        yield
    finally:
        _depth -= 1


def received() -> bool:
    """Whether a signal has arrived since `handled` was entered."""
    return bool(_received)


def check() -> None:
    """Raise `Interrupted` if a signal has arrived since `handled` was entered."""
    if _received:
        raise Interrupted(_received[0])
