"""Requests to stop while the command still starts: nothing is there to save (fault 4)."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from cli_helpers import environment, trpo

TINY = ("task=cartpole", "scale=smoke", "threads=1")
AT_AN_IMPORT = """
import os, sys

def send():
    os.kill(os.getpid(), int(os.environ["SIGNAL"]))

class Dying:
    def __del__(self):
        send()
        sum(range(10))

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        if name == os.environ["SIGNAL_AT"]:
            Dying() if "IN_A_DESTRUCTOR" in os.environ else send()

sys.meta_path.insert(0, Finder)
"""


def signalled(
    number: signal.Signals,
    module: str,
    *words: str,
    cwd: Path,
    env: dict[str, str] | None = None,
    **options: object,
) -> subprocess.CompletedProcess[str]:
    """Run `trpo-repro words…`, which gets a signal when it first imports `module`."""
    hook = cwd.parent / f"{cwd.name}-hook"
    hook.mkdir()
    (hook / "sitecustomize.py").write_text(AT_AN_IMPORT)
    env = environment(SIGNAL_AT=module, SIGNAL=str(int(number)), **(env or {}))
    env["PYTHONPATH"] = f"{hook}{os.pathsep}{env['PYTHONPATH']}"
    return trpo(*words, cwd=cwd, env=env, **options)


RUN, SWEEP = ("run", *TINY), ("--debug", "sweep", "figure4")
FIRST = {"run": "trpo_repro.cli.run", "sweep": "trpo_repro.cli.sweep"}
"""What each command imports first, within `main`."""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2])
@pytest.mark.parametrize(
    ("words", "module"),
    [(RUN, FIRST["run"]), (RUN, "hydra"), (RUN, "torch"), (SWEEP, FIRST["sweep"])],
    ids=["run", "run, hydra", "run, torch", "sweep"],
)
def test_request_to_stop_at_the_start_has_its_exit_code_and_leaves_nothing(
    number: signal.Signals, words: tuple[str, ...], module: str, tmp_path: Path
) -> None:
    done = signalled(number, module, *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (130 if number == signal.SIGINT else 75, "")
    assert os.listdir(tmp_path) == []


def test_signal_that_python_would_swallow_is_heard(tmp_path: Path) -> None:
    """What a handler raises while a destructor runs is lost: 130 would be 0, after a whole run."""
    env = {"IN_A_DESTRUCTOR": "1"}
    done = signalled(signal.SIGINT, "hydra", *RUN, cwd=tmp_path, env=env)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_ctrl_c_at_the_start_of_any_command_is_130_without_a_traceback(tmp_path: Path) -> None:
    done = signalled(signal.SIGINT, "trpo_repro.cli.list", "list", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_signal_that_is_ignored_stays_so_at_the_start(tmp_path: Path) -> None:
    """Of `nohup`: the run goes on to its end."""
    done = signalled(
        signal.SIGHUP,
        "hydra",
        *RUN,
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "done: " in done.stdout
