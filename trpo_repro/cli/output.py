"""What the commands that report share: reading stored runs, and writing files."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from trpo_repro.runner.run_folder import creation_error, write_atomically


def warn(complaints: Iterable[str]) -> None:
    """Print each complaint as a line on standard error."""
    for complaint in complaints:
        print(f"warning: {complaint}", file=sys.stderr)


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write `files` by name into `folder`, made if need be, and print their paths."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise creation_error(error, folder) from error
    for name, content in files.items():
        write_atomically(folder / name, content)
        print(folder / name)
