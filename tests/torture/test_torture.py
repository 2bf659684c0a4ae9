"""The long part of the faults: what `make torture` tries again and again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
import random_configs
import readers
from cli_helpers import (
    SMALL,
    SilentReporter,
    config_in,
    environment,
    essence,
    start,
    trpo,
)
from hypothesis import HealthCheck, given, seed, settings
from stored_runs import written

from trpo_repro.report.style import FORMATS
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder

pytestmark = pytest.mark.torture
Tally = Callable[..., None]
SHARE = float(os.environ.get("TORTURE_SHARE", "1"))
"""Part of the tries to make: less than 1 for a first look, which is no record."""
TESTS = Path(__file__).parent.parent
HOPPER = ("task=hopper", "steps_per_iter=5000", "task.horizon=100", "iterations=6", "threads=2")
PONG = ("task=pong", "steps_per_iter=60", "task.horizon=20", "iterations=6", "threads=2")
LAUNCHERS = {"basic": (), "joblib": ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")}
READING, RUNNING = 600.0 * SHARE, 240.0 * SHARE  # seconds


def some(tries: int) -> int:
    return max(1, round(tries * SHARE))


@pytest.mark.parametrize(
    ("how", "tries", "name", "words"),
    [
        ("kill", 100, "cartpole", SMALL),
        ("kill", 20, "hopper", HOPPER),
        ("kill", 20, "pong", PONG),
        ("stop", 100, "cartpole", SMALL),
        ("stop", 20, "hopper", HOPPER),
    ],
)
def test_blows_at_random_moments(
    how: str, tries: int, name: str, words: tuple[str, ...], tmp_path: Path, tally: Tally
) -> None:
    done = subprocess.run(
        [sys.executable, str(TESTS / "kill_loop.py"), str(tmp_path), str(some(tries)), how, *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    phases = Counter(phase for phase, _ in report["kills"])
    losses = len(report["wrong"]) + report["late"]
    told = ", ".join(f"{count} in {phase}" for phase, count in sorted(phases.items()))
    scenario = {"kill": f"SIGKILL, {name}", "stop": f"SIGTERM, a third of them twice, {name}"}[how]
    tally("1, 20" if how == "kill" else "4, 5", scenario, len(report["kills"]), losses, told)
    assert losses == 0


@pytest.fixture
def begun(tmp_path: Path) -> tuple[RunFolder, Path, tuple[str, list[dict[str, str]]]]:
    """Return a run after five of six iterations, a copy of it, and what must come of it."""
    last = "iterations=6"
    golden = config_in(tmp_path / "golden", SMALL, last)
    execute(golden, SilentReporter())
    config = config_in(tmp_path / "results", SMALL, "iterations=5", "checkpoint_seconds=0")
    execute(config, SilentReporter())
    folder = RunFolder.of(config)
    shutil.copytree(folder.path, tmp_path / "copy")
    return folder, tmp_path / "copy", essence(RunFolder.of(golden))


def goes_on(folder: RunFolder, copy: Path, damage: Callable[[Path], None], name: str) -> str:
    """Damage the newest checkpoint's file and go on; return what is wrong with what comes of it."""
    shutil.rmtree(folder.path)
    shutil.copytree(copy, folder.path)
    path = folder.checkpoints / name
    damage(path)
    results = folder.path.parents[4]
    reporter = SilentReporter()
    execute(config_in(results, SMALL, "iterations=6"), reporter)
    if not any("is damaged" in warning for warning in reporter.warnings):
        return "not warned of"
    return "" if path.with_name(name + ".corrupt").exists() else "not set aside"


def damages(kind: str, sizes: dict[str, int]) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield every truncation that is not the manifest's last newline, or seeded bit flips."""
    step = max(1, round(1 / SHARE))
    if kind == "truncation":
        for name, size in sizes.items():
            for length in range(0, size - name.endswith(".json"), step):
                yield name, lambda path, length=length: os.truncate(path, length)
        return
    rng = random.Random(5)
    for number in range(some(200)):
        name = sorted(sizes)[number % 2]
        position, bit = rng.randrange(sizes[name] - 1), rng.randrange(8)

        def flip(path: Path, position: int = position, bit: int = bit) -> None:
            content = bytearray(path.read_bytes())
            content[position] ^= 1 << bit
            path.write_bytes(content)

        yield name, flip


