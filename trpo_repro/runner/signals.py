"""Requests to stop: SIGTERM, SIGHUP and SLURM's USR1/USR2 (exit 75), Ctrl-C (exit 130)."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

RESUMABLE = 75
CTRL_C = 130
PARENT = "TRPO_REPRO_PARENT"
"""Environment variable: the process whose end is a request to stop. Sweeps set it for runs."""
SECONDS_BETWEEN_LOOKS = 0.5
SECONDS_OF_ONE_REQUEST = 1.0  # `timeout` signals its child, and at once its child's group
REQUESTS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class StopRequested(BaseException):
    """Raised in the main thread, wherever it is, at the first request to stop.

    Not an `Exception`, so that no handler for errors takes it for one. Training state changes only
    between iterations, so that an iteration may be dropped at any point.
    """

    def __init__(self, exit_code: int) -> None:
        """Note the exit code that belongs to the request."""
        super().__init__(exit_code)
        self.exit_code = exit_code


class Requests:
    """Whether anybody asked to stop."""

    def __init__(self) -> None:
        """Begin with no request."""
        self.exit_code: int | None = None
        self.since = 0.0
        self.held = False

    def check(self) -> None:
        """Raise `StopRequested` if somebody asked.

        Python swallows what a signal's handler raises while it happens to run a destructor or a
        weak reference's callback: whoever works in a loop looks here now and then.
        """
        if self.exit_code is not None:
            raise StopRequested(self.exit_code)

    @contextmanager
    def after(self) -> Iterator[None]:
        """Let the block, of which a half would be wrong, end before a request is heard."""
        self.held = True
        try:
            yield
        finally:
            self.held = False
        self.check()


@contextmanager
def leave_on_signals() -> Iterator[None]:
    """End the process at the first signal, with the request's exit code: nothing is there to save.

    Not by an exception, which Python swallows in a destructor and libraries garble in an import.
    """
    with _heard_by(lambda number, frame: os._exit(_exit_code(number))):
        yield


@contextmanager
def stop_on_signals() -> Iterator[Requests]:
    """Turn the first signal into `StopRequested`; one a second later ends the process at once."""

    def stop(code: int) -> None:
        raise StopRequested(code)

    with _noted_signals(stop) as requests:
        yield requests


@contextmanager
def announce_on_signals(announce: Callable[[], None]) -> Iterator[Requests]:
    """Call `announce` at the first signal and go on; one a second later ends the process at once.

    For whoever waits for others that heed the announcement. At the end of the block the request
    becomes `StopRequested`.
    """
    with _noted_signals(lambda code: announce()) as requests:
        try:
            yield requests
        finally:  # also where the others, stopping, upset whoever waited for them
            requests.check()


@contextmanager
def _noted_signals(first: Callable[[int], None]) -> Iterator[Requests]:
    """Note the first signal's exit code and call `first` with it."""
    requests = Requests()

    def handle(number: int, frame: FrameType | None) -> None:
        code = _exit_code(number)
        if requests.exit_code is not None:
            soon = time.monotonic() < requests.since + SECONDS_OF_ONE_REQUEST
            if soon or number == signal.SIGHUP:  # shell and kernel both send one
                return
            os._exit(code)
        requests.exit_code, requests.since = code, time.monotonic()
        if not requests.held:
            first(code)

    with _heard_by(handle):
        yield requests


def _exit_code(number: int) -> int:
    return CTRL_C if number == signal.SIGINT else RESUMABLE


@contextmanager
def _heard_by(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Let `handle` hear requests to stop, but for what is ignored (nohup, a script's `&`)."""
    main = threading.current_thread() is threading.main_thread()  # no other gets signals
    heard = [number for number in REQUESTS if main and signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, handle) for number in heard}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def follow_parent() -> None:
    """Ask this process to stop when the one that `PARENT` names, which started it, has gone."""
    parent = os.environ.get(PARENT, "")
    if not parent.isdecimal():
        return

    # A sweep under nohup hands down that it ignores this; a terminal's reaches no run of a sweep.
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)

    def watch() -> None:
        while os.getppid() == int(parent):
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=watch, daemon=True).start()
