"""Runs the command line in processes of its own, and reads what a run leaves behind."""

from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import trpo_repro
from trpo_repro.cli.compose import run_config
from trpo_repro.config import RunConfig
from trpo_repro.runner.loop import execute
from trpo_repro.runner.progress import TIME_COLUMNS
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.tasks.cartpole import CartPole
from trpo_repro.types import Transition

SMALL = ("task=cartpole", "steps_per_iter=1000", "iterations=8", "threads=1")
"""A run of half a second, imports apart."""


class SilentReporter:
    """Keeps what a run says."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.rows: list[dict] = []
        self.last = ""

    def start(self, folder: RunFolder, done: int, total: int) -> None:
        self.begun_at = done

    def row(self, row: dict) -> None:
        self.rows.append(row)

    def note(self, message: str) -> None:
        self.notes.append(message)

    def warn(self, message: str) -> None:
        self.warnings.append(message)

    def finish(self, message: str) -> None:
        self.last = message


def environment(**changes: str) -> dict[str, str]:
    """Return this process's environment, plain output, the package under test importable."""
    source = str(Path(trpo_repro.__file__).parent.parent)
    paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), **changes}


def command(*words: str) -> list[str]:
    """Return the command line `trpo-repro words…`."""
    return [sys.executable, "-m", "trpo_repro", *words]


def trpo(
    *words: str, cwd: Path, env: dict[str, str] | None = None, **options: object
) -> subprocess.CompletedProcess[str]:
    """Run `trpo-repro words…` in `cwd` to its end."""
    return subprocess.run(
        command(*words),
        cwd=cwd,
        env=env or environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


def start(
    *words: str, cwd: Path, env: dict[str, str] | None = None, **options: object
) -> subprocess.Popen[str]:
    """Start `trpo-repro words…` in a process group of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen(
        command(*words),
        cwd=cwd,
        env=env or environment(),
        text=True,
        start_new_session=True,
        **pipes,
    )


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 120.0) -> None:
    """Poll `condition`; give up loudly."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.005)


def config_in(results: Path, overrides: Sequence[str] = SMALL, *more: str) -> RunConfig:
    """Return the configuration of a run whose results go to `results`."""
    return run_config([*overrides, f"results_dir='{results}'", *more])


def folder_in(results: Path) -> RunFolder:
    """Return the only run folder under `results`."""
    (path,) = results.glob("runs/*/*/*/seed*")
    return RunFolder(path)


def rows_of(folder: RunFolder) -> list[dict[str, str]]:
    """Return the rows of `progress.csv`."""
    with open(folder.progress, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def row_count(results: Path) -> int:
    """Return how many whole rows the run under `results` has written; 0 without a run."""
    # os.walk passes over a folder that a sweep renames meanwhile, where rglob would raise.
    found = [Path(top, "progress.csv") for top, _, names in os.walk(results)]
    return sum(max(0, p.read_bytes().count(b"\n") - 1) for p in found if p.exists())


def essence(folder: RunFolder) -> tuple[str, list[dict[str, str]]]:
    """Return what must be the same however often a run was disturbed: the golden comparison."""
    rows = [{k: v for k, v in row.items() if k not in TIME_COLUMNS} for row in rows_of(folder)]
    return hashlib.sha256(folder.policy.read_bytes()).hexdigest(), rows


def diverging(call: int, number: float) -> Callable[..., Transition]:
    """Return cart-pole's step, which in its n-th call gives a reward that is `number`."""
    step, count = CartPole.step, 0

    def patched(self: CartPole, states: Any, actions: Any) -> Transition:
        nonlocal count
        count += 1
        after = step(self, states, actions)
        if count == call:
            after.rewards[-1] = number
        return after

    return patched


def run(results: Path, *more: str) -> RunFolder:
    """Train `SMALL` to its end; return its folder."""
    config = config_in(results, SMALL, *more)
    execute(config, SilentReporter())
    return RunFolder.of(config)