@pytest.mark.parametrize("kind", ["truncation", "flipped bit"])
def test_damaged_checkpoint_is_passed_over(
    kind: str,
    begun: tuple[RunFolder, Path, tuple[str, list[dict[str, str]]]],
    tally: Tally,
) -> None:
    folder, copy, golden = begun
    sizes = {p.name: p.stat().st_size for p in (copy / "checkpoint").glob("00000005.*")}
    tries, wrong = 0, []
    for name, damage in damages(kind, sizes):
        tries += 1
        problem = goes_on(folder, copy, damage, name)
        if problem or essence(folder) != golden:
            wrong.append((name, tries, problem))
    tally("9", f"newest checkpoint: {kind}, then the run goes on", tries, len(wrong))
    assert wrong == []


def processes_below(pid: int) -> list[psutil.Process]:
    with suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


@pytest.mark.parametrize("launcher", LAUNCHERS)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_sweep_disturbed_at_random_moments(
    how: signal.Signals, launcher: str, tmp_path: Path, tally: Tally
) -> None:
    """Its driver is killed or stopped, and it is started again until it is done."""
    if launcher == "joblib":
        pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "four.yaml").write_text(
        "cells: [{task: cartpole, steps_per_iter: 1000, iterations: 20, threads: 1, "
        "seed: [0, 1, 2, 3]}]"
    )
    rng, blows, problems = random.Random(how), 0, []
    words = ("sweep", "four", *LAUNCHERS[launcher])
    while blows < some(6):
        with start(*words, cwd=tmp_path) as process:
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=rng.uniform(0.5, 8.0))
            if process.poll() is not None:
                shutil.rmtree(tmp_path / "results")  # done before the blow: from the start again
                continue
            below = processes_below(process.pid)
            process.send_signal(how)
            process.communicate(timeout=60)
            blows += 1
        _, survivors = psutil.wait_procs(below, timeout=20)
        problems += [f"{child} survived" for child in survivors]
    done = trpo(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for number in range(4):
        overrides = ("task=cartpole", "steps_per_iter=1000", "iterations=20", "threads=1")
        config = config_in(tmp_path / "alone", overrides, f"seed={number}")
        execute(config, SilentReporter())
        (path,) = (tmp_path / "results").glob(f"runs/*/*/*/seed{number}")
        if essence(RunFolder(path)) != essence(RunFolder.of(config)):
            problems.append(f"seed {number} differs")
    name = f"{how.name} to the driver of a sweep, launcher {launcher}"
    tally("6, 23", name, blows, len(problems), "no survivors" if not problems else str(problems))
    assert problems == []


def until(seconds: float, batch: Callable[[int], None]) -> None:
    """Call `batch` with 0, 1, … until so many seconds are over."""
    deadline, number = time.monotonic() + seconds, 0
    while time.monotonic() < deadline:
        batch(number)
        number += 1


ANY = settings(
    deadline=None, database=None, max_examples=100, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("file", readers.READERS)
def test_any_bytes_are_read_or_refused(file: str, tmp_path: Path, tally: Tally) -> None:
    config = config_in(tmp_path / "trained", ("task=cartpole", "scale=smoke", "threads=1"))
    execute(config, SilentReporter())
    original = readers.original(RunFolder.of(config), file)
    path, found = tmp_path / file, Counter[str]()

    def batch(number: int) -> None:
        @seed(number)
        @settings(ANY)
        @given(content=readers.damaged(original))
        def check(content: bytes) -> None:
            path.write_bytes(content)
            for read in readers.READERS[file]:
                found[readers.outcome(read, path)] += 1

        check()

    until(READING / len(readers.READERS), batch)
    told = f"{found['refused']} refused, {found['read']} read"
    tally("12, 25, 26", f"fuzz of the readers of {file}", found.total(), 0, told)


@pytest.mark.parametrize("wrong", [True, False])
def test_random_configurations(wrong: bool, tally: Tally) -> None:
    found = Counter[str]()

    def batch(number: int) -> None:
        @seed(number)
        @settings(ANY, max_examples=20)
        @given(words=random_configs.overrides(random_configs.PAIRS, wrong=wrong))
        def check(words: list[str]) -> None:
            if wrong:
                said = random_configs.config_or_complaint(words)
                found["refused" if isinstance(said, str) else "accepted"] += 1
            else:
                small = ["steps_per_iter=10", "task.horizon=5"] if "task=gym" not in words else []
                found[random_configs.run_to_its_end([*words, *small])] += 1

        check()

    until(RUNNING / 2, batch)
    told = ", ".join(f"{count} {end}" for end, count in sorted(found.items()))
    name = "random settings, one wrong" if wrong else "random settings, two iterations each"
    tally("16, 17", name, found.total(), 0, told)


def in_use() -> tuple[float, int]:
    """Return resident megabytes and open files of this process and its children."""
    processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return (
        sum(process.memory_info().rss for process in processes) / 2**20,
        sum(process.num_fds() for process in processes),
    )


class Watching(SilentReporter):
    """Looks at memory and open files now and then, and keeps no rows."""

    def __init__(self, every: int) -> None:
        super().__init__()
        self.every, self.seen = every, list[tuple[float, int]]()

    def row(self, row: dict) -> None:
        if (int(row["iteration"]) + 1) % self.every == 0:
            self.seen.append(in_use())


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cartpole", ("task=cartpole", "threads=1")),
        ("hopper", ("task=hopper", "task.horizon=20", "threads=2")),
    ],
)
def test_memory_and_open_files_stay_flat(
    name: str, words: tuple[str, ...], tmp_path: Path, tally: Tally
) -> None:
    count = some(2000)
    reporter = Watching(max(1, count // 20))
    settled = (*words, "scale=smoke", f"iterations={count}", "checkpoint_seconds=1")
    execute(config_in(tmp_path, settled), reporter)
    (early, files), (late, files_late) = reporter.seen[len(reporter.seen) // 10], reporter.seen[-1]
    peak = max(memory for memory, _ in reporter.seen)
    told = f"{early:.0f} MB after a tenth, {late:.0f} at the end, {peak:.0f} at most; "
    told += f"{files} open files, then {files_late}"
    growth = late > 1.05 * early + 5
    tally(
        "long run", f"{count} smoke iterations, {name}", count, growth + (files != files_late), told
    )
    assert not growth
    assert files == files_late


def test_figures_killed_at_random_moments(tmp_path: Path, tally: Tally) -> None:
    for number in range(3):
        written(tmp_path / "results", [0.0, 1.0, 2.0 + number], f"seed={number}")
    assert trpo("figures", "--output", "whole", cwd=tmp_path).returncode == 0
    whole = {path.name: path.read_bytes() for path in (tmp_path / "whole").iterdir()}
    assert any(name.endswith(tuple(FORMATS)) for name in whole)
    rng, tries, wrong = random.Random(27), some(20), []
    began = time.monotonic()
    assert trpo("figures", "--output", "again", cwd=tmp_path).returncode == 0
    duration = time.monotonic() - began
    for _ in range(tries):
        with start("figures", "--output", "figures", cwd=tmp_path) as process:
            with suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=rng.uniform(0.3, 1.0) * duration)
            process.kill()
            process.communicate(timeout=60)
        for path in (tmp_path / "figures").glob("[!.]*"):
            if path.read_bytes() != whole[path.name]:
                wrong.append(path.name)
    assert trpo("figures", "--output", "figures", cwd=tmp_path).returncode == 0
    found = {path.name: path.read_bytes() for path in (tmp_path / "figures").iterdir()}
    losses = len(wrong) + (found != whole)
    tally("27", "figures killed, then made again", tries, losses)
    assert losses == 0
