"""Ends joblib's workers when the process that started them has been killed.

A worker that waits for its first job, or to hand over its last result, would otherwise wait for
ever. The runs of those that are at work notice, save and end by themselves.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil

SWEEP = "TRPO_REPRO_SWEEP"
"""Environment variable by which the workers of a driver are known."""
LOOKS, SECONDS_BETWEEN_LOOKS = 20, 0.2  # a worker that was just being started shows late


@contextmanager
def guarded() -> Iterator[None]:
    """Let no worker that is started within the block outlive this process, should it be killed."""
    os.environ[SWEEP] = sweep = f"{os.getpid()}-{time.time_ns()}"
    # In a session of its own: a terminal's Ctrl-C is not for it.
    command = [sys.executable, "-m", "trpo_repro.cli.guard", sweep]
    with subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True) as guard:
        try:
            yield
        finally:
            guard.kill()
            del os.environ[SWEEP]


def main(sweep: str) -> None:
    """Wait for the end of the driver, which closes this process's input; then end its workers."""
    sys.stdin.buffer.read()
    for _ in range(LOOKS):
        for process in psutil.process_iter():
            with suppress(psutil.Error):  # ended meanwhile, or another user's
                ours = process.environ().get(SWEEP) == sweep
                if ours and "popen_loky" in " ".join(process.cmdline()):
                    process.kill()
        time.sleep(SECONDS_BETWEEN_LOOKS)


if __name__ == "__main__":
    main(sys.argv[1])
