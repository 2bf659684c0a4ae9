from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_helpers import config_in, environment

from trpo_repro.errors import CheckpointError, ConfigError, DiskError, FolderInUse
from trpo_repro.runner import run_folder
from trpo_repro.runner.run_folder import (
    RunFolder,
    read_json,
    remove_temporaries,
    write_atomically,
    write_json,
)
from trpo_repro.runner.state import is_locked

HOLD_THE_LOCK = """
import sys
from pathlib import Path
from trpo_repro.runner.run_folder import RunFolder
with RunFolder(Path(sys.argv[1])).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""


def holder(folder: RunFolder) -> subprocess.Popen[str]:
    """Return another process, which holds the lock of `folder` until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_LOCK, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    return process


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    result = RunFolder(tmp_path / "run")
    result.create()
    return result


def refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def test_path_says_task_algorithm_science_and_seed(tmp_path: Path) -> None:
    config = config_in(tmp_path, ["task=hopper"], "seed=7")
    assert RunFolder.of(config).path == (
        tmp_path / "runs" / "hopper" / "single_path" / config.identity() / "seed7"
    )
    assert list(tmp_path.iterdir()) == []


def test_process_that_comes_second_is_told_who_holds_the_folder(folder: RunFolder) -> None:
    with holder(folder) as first:
        with pytest.raises(FolderInUse, match=f"process {first.pid} is writing") as caught:
            folder.locked().__enter__()
        assert caught.value.exit_code == 6
        assert str(folder.path) in str(caught.value)
        first.communicate("", timeout=60)
    with folder.locked():
        assert f"process {os.getpid()}" in (folder.path / ".lock").read_text()


def test_lock_of_a_killed_process_is_free_at_once(folder: RunFolder) -> None:
    with holder(folder) as first:
        first.send_signal(signal.SIGKILL)
        first.wait(60)
        with folder.locked():
            pass


