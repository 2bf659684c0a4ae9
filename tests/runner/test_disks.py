"""Disks that are really full or really read-only (faults 7 and 8)."""

from __future__ import annotations

import resource
import subprocess
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
    trpo,
)

from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json

FILLING = (*SMALL, "iterations=25", "checkpoint_seconds=0")


@pytest.fixture(scope="module")
def golden(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[dict[str, str]]]:
    config = config_in(tmp_path_factory.mktemp("golden"), FILLING)
    execute(config, SilentReporter())
    return essence(RunFolder.of(config))


def namespace(script: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a shell script that may mount, in a mount namespace of its own."""
    return subprocess.run(
        ["unshare", "--mount", "--map-root-user", "sh", "-ec", script],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def mounts(tmp_path: Path) -> None:
    """Skip, and say so, where this machine does not let us mount."""
    try:
        tried = namespace(f"mount -t tmpfs none '{tmp_path}'", tmp_path)
    except FileNotFoundError:
        pytest.skip("not tested: there is no unshare to make a small or read-only disk with")
    if tried.returncode:
        pytest.skip(f"not tested: no right to mount a small or read-only disk: {tried.stderr}")


def line(*words: str) -> str:
    return " ".join(f"'{word}'" for word in command(*words))


def ended_with_5(stderr: str) -> None:
    assert stderr.startswith("error: cannot write: ")
    assert stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.usefixtures("mounts")
@pytest.mark.parametrize("room", [0, 24, 40])
def test_full_disk_ends_with_5_and_the_run_goes_on_with_room(
    room: int, tmp_path: Path, golden: object
) -> None:
    """`room` is what is left, in KB; a page is 4, so that it gives out at different files."""
    for name in ("disk", "kept"):
        (tmp_path / name).mkdir()
    done = namespace(
        f"""
        mount -t tmpfs -o size=256k none disk
        mkdir disk/results
        head -c {(256 - room) * 1024} /dev/zero >disk/ballast 2>/dev/null || true
        {line("run", *FILLING, "results_dir=disk/results")} >out 2>err || echo $? >code
        cp -a disk/results/. kept
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "code").read_text() == "5\n"
    ended_with_5((tmp_path / "err").read_text())
    for status in (tmp_path / "kept").rglob("status.json"):
        assert status.stat().st_size == 0 or read_json(status)["state"] != "done"
    execute(config_in(tmp_path / "kept", FILLING), SilentReporter())
    assert essence(folder_in(tmp_path / "kept")) == golden


@pytest.mark.slow
@pytest.mark.usefixtures("mounts")
def test_read_only_folder_is_5_before_any_training_and_untouched(tmp_path: Path) -> None:
    execute(config_in(tmp_path / "results", SMALL, "iterations=1"), SilentReporter())
    files = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    done = namespace(
        f"""
        mount --bind results results
        mount -o remount,ro,bind results
        {line("run", *SMALL)} >out 2>err || echo $? >code
        {line("run", *SMALL, "seed=1")} >out1 2>err1 || echo $? >code1
        {line("run", "-m", *SMALL, "seed=1,2")} >out2 2>err2 || echo $? >code2
        """,
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    for number in ("", "1", "2"):
        assert (tmp_path / f"code{number}").read_text() == "5\n"
        ended_with_5((tmp_path / f"err{number}").read_text())
        assert "iteration" not in (tmp_path / f"out{number}").read_text()
    assert {p: p.read_bytes() for p in (tmp_path / "results").rglob("*") if p.is_file()} == files


@pytest.mark.slow
@pytest.mark.parametrize("limit", [100, 700, 2000])
def test_file_that_may_grow_no_further_ends_with_5_and_loses_nothing(
    limit: int, tmp_path: Path, golden: object
) -> None:
    """A quota in small, for machines that let nobody mount."""
    words = (*FILLING, f"results_dir={tmp_path}")
    done = trpo(
        "run",
        *words,
        cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert done.returncode == 5
    ended_with_5(done.stderr)
    assert "bytes needed" in done.stderr
    execute(config_in(tmp_path, FILLING), SilentReporter())
    assert essence(folder_in(tmp_path)) == golden
