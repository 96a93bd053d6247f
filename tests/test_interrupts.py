"""Signals that ask a program to end are recorded, raised where nothing is deferred, and never lost."""

import gc
import signal

import pytest

from texjax import interrupts


@pytest.fixture(autouse=True)
def usual_handlers():
    """Tests that a script starts in the background ignore SIGINT."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_is_raised_with_the_exit_code_of_a_shell(name, code):
    with interrupts.handled(), pytest.raises(interrupts.Interrupted, match=name) as raised:
        signal.raise_signal(getattr(signal, name))
    assert raised.value.exit_code == code and isinstance(raised.value, KeyboardInterrupt)


def test_deferred_signals_are_recorded(capfd):
    with interrupts.handled():
        with interrupts.deferred():
            assert not interrupts.received()
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGINT)
        assert interrupts.received()
        with pytest.raises(interrupts.Interrupted, match="SIGTERM"):
            interrupts.check()
    assert not interrupts.received()
    interrupts.check()
    assert capfd.readouterr().err == interrupts.NOTICE.decode(), "it is said once"


def test_a_signal_inside_a_callback_of_the_garbage_collector_is_not_lost(monkeypatch):
    """Python prints exceptions of these callbacks and goes on."""
    unraisable = []
    monkeypatch.setattr("sys.unraisablehook", unraisable.append)
    interrupt = lambda phase, info: signal.raise_signal(signal.SIGINT) if phase == "start" else None  # noqa: E731
    with interrupts.handled():
        gc.callbacks.append(interrupt)
        gc.collect()
        gc.callbacks.remove(interrupt)
        assert unraisable[0].exc_type is interrupts.Interrupted
        with pytest.raises(interrupts.Interrupted):
            interrupts.check()


def test_handlers_are_put_back_and_ignored_signals_stay_ignored():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    before = signal.getsignal(signal.SIGTERM)
    with interrupts.handled():
        assert signal.getsignal(signal.SIGTERM) != before
        signal.raise_signal(signal.SIGINT)
        assert not interrupts.received()
    assert signal.getsignal(signal.SIGTERM) == before