def test_run_that_begins_while_somebody_looks_at_its_lock_gets_it(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sweeps and `status` do, which ask for a shared one for a moment."""
    with open(folder.path / ".lock", "w") as look:
        fcntl.flock(look, fcntl.LOCK_SH)
        monkeypatch.setattr(time, "sleep", lambda seconds: look.close())
        with folder.locked():
            assert is_locked(folder)


def test_lock_is_free_after_an_error(folder: RunFolder) -> None:
    with pytest.raises(ZeroDivisionError), folder.locked():
        raise ZeroDivisionError
    with folder.locked():
        pass


def test_lock_file_that_cannot_be_written_is_a_disk_error(folder: RunFolder) -> None:
    (folder.path / ".lock").mkdir()
    with pytest.raises(DiskError):
        folder.locked().__enter__()


def test_file_in_place_of_the_results_folder_is_a_config_error(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("mine")
    with pytest.raises(ConfigError, match="not a folder") as caught:
        RunFolder(tmp_path / "results" / "runs" / "x").create()
    assert caught.value.exit_code == 2
    with pytest.raises(ConfigError, match="not a folder"):
        RunFolder(tmp_path / "results").create()
    assert (tmp_path / "results").read_text() == "mine"


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_folder_that_cannot_be_made_is_a_disk_error(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise refused(number)

    monkeypatch.setattr(os, "mkdir", refuse)
    with pytest.raises(DiskError, match=os.strerror(number)) as caught:
        RunFolder(tmp_path / "run").create()
    assert caught.value.exit_code == 5
    full = number == errno.ENOSPC
    assert ("make room" in str(caught.value)) == full
    # Nobody knows what a folder takes on this disk.
    assert re.search(r"/run, \d+ bytes free\)", str(caught.value)) if full else True
    assert "needed" not in str(caught.value)


def test_folder_moved_aside_keeps_everything_under_a_free_name(folder: RunFolder) -> None:
    assert RunFolder(folder.path / "nothing").move_aside() is None
    for number in (1, 2):
        folder.create()
        folder.progress.write_text(str(number))
        aside = folder.move_aside()
        assert aside == folder.path.with_name(f"run.old{number}")
        assert (aside / "progress.csv").read_text() == str(number)
        assert not folder.path.exists()


def test_folder_in_use_cannot_be_moved_aside(folder: RunFolder) -> None:
    with holder(folder) as first:
        with pytest.raises(FolderInUse, match=f"process {first.pid}"):
            folder.move_aside()
        assert folder.path.exists()
        first.communicate("", timeout=60)


def test_lock_of_a_folder_that_was_moved_aside_is_no_lock(folder: RunFolder) -> None:
    """Who opened the lock before `--restart` renamed the folder must not write into the new one."""
    flock = fcntl.flock

    def while_it_waits(*args: int) -> None:
        monkeypatch.undo()
        folder.path.rename(folder.path.with_name("aside"))
        folder.create()
        (folder.path / ".lock").touch()
        flock(*args)

    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(fcntl, "flock", while_it_waits)
        with pytest.raises(FolderInUse, match="moved this run aside"), folder.locked():
            pass


def test_one_of_ten_processes_at_once_gets_the_folder(folder: RunFolder) -> None:
    go, end, results = folder.path / "go", folder.path / "end", []
    for _ in range(10):
        reading, writing = os.pipe()
        if not os.fork():
            while not go.exists():
                pass
            try:
                with folder.locked():
                    os.write(writing, b"got it")
                    while not end.exists():
                        pass
            except FolderInUse:
                os.write(writing, b"in use")
            os._exit(0)
        os.close(writing)
        results.append(reading)
    go.touch()
    said = [os.read(reading, 10) for reading in results]
    end.touch()
    for reading in results:
        os.close(reading)
        os.wait()
    assert sorted(said) == [b"got it"] + [b"in use"] * 9


def test_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for content in (b"long content", b"short", b"", bytes(100_000)):
        write_atomically(path, content)
        assert path.read_bytes() == content
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_written_file_has_the_usual_permissions(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    write_atomically(tmp_path / "file", b"x")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_write_that_fails_keeps_the_old_file_and_leaves_nothing_else(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object) -> None:
        raise refused(errno.EIO)

    path = tmp_path / "file"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(DiskError):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_full_disk_is_said_with_what_was_needed_and_what_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(file: object, content: bytes) -> None:
        raise refused(errno.ENOSPC)

    monkeypatch.setattr(run_folder, "write_all", refuse)
    with pytest.raises(DiskError, match=r"12 bytes needed, \d+ free\); fix: make room") as caught:
        write_atomically(tmp_path / "file", b"twelve bytes")
    assert caught.value.exit_code == 5
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_synced_before_the_name_and_the_name_before_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, replace, done = os.fsync, os.replace, []

    def on_fsync(descriptor: int) -> None:
        fsync(descriptor)
        done.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")

    def on_replace(source: Path, target: Path) -> None:
        replace(source, target)
        done.append("replace")

    monkeypatch.setattr(os, "fsync", on_fsync)
    monkeypatch.setattr(os, "replace", on_replace)
    write_atomically(tmp_path / "file", b"content")
    assert done == ["file", "replace", "folder"]


def test_unfinished_files_are_removed_and_others_left(tmp_path: Path) -> None:
    for name in (".tmp-1-config.json", ".tmp-", "config.json", ".lock"):
        (tmp_path / name).touch()
    remove_temporaries(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"config.json", ".lock"}


def test_json_reads_back(tmp_path: Path) -> None:
    content = {"b": [1, None, 0.1, "ü"], "a": {"x": True}}
    write_json(tmp_path / "file", content)
    assert read_json(tmp_path / "file") == content
    assert list(read_json(tmp_path / "file")) == ["b", "a"]


def test_json_with_a_number_that_is_none_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "file", {"a": float("nan")})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[1]",
        b"3",
        b"null",
        b"\xff\xfe{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        json.dumps({"a": "x" * (1 << 20)}).encode(),
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=lambda content: repr(content[:12]),
)
def test_json_that_is_not_ours_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(CheckpointError) as caught:
        read_json(path)
    assert caught.value.exit_code == 3
    assert str(path) in str(caught.value)


def test_absurdly_large_json_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    os.truncate(path, 1 << 41)  # sparse
    with pytest.raises(CheckpointError, match="sane size"):
        read_json(path)
