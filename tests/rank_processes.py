"""Runs the command line as several ranks of one run, forked from a process that has it imported.

A helper of test_ranks.py, run as a script: `rank_processes.py COUNT FOLDER`, with a list of cases
on standard input, each a list of words, or of such lists where the ranks differ. torchrun does the
same from the start of Python's interpreter on, which takes seconds for each rank.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import trpo_repro.cli.run
import trpo_repro.runner.build  # torch with it, once for all  # noqa: F401
from trpo_repro.cli.main import main


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def start(words: Sequence[str], log: Path, variables: dict[str, str]) -> int:
    """Fork a process that runs the command line, its output in `log`; return its id."""
    pid = os.fork()
    if pid:
        return pid
    os.environ.update(variables)
    for suffix, number in ((".out", 1), (".err", 2)):
        os.dup2(os.open(log.with_suffix(suffix), os.O_WRONLY | os.O_CREAT), number)
    try:
        main(words)
    except SystemExit as end:
        os._exit(int(end.code or 0))
    except BaseException:
        os._exit(98)
    os._exit(99)


def together(count: int, words: list[list[str]], folder: Path) -> list[dict[str, object]]:
    """Run a case; return each rank's exit code and output."""
    folder.mkdir(parents=True)
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    common |= {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
    logs = [folder / f"rank{rank}" for rank in range(count)]
    pids = [start(words[r], logs[r], {**common, "RANK": str(r)}) for r in range(count)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    return [
        {
            "code": code,
            "out": log.with_suffix(".out").read_text(),
            "err": log.with_suffix(".err").read_text(),
        }
        for code, log in zip(codes, logs, strict=True)
    ]


if __name__ == "__main__":
    processes, base = int(sys.argv[1]), Path(sys.argv[2])
    found = []
    for number, case in enumerate(json.load(sys.stdin)):
        each = case if isinstance(case[0], list) else [case] * processes
        found.append(together(processes, each, base / str(number)))
    json.dump(found, sys.stdout)
