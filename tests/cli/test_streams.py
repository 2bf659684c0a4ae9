"""What becomes of a command whose output nobody reads to its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import command, environment
from stored_runs import written

FAILS = """
from trpo_repro.cli import main, status
status.main = lambda options: print("much " * 99999) or 3
main.main(["status"])
"""


def to_nobody(words: list[str], cwd: Path, **changes: str) -> tuple[int, str]:
    """Return exit code and standard error of a command whose reader has left before it begins."""
    with subprocess.Popen(["true"], stdin=subprocess.PIPE) as reader:
        reader.wait()
        done = subprocess.run(
            words,
            cwd=cwd,
            env=environment(**changes),
            stdout=reader.stdin,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
            check=False,
        )
    return done.returncode, done.stderr


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_changes_no_exit_code(unbuffered: str, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    changes = {"PYTHONUNBUFFERED": unbuffered}
    assert to_nobody(command("status"), tmp_path, **changes) == (0, "")
    assert to_nobody(command("--help"), tmp_path, **changes) == (0, "")
    assert to_nobody([sys.executable, "-c", FAILS], tmp_path, **changes) == (3, "")


def test_everything_is_written_whether_or_not_it_is_read(tmp_path: Path) -> None:
    written(tmp_path / "results", [1.0, 2.0])
    assert to_nobody(command("claims"), tmp_path) == (0, "")
    table = tmp_path / "results" / "tables" / "claims.csv"
    assert table.is_file()
    table.unlink()
    full = f"{' '.join(command('claims'))} >/dev/full"
    done = subprocess.run(["/bin/sh", "-c", full], cwd=tmp_path, env=environment(), check=False)
    assert done.returncode == 5
    assert table.is_file()
