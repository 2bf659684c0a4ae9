"""Requests to stop (faults 4 to 6): every signal, at awkward moments."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import (
    SMALL,
    SilentReporter,
    config_in,
    environment,
    essence,
    row_count,
    start,
    wait_until,
)

from trpo_repro.algorithms import single_path
from trpo_repro.runner import build
from trpo_repro.runner.loop import execute
from trpo_repro.runner.progress import ProgressFile
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.runner.signals import PARENT, StopRequested, announce_on_signals, stop_on_signals
from trpo_repro.types import Row

ALL = [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2]


class Dying:
    """Gets a signal while it is destroyed, where Python swallows what a handler raises."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGTERM)


@pytest.mark.parametrize("before", [True, False])
def test_request_amid_a_row_leaves_as_many_rows_as_iterations(
    before: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, append = config_in(tmp_path), ProgressFile.append

    def signalled(file: ProgressFile, row: Row) -> None:
        if row["iteration"] == 2 and before:
            signal.raise_signal(signal.SIGTERM)
        append(file, row)
        if row["iteration"] == 2 and not before:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(ProgressFile, "append", signalled)
    with pytest.raises(StopRequested):
        execute(config, SilentReporter())
    folder = RunFolder.of(config)
    assert read_json(folder.status)["iterations_done"] == row_count(folder.path) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_request_that_python_swallows_stops_the_run_after_its_iteration(tmp_path: Path) -> None:
    golden = config_in(tmp_path / "golden")
    execute(golden, SilentReporter())
    config = config_in(tmp_path / "results")
    estimate, calls = single_path.advantages_and_returns, 0

    def signalled(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            Dying()
        return estimate(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(single_path, "advantages_and_returns", signalled)
        with pytest.raises(StopRequested):
            execute(config, SilentReporter())
    folder = RunFolder.of(config)
    assert read_json(folder.status)["iterations_done"] == 4
    execute(config, SilentReporter())
    assert essence(folder) == essence(RunFolder.of(golden))


@pytest.mark.parametrize("number", ALL)
def test_signal_that_comes_twice_at_once_is_one_request(number: signal.Signals) -> None:
    """As a terminal's hangup does, and every signal of `timeout`."""

    def ask_twice() -> None:
        with stop_on_signals():
            try:
                signal.raise_signal(number)
            finally:  # where a run would be saving
                signal.raise_signal(number)

    with pytest.raises(StopRequested):
        ask_twice()


def test_request_that_an_import_turns_into_its_own_error_is_still_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compiled modules, such as MuJoCo's, raise ImportError for whatever comes between."""

    def imported(*args: Any) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except BaseException as error:
            raise ImportError("initialization failed") from error

    monkeypatch.setattr(build, "build_algorithm", imported)
    with pytest.raises(StopRequested) as caught:
        execute(config_in(tmp_path / "results"), SilentReporter())
    assert caught.value.exit_code == 75
    assert not (tmp_path / "results").exists()


def test_announcement_is_made_once_and_the_block_goes_to_its_end() -> None:
    made, done = [], []

    def announce() -> None:
        with announce_on_signals(lambda: made.append(1)):
            signal.raise_signal(signal.SIGINT)
            done.append(1)

    with pytest.raises(StopRequested) as caught:
        announce()
    assert (made, done, caught.value.exit_code) == ([1], [1], 130)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_signal_that_was_ignored_from_the_start_stays_ignored(number: signal.Signals) -> None:
    """Of `nohup` and of a script's `&`: the sweep is to go on when the terminal goes away."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with stop_on_signals() as requests:
            signal.raise_signal(number)
        assert requests.exit_code is None
        assert signal.getsignal(number) == signal.SIG_IGN
    finally:
        signal.signal(number, before)


@pytest.mark.slow
@pytest.mark.parametrize("number", ALL)
def test_every_signal_ends_with_75_within_seconds(number: signal.Signals, tmp_path: Path) -> None:
    with start("run", *SMALL, "iterations=5000", cwd=tmp_path) as process:
        wait_until(lambda: row_count(tmp_path) >= 2, "two rows")
        began = time.monotonic()
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert (process.returncode, err) == (75, "")
    assert out.splitlines()[-1].startswith("to continue: trpo-repro run ")
    (path,) = (tmp_path / "results").glob("runs/*/*/*/*")
    status = read_json(RunFolder(path).status)
    assert (status["state"], status["iterations_done"]) == ("interrupted", row_count(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("begins_with", [signal.SIG_DFL, signal.SIG_IGN], ids=["plain", "nohup"])
def test_run_whose_sweep_has_died_saves_and_ends(
    tmp_path: Path, begins_with: signal.Handlers
) -> None:
    somebody_else = str(os.getppid())  # the run finds that this is not its parent
    env = environment(**{PARENT: somebody_else})
    before = signal.signal(signal.SIGHUP, begins_with)  # the run inherits what is ignored
    try:
        process = start("run", *SMALL, "iterations=5000", cwd=tmp_path, env=env)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        process.communicate(timeout=60)
    # Before the program has taken over the signal, the system's own answer to it is fine.
    assert process.returncode in (75, -signal.SIGHUP)
