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

SECONDS_BETWEEN_LOOKS = 0.2


@contextmanager
def guarded() -> Iterator[None]:
    """Let no child of this process outlive it, should it be killed within the block."""
    # In a session of its own: a terminal's Ctrl-C is not for it.
    command = [sys.executable, "-m", "trpo_repro.cli.guard"]
    guard = subprocess.Popen(command, start_new_session=True)
    try:
        yield
    finally:
        guard.kill()
        guard.wait()


def main() -> None:
    """Remember the children of the process that started this one; end them when it is gone."""
    driver, known = os.getppid(), set[psutil.Process]()
    while os.getppid() == driver:
        with suppress(psutil.NoSuchProcess):
            known.update(psutil.Process(driver).children())
        time.sleep(SECONDS_BETWEEN_LOOKS)
    for child in known - {psutil.Process()}:
        with suppress(psutil.NoSuchProcess):
            child.kill()


if __name__ == "__main__":
    main()
