"""Kills or stops runs at random moments, often enough, and tells where each blow hit.

A helper of tests, run as a script: FOLDER COUNT [kill|stop [OVERRIDE…]].
It imports and warms up everything once and forks: so a blow costs a fraction of a second instead
of an interpreter's start, and most hit training itself.
"""

from __future__ import annotations

import json
import mmap
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cli_helpers import SMALL, SilentReporter, config_in, essence, folder_in, row_count

from trpo_repro.cli.main import main
from trpo_repro.runner import loop
from trpo_repro.sampling.single_path import Sampler

PHASES = ("start", "sampling", "update", "saving", "after saving")
START, SAMPLING, UPDATE, SAVING, SAVED = range(5)
MOST_KILLS = 400
GRACE = 10.0  # seconds that a run asked to stop may take


def mark(owner: object, name: str, phase: mmap.mmap, *, during: int, after: int) -> None:
    """Make `owner.name` note in shared memory when it runs; it does the same as before."""
    function: Callable[..., object] = getattr(owner, name)

    def marked(*args: object, **kwargs: object) -> object:
        phase[0] = during
        try:
            return function(*args, **kwargs)
        finally:
            phase[0] = after

    setattr(owner, name, marked)


def start(results: Path, seed: int, phase: mmap.mmap, overrides: Sequence[str]) -> int:
    """Fork a process that runs the command line in a group of its own; return its id."""
    phase[0] = START
    pid = os.fork()
    if pid:
        os.setpgid(pid, pid)
        return pid
    os.setpgid(0, 0)
    log = os.open(results.parent / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    words = ["run", *overrides, "checkpoint_seconds=0", f"seed={seed}", f"results_dir={results}"]
    try:
        main(words)
    except SystemExit as end:
        os._exit(int(end.code or 0))
    except BaseException:
        os._exit(98)
    os._exit(99)


def wait(pid: int, seconds: float) -> int | None:
    """Return the exit code of `pid`, or None if it still runs after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= deadline:
            return None
        time.sleep(0.001)


def blow(pid: int, how: str, rng: random.Random) -> bool:
    """Kill the group of `pid`, or ask it to stop; return whether it ended in time."""
    if how == "kill":
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        return True
    os.kill(pid, signal.SIGTERM)
    code = None
    if rng.random() < 0.3:
        code = wait(pid, 0.05)
        if code is None:
            os.kill(pid, signal.SIGTERM)
    if code is None:
        code = wait(pid, GRACE)
    if code is None:
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return code in (0, 75, -signal.SIGTERM)  # the last before the program has taken it over


def kill_loop(base: Path, wanted: int, how: str, overrides: Sequence[str]) -> dict[str, object]:
    """Disturb runs of seed 0, 1, … until `wanted` blows came, some of them in every phase."""
    phase = mmap.mmap(-1, 1)
    mark(Sampler, "batch", phase, during=SAMPLING, after=UPDATE)
    mark(loop, "save_checkpoint", phase, during=SAVING, after=SAVED)
    rng = random.Random(1)
    kills: list[tuple[str, int]] = []
    wrong: list[int] = []
    late = runs = 0
    while not (
        len(kills) >= wanted
        and {name for name, _ in kills} == set(PHASES)
        and len({rows for _, rows in kills}) >= 4  # early, in the middle and late
    ):
        assert len(kills) < MOST_KILLS, f"the kills all hit the same places: {kills}"
        undisturbed, disturbed = base / f"{runs}-undisturbed", base / f"{runs}-disturbed"
        undisturbed.mkdir(parents=True)
        disturbed.mkdir()
        began = time.monotonic()
        assert wait(start(undisturbed / "r", runs, phase, overrides), 120) == 0
        duration = time.monotonic() - began
        patience = 0.8
        while True:
            pid = start(disturbed / "r", runs, phase, overrides)
            code = wait(pid, rng.uniform(0.0, patience * duration))
            patience += 0.05  # on a machine that grows slower, a run would never end
            if code is not None:
                assert code == 0, f"exit {code} after {len(kills)} kills"
                break
            kills.append((PHASES[phase[0]], row_count(disturbed)))
            late += not blow(pid, how, rng)
        if essence(folder_in(undisturbed / "r")) != essence(folder_in(disturbed / "r")):
            wrong.append(runs)
        runs += 1
    return {"kills": kills, "runs": runs, "wrong": wrong, "late": late}


if __name__ == "__main__":
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    kind, words = (sys.argv[3:4] or ["kill"])[0], sys.argv[4:] or list(SMALL)
    loop.execute(
        config_in(folder / "warm-up", words, "iterations=1", "threads=1"), SilentReporter()
    )
    print(json.dumps(kill_loop(folder, count, kind, words)))
