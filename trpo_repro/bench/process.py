"""What a whole process costs: memory, and the time until it has done something."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

from trpo_repro.bench.measurement import Measurement, alone, short
from trpo_repro.errors import RunFailed

PEAK = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Prints the peak memory of a command in KiB. Linux counts what a process had before it became the
command, as a copy of its parent: this parent has next to nothing, ours may have gigabytes."""


def memory(steps: int) -> list[Measurement]:
    """Measure the resident memory of one hopper iteration in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        overrides = ["task=hopper", f"steps_per_iter={steps}", f"results_dir='{folder}'"]
        run = _command(*overrides, "iterations=1")
        child = subprocess.run(
            [sys.executable, "-c", PEAK, *run], stdout=subprocess.PIPE, text=True
        )
    _check(child.returncode)
    peak = int(child.stdout) * 1024 / 1e9
    name = f"memory, hopper {short(steps)}"
    return [alone(name, [peak], target=1.5, note="peak of a process, one iteration", unit="GB")]


def start_up(rounds: int) -> list[Measurement]:
    """Measure the time from the shell to the end of cart-pole's first iteration."""
    times = [_seconds_to_first_iteration() for _ in range(rounds)]
    note = "until its line is printed"
    return [alone("shell to first iteration, cartpole", times, target=3.0, note=note, unit="s")]


def _seconds_to_first_iteration() -> float:
    """Return the seconds from the start of a process to its line about iteration 1."""
    took = None
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with _run("task=cartpole", f"results_dir='{folder}'", "iterations=1") as child:
            assert child.stdout is not None
            for line in child.stdout:
                if took is None and "iteration 1/1" in line:
                    took = time.perf_counter() - began
    _check(child.returncode)
    if took is None:
        raise RunFailed("the run told of no iteration")
    return took


def _run(*overrides: str) -> subprocess.Popen[str]:
    """Start `trpo-repro run` with its output to read."""
    return subprocess.Popen(_command(*overrides), stdout=subprocess.PIPE, text=True)


def _command(*overrides: str) -> list[str]:
    return [sys.executable, "-m", "trpo_repro", "run", *overrides]


def _check(code: int) -> None:
    """Refuse to measure a run that failed."""
    if code != 0:
        raise RunFailed(f"the run that was measured ended with exit code {code}")
