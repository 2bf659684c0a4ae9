from __future__ import annotations

import os
import shutil
import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import argcomplete
import pytest
from cli_helpers import environment

from trpo_repro.cli.comments import comments
from trpo_repro.cli.completion import complete_override, settings
from trpo_repro.cli.compose import run_config
from trpo_repro.cli.list import settings as listed
from trpo_repro.config import plain
from trpo_repro.settings import ALGORITHM_TASKS

BASH = shutil.which("bash")
ANSWER = """
COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
_python_argcomplete trpo-repro
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program `trpo-repro`, whether or not the package is installed."""
    folder = tmp_path_factory.mktemp("bin")
    script = folder / "trpo-repro"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m trpo_repro "$@"\n')
    script.chmod(0o755)
    return folder


def pressed_tab(line: str, program: Path, cwd: Path) -> list[str]:
    """Return what bash puts in place of the last word, its breaks at `=` and `:` included."""
    if BASH is None:
        pytest.skip("no bash on this machine: completion is not tested")
    script = argcomplete.shellcode(["trpo-repro"], shell="bash") + ANSWER
    path = os.pathsep.join([str(program), os.environ["PATH"]])
    done = subprocess.run(
        [BASH, "--norc", "-c", script, "bash", line],
        env=environment(PATH=path, COMP_WORDBREAKS=" \t\n\"'@><=;|&(:"),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("trpo-repro ru", ["run "]),
        ("trpo-repro run --rest", ["--restart "]),
        ("trpo-repro run task=ho", ["hopper "]),
        ("trpo-repro run -m task=hopper,wa", ["hopper,walker "]),
        ("trpo-repro run task=hopper algo.steps", ["algo.stepsize="]),
        ("trpo-repro list estimator.baseline=", ["none", "linear", "mlp"]),
        ("trpo-repro sweep fig", ["figure4", "figure9"]),
        ("trpo-repro evaluate exp", ["experiments/"]),
    ],
)
def test_bash_completes(line: str, wanted: list[str], program: Path, tmp_path: Path) -> None:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "figure9.yaml").touch()
    assert pressed_tab(line, program, tmp_path) == wanted


def completed(prefix: str, *before: str, multirun: bool = False) -> list[str]:
    words = complete_override(prefix, Namespace(overrides=list(before), multirun=multirun))
    return [word for word in words if word.startswith(prefix)]


def test_choices_of_a_setting() -> None:
    assert completed("scale=") == ["scale=paper", "scale=bench", "scale=smoke"]
    assert completed("device=c") == ["device=cpu", "device=cuda"]
    assert completed("tensorboard=t") == ["tensorboard=true"]
    assert completed("threads=") == ["threads=null"]
    assert completed("task.integrator=e", "task=hopper") == ["task.integrator=euler"]
    assert completed("seed=") == []
    assert completed("nothing=") == []


def test_settings_are_those_of_the_task_and_algorithm_chosen() -> None:
    assert completed("task.fr") == []
    assert completed("task.fr", "task=hopper") == ["task.frame_skip="]
    assert completed("algo.roll", "algo=vine") == [
        "algo.rollouts_per_state=",
        "algo.rollout_length=",
    ]
    assert completed("algo.fi", "task=nonsense", "algo=nonsense") == []


def test_what_cannot_go_together_is_not_offered() -> None:
    assert completed("task=", "algo=max_kl") == ["task=cartpole"]
    assert "algo=max_kl" not in completed("algo=", "task=walker")
    assert "algo=max_kl" in completed("algo=", "task=cartpole")


def test_a_setting_that_is_there_is_not_offered_again() -> None:
    assert "seed=" in completed("")
    assert "seed=" not in completed("", "seed=1")


def test_several_values_and_launchers_belong_to_a_sweep() -> None:
    assert completed("task=hopper,w", multirun=True) == ["task=hopper,walker"]
    assert "task=hopper,hopper" not in completed("task=hopper,", multirun=True)
    assert completed("hydra/launcher=j", multirun=True) == ["hydra/launcher=joblib"]
    assert completed("hydra") == []


@pytest.mark.parametrize("algo", ALGORITHM_TASKS)
def test_every_setting_that_can_be_listed_can_be_completed(algo: str) -> None:
    config = run_config([f"algo={algo}"])
    assert set(settings("cartpole", algo)) == {key for key, _ in listed(plain(config))}


def test_every_choice_that_is_offered_is_one_that_the_comments_know() -> None:
    said = comments("hopper", "vine")
    for key, choices in settings("hopper", "vine").items():
        if choices and "true" not in choices and "null" not in choices:
            assert all(choice in said[key] for choice in choices), key


def test_nothing_heavy_is_imported() -> None:
    code = """
import sys
from argparse import Namespace
from trpo_repro.cli.arguments import parser
from trpo_repro.cli.completion import complete_override
parser()
assert complete_override("task=", Namespace(overrides=[]))
print([name for name in ("torch", "mujoco", "numpy", "hydra", "rich") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
