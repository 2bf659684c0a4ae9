"""The files of one run: every path, and the only functions that write them."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from trpo_repro.config import RunConfig
from trpo_repro.errors import CheckpointError, ConfigError, DiskError, FolderInUse

JSON_LIMIT = 1 << 20  # bytes; nothing that we write comes near
TRIES, SECONDS_BETWEEN_TRIES = 10, 0.02  # to take the lock
TEMPORARY = ".tmp-"  # how the names of unfinished files begin


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run and what lies in it."""

    path: Path

    @staticmethod
    def of(config: RunConfig) -> RunFolder:
        """Return the folder that belongs to `config`; nothing is created."""
        results = Path(config.results_dir)
        label = config.task_label()
        name = Path("runs") / label / config.algo.name / config.identity()
        return RunFolder(results / name / f"seed{config.seed}")

    @property
    def config(self) -> Path:
        """The resolved configuration and the provenance."""
        return self.path / "config.json"

    @property
    def progress(self) -> Path:
        """One row an iteration."""
        return self.path / "progress.csv"

    @property
    def status(self) -> Path:
        """Where the run stands."""
        return self.path / "status.json"

    @property
    def policy(self) -> Path:
        """The newest saved policy."""
        return self.path / "policy.safetensors"

    @property
    def failure(self) -> Path:
        """Why the run failed, if it did."""
        return self.path / "failure.json"

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoints."""
        return self.path / "checkpoint"

    @property
    def tensorboard(self) -> Path:
        """TensorBoard's event files."""
        return self.path / "tensorboard"

    def create(self) -> None:
        """Make the folder and its parents."""
        try:
            self.checkpoints.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise creation_error(error, self.path) from error

    def move_aside(self) -> Path | None:
        """Rename the folder to a free name beside it and return that, or None without one.

        Raises:
            FolderInUse: Another process is writing it.
        """
        if not self.path.exists():
            return None
        number = 1
        while (target := self.path.with_name(f"{self.path.name}.old{number}")).exists():
            number += 1
        with self.locked():
            self.path.rename(target)
        return target

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the kernel frees it when the process ends.

        Raises:
            FolderInUse: Another process holds it.
            DiskError: The folder cannot be written.
        """
        path = self.path / ".lock"
        try:
            lock = open(path, "ab+", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise disk_error(error, path) from error
        with lock:
            self._claim(lock)
            yield

    def _claim(self, lock: IO[bytes]) -> None:
        """Take the lock and write down whose it is."""
        try:
            _take(lock)
            if not os.path.samestat(os.fstat(lock.fileno()), os.stat(self.path / ".lock")):
                raise FileNotFoundError  # the lock of a folder that was moved aside meanwhile
            lock.truncate(0)
            lock.write(f"process {os.getpid()}\n".encode())
        except BlockingIOError as error:
            lock.seek(0)
            holder = lock.read(64).decode(errors="replace").strip() or "another process"
            raise FolderInUse(
                f"{holder} is writing this run",
                where=str(self.path),
                fix="wait for it, or stop it",
            ) from error
        except FileNotFoundError as error:
            raise FolderInUse(
                "another process moved this run aside",
                where=str(self.path),
                fix="run the same again",
            ) from error
        except OSError as error:
            raise disk_error(error, self.path) from error


def _take(lock: IO[bytes]) -> None:
    """Take the lock, from which whoever asks whether it is held keeps others for a moment."""
    for _ in range(TRIES - 1):
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(SECONDS_BETWEEN_TRIES)
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content` so that a crash leaves the old file or the new one whole."""
    temporary = path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")
    try:
        with open(temporary, "wb", buffering=0) as file:
            write_all(file, content)
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise disk_error(error, path, needed=len(content)) from error


def write_all(file: IO[bytes], content: bytes) -> None:
    """Write `content` to an unbuffered file, which may take it in pieces.

    Without a buffer nothing is left that closing the file would try, and fail, to write again.
    """
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]


def remove_temporaries(folder: Path) -> None:
    """Delete the unfinished files of killed writers."""
    for path in folder.glob(f"{TEMPORARY}*"):
        path.unlink()


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write `content` atomically, keys in the order given."""
    write_atomically(path, (json.dumps(content, indent=2, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """Read a file that `write_json` wrote.

    Raises:
        CheckpointError: It is too large, not JSON, or not a mapping.
    """
    try:
        with open(path, "rb") as file:
            raw = file.read(JSON_LIMIT + 1)
        content = json.loads(raw) if len(raw) <= JSON_LIMIT else None
    except (ValueError, RecursionError) as error:
        raise CheckpointError("the file is not JSON", where=str(path)) from error
    if not isinstance(content, dict):
        raise CheckpointError("the file is not a JSON mapping of a sane size", where=str(path))
    return content


def disk_error(error: OSError, path: Path, *, needed: int | None = None) -> DiskError:
    """Translate `error`, with how much is free where the disk is full.

    Args:
        error: What the system said.
        path: What was to be written.
        needed: Bytes of it; None where only the file system knows, as of a folder.
    """
    where, fix = str(path), "choose a folder that can be written"
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        folder = next(p for p in [path, *path.parents] if p.exists())
        free = shutil.disk_usage(folder).free
        known = needed is not None
        where += f", {needed} bytes needed, {free} free" if known else f", {free} bytes free"
        fix = "make room, then run the same again"
    return DiskError(f"cannot write: {error.strerror}", where=where, fix=fix)


def creation_error(error: OSError, path: Path) -> ConfigError | DiskError:
    """Translate `error`, which came of making the folder `path`."""
    if isinstance(error, NotADirectoryError | FileExistsError):
        return ConfigError(
            "the results folder is not a folder",
            where=str(error.filename),
            fix="choose another folder",
        )
    return disk_error(error, path)
