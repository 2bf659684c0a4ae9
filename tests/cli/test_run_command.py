"""What a run prints, and what ends or does not end it: pipes, terminals, signals."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest
from cli_helpers import (
    SMALL,
    SilentReporter,
    command,
    config_in,
    environment,
    essence,
    folder_in,
    row_count,
    start,
    trpo,
    wait_until,
)
from stored_runs import outcome

from trpo_repro.cli.reporter import summary
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.runner.state import state_of

TINY = ("task=cartpole", "scale=smoke", "threads=1")
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, str]]]:
    """What `TINY` gives when nothing is odd."""
    config = config_in(tmp_path_factory.mktemp("golden"), TINY)
    execute(config, SilentReporter())
    return essence(RunFolder.of(config))


def test_run_prints_where_how_far_and_done(tmp_path: Path, golden: object) -> None:
    done = trpo("run", *TINY, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    folder = folder_in(tmp_path / "results")
    lines = done.stdout.splitlines()
    path = folder.path.relative_to(tmp_path)
    assert lines[0] == f"run: {path}"
    assert lines[1].startswith("iteration 1/2  score ")
    assert lines[-2].startswith("iteration 2/2  score ")
    assert lines[-1] == f"done: {path}"
    assert not CONTROL.search(done.stdout)
    assert essence(folder) == golden
    again = trpo("run", *TINY, cwd=tmp_path)
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout == f"already complete: {path}\n"
    assert essence(folder) == golden


def test_finished_run_is_recognised_without_torch(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_in(tmp_path, TINY)
    execute(config, SilentReporter())
    code = "import sys; sys.modules['torch'] = None; from trpo_repro.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", *TINY, f"results_dir={tmp_path}"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("already complete: ")


def test_restart_option_keeps_the_old_run_and_says_where(
    tmp_path: Path, golden: object, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", *TINY, f"results_dir='{tmp_path}'"]
    assert outcome(*words, capsys=capsys)[0] == 0
    folder = folder_in(tmp_path)
    code, out, _ = outcome(*words, "--restart", capsys=capsys)
    assert code == 0
    assert f"the old run is kept in {folder.path}.old1" in out
    assert essence(folder) == essence(RunFolder(Path(f"{folder.path}.old1"))) == golden


def test_second_process_is_refused_with_6_while_the_first_goes_on(tmp_path: Path) -> None:
    words = ("run", *SMALL, "iterations=2000")
    with start(*words, cwd=tmp_path) as first:
        wait_until(lambda: row_count(tmp_path) >= 1, "a row")
        second = trpo(*words, cwd=tmp_path)
        assert second.returncode == 6
        assert second.stderr.startswith(f"error: process {first.pid} is writing this run (")
        assert second.stderr.count("\n") == 1
        assert first.poll() is None
        rows = row_count(tmp_path)
        wait_until(lambda: row_count(tmp_path) > rows, "more rows")
        first.terminate()
        _, err = first.communicate(timeout=60)
    assert (first.returncode, err) == (75, "")


def test_closed_pipe_ends_the_output_and_not_the_training(tmp_path: Path, golden: object) -> None:
    line = f"{' '.join(command('run', *TINY))}; echo $? >code"
    done = subprocess.run(
        ["/bin/sh", "-c", f"({line}) 2>err | head -1"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    wait_until(lambda: bool((tmp_path / "code").read_text()), "the end of the run")
    assert done.stdout.startswith("run: ")
    assert (tmp_path / "code").read_text() == "0\n"
    assert (tmp_path / "err").read_text() == ""
    assert essence(folder_in(tmp_path / "results")) == golden


@pytest.mark.parametrize("redirection", [">/dev/full", ">&- 2>&-"])
def test_closed_or_full_output_does_not_end_the_training(
    redirection: str, tmp_path: Path, golden: object
) -> None:
    if "full" in redirection and not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    line = f"{' '.join(command('run', *TINY))} {redirection}"
    done = subprocess.run(
        ["/bin/sh", "-c", line],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert essence(folder_in(tmp_path / "results")) == golden


@pytest.mark.parametrize(
    ("name", "env"),
    [
        ("a b=1,y='$HOME'; [x]", {"TERM": "dumb", "NO_COLOR": "1"}),
        ("ünï-文", {"LANG": "C", "LC_ALL": "C"}),
        ("ünï", {"PYTHONIOENCODING": "ascii"}),
    ],
    ids=["what shells and Hydra quote", "unicode in the C locale", "ascii output"],
)
def test_any_path_and_any_environment_will_do(
    name: str, env: dict[str, str], tmp_path: Path, golden: object
) -> None:
    quoted = name.replace("'", r"\'")
    bare = {k: v for k, v in environment(**env).items() if k not in ("HOME", "XDG_CACHE_HOME")}
    done = trpo("run", *TINY, f"results_dir='{quoted}'", cwd=tmp_path, env=bare)
    assert (done.returncode, done.stderr) == (0, "")
    assert essence(folder_in(tmp_path / name)) == golden


def on_terminal(words: tuple[str, ...], cwd: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start the command on a pseudo-terminal of 24 × 80 that it controls; return it and our end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))

    def take_terminal() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        command(*words),
        cwd=cwd,
        env=environment(TERM="xterm", COLUMNS="80"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    return process, ours


def read_all(descriptor: int) -> str:
    """Read a pseudo-terminal until the other side is closed."""
    parts = []
    while True:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # how Linux says that the other side is closed
            part = b""
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


def test_terminal_gets_a_bar_with_the_time_left(tmp_path: Path, golden: object) -> None:
    process, ours = on_terminal(("run", *TINY), tmp_path)
    text = read_all(ours)
    os.close(ours)
    assert process.wait(60) == 0
    for part in ("run: results/runs/cartpole", "cartpole", "2/2", "left", "score ", "done: "):
        assert part in text
    assert "\x1b[" in text
    assert essence(folder_in(tmp_path / "results")) == golden


def test_terminal_that_hangs_up_ends_the_run_saved(tmp_path: Path) -> None:
    process, ours = on_terminal(("run", *SMALL, "iterations=2000"), tmp_path)
    wait_until(lambda: row_count(tmp_path) >= 2, "two rows")
    os.close(ours)
    assert process.wait(60) == 75
    folder = folder_in(tmp_path / "results")
    status = read_json(folder.status)
    assert status["state"] == "interrupted"
    assert len(list(folder.checkpoints.glob("*.json"))) >= 1


@pytest.mark.parametrize("seconds", [0.5, 1.0, 1.5, None])
def test_signal_while_the_command_still_starts_leaves_no_half_made_run(
    seconds: float | None, tmp_path: Path, golden: object
) -> None:
    """After so long, or just when there is a folder."""
    results = tmp_path / "results"
    with start("run", *TINY, cwd=tmp_path) as process:
        if seconds is None:
            wait_until(results.exists, "a folder")
        else:
            time.sleep(seconds)
        process.terminate()
        _, err = process.communicate(timeout=60)
    assert err == ""
    config, reporter = config_in(results, TINY), SilentReporter()
    folder = RunFolder.of(config)
    state, _ = state_of(folder, config.iterations)
    if process.returncode == -signal.SIGTERM:  # the system's own answer, fine where nothing runs
        assert state == "done" or not results.exists()
    else:
        assert process.returncode in ([0, 75] if state == "done" else [75])
        assert state in ("missing", "interrupted", "done")
    execute(config, reporter)
    assert reporter.warnings == []
    assert essence(folder) == golden


def test_summary_shows_what_there_is() -> None:
    row = {"score": 1.23456, "return_mean": 246.9, "length_mean": 20.0, "outcome": "accepted"}
    assert summary(row) == "score 1.235  return 246.9  length 20  accepted"
    assert "kl 0.0100" in summary({**row, "kl_mean": 0.01})


def test_written_configuration_starts_the_same_run(tmp_path: Path) -> None:
    config = config_in(tmp_path, TINY, "seed=5")
    execute(config, SilentReporter())
    written = json.loads(RunFolder.of(config).config.read_text())
    del written["provenance"]
    from trpo_repro.config import parse

    assert parse(written) == config
