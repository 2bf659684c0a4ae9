"""What the commands that report share: reading stored runs, and writing files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryFile

import psutil

from trpo_repro.errors import CheckpointError
from trpo_repro.runner.run_folder import TEMPORARY, creation_error, write_atomically


def warn(complaints: Iterable[str]) -> None:
    """Print each complaint as a line on standard error."""
    for complaint in complaints:
        print(f"warning: {complaint}", file=sys.stderr)


def refuse_if_strict(strict: bool, complaints: Sequence[str]) -> None:
    """Make complaints an error where that was asked for: everything is written by then.

    Raises:
        CheckpointError: There are some.
    """
    if strict and complaints:
        raise CheckpointError(
            f"{len(complaints)} stored runs or files are missing, unfinished or damaged",
            where="--strict",
            fix="make them again, or take out --strict",
        )


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it, where they are not there, and see that it can be written.

    For the beginning of long work: what cannot be written need not be computed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise creation_error(error, folder) from error


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` by name into `folder`, made if need be, and print their paths."""
    make_folder(folder)
    for name, content in files.items():
        _remove_strays(folder / name)
        write_atomically(folder / name, content)
        print(folder / name)


def _remove_strays(path: Path) -> None:
    """Delete what killed writers of `path` left; the folder may hold anybody's files."""
    ours = re.compile(rf"{re.escape(TEMPORARY)}(\d{{1,9}})-{re.escape(path.name)}")
    for found in path.parent.glob(f"{TEMPORARY}*"):
        match = ours.fullmatch(found.name)
        if match and not psutil.pid_exists(int(match[1])):
            found.unlink(missing_ok=True)
