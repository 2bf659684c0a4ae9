"""Requests to stop: SIGTERM, SIGHUP and SLURM's USR1/USR2 (exit 75), Ctrl-C (exit 130)."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

RESUMABLE = 75
CTRL_C = 130


class StopRequested(BaseException):
    """Raised in the main thread, wherever it is, at the first request to stop.

    Not an `Exception`, so that no handler for errors takes it for one. Training state changes only
    between iterations, so that an iteration may be dropped at any point.
    """

    def __init__(self, exit_code: int) -> None:
        """Note the exit code that belongs to the request."""
        super().__init__(exit_code)
        self.exit_code = exit_code


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turn the first signal into `StopRequested`; a second one ends the process at once."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only a main thread gets signals
        return
    asked = False

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        code = CTRL_C if number == signal.SIGINT else RESUMABLE
        if asked:
            os._exit(code)
        asked = True
        raise StopRequested(code)

    numbers = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]
    previous = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
