from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from stored_runs import outcome

from trpo_repro.cli import doctor
from trpo_repro.cli.compose import run_config
from trpo_repro.runner import health
from trpo_repro.runner.health import Finding, finding_of
from trpo_repro.settings import TASK_CONFIGS
from trpo_repro.tasks import GAMES
from trpo_repro.tasks.cartpole import CartPole
from trpo_repro.tasks.emulator import Emulator
from trpo_repro.types import Transition


@pytest.fixture
def fine(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Finding]]:
    """Replaces all checks by ones that find what is in the dict."""
    found = {"first": Finding("ok", "good")}
    monkeypatch.setattr(
        doctor, "checks", lambda results: {k: lambda v=v: v for k, v in found.items()}
    )
    return found


def test_this_machine_has_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "rendering", lambda: Finding("note", "not tried here"))
    code, out, err = outcome("doctor", "--results-dir", str(tmp_path), capsys=capsys)
    assert (code, err) == (0, "")
    lines = {line[8:].split("  ")[0].strip(): line for line in out.splitlines()}
    assert {f"task={name}" for name in TASK_CONFIGS} < set(lines)
    assert {"python", "packages", "configuration", "cores", "torch", "results"} < set(lines)
    assert "missing" not in out
    assert list(tmp_path.iterdir()) == []


def test_only_what_run_needs_decides_the_exit_code(
    fine: dict[str, Finding], capsys: pytest.CaptureFixture[str]
) -> None:
    fine["other"] = Finding("note", "no screen", "buy one")
    code, out, _ = outcome("doctor", capsys=capsys)
    assert code == 0
    assert " ".join(out.splitlines()[1].split()) == "note other no screen; fix: buy one"
    fine["last"] = Finding("missing", "no ground")
    code, out, _ = outcome("doctor", capsys=capsys)
    assert code == 4
    assert len(out.splitlines()) == 3


def test_a_check_that_raises_is_a_finding_of_one_line() -> None:
    def broken() -> Finding:
        raise RuntimeError("two\nlines")

    assert finding_of(broken).status == "missing"
    assert finding_of(broken).text == "RuntimeError: two lines"


def test_doctor_survives_packages_that_are_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "rendering", lambda: Finding("note", "not tried here"))
    for name in ("trpo_repro.tasks.locomotion", "trpo_repro.tasks.gymnasium_task", "mujoco"):
        monkeypatch.setitem(sys.modules, name, None)
    code, out, _ = outcome("doctor", capsys=capsys)
    assert code == 4
    missing = [line.split()[1] for line in out.splitlines() if line.startswith("missing")]
    assert missing == ["task=swimmer", "task=hopper", "task=walker", "task=gym"]


def test_packages_are_held_against_what_is_required(monkeypatch: pytest.MonkeyPatch) -> None:
    required = ["numpy>=99", "surely-not-there>=1", "torch>=2", "sb3-contrib>=1; extra == 'bench'"]
    monkeypatch.setattr(metadata, "requires", lambda name: required)
    found = health.packages()
    assert found.status == "missing"
    assert found.text == f"numpy {np.__version__}, needs >=99; no surely-not-there"


def test_optional_packages_are_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "OPTIONAL", {"surely-not-there": ("flying", "wings")})
    found = health.optional_packages()
    assert found.status == "note"
    assert "flying" in found.text
    assert "trpo-repro[wings]" in found.fix


def test_another_python_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health.platform, "python_version", lambda: "3.8.1")
    assert health.python().status == "missing"


def test_full_disk_and_a_file_in_the_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.disk(tmp_path / "not" / "yet").status == "ok"
    (tmp_path / "file").touch()
    assert health.disk(tmp_path / "file" / "results").status == "missing"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1e6))
    assert health.disk(tmp_path).status == "missing"


class Forgetful(CartPole):
    """A cart whose steps depend on more than its state."""

    steps = 0

    def step(self, states: np.ndarray, actions: np.ndarray) -> Transition:
        self.steps += 1
        return super().step(states + 1e-12 * self.steps, actions)


def test_a_simulator_with_hidden_state_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    config = run_config(["task=cartpole"]).task
    assert health.task(config).status == "ok"
    monkeypatch.setattr(
        "trpo_repro.tasks.make_task", lambda name, **settings: Forgetful(**settings)
    )
    assert health.task(config).status == "missing"


def test_missing_games_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health.roms().status == "ok"
    monkeypatch.setattr(health, "GAMES", ("pong", "no_such_game"))
    found = health.roms()
    assert (found.status, found.text) == ("note", "no no_such_game")


@pytest.mark.parametrize(
    ("script", "status", "text"),
    [
        ("pass", "ok", "MUJOCO_GL=egl"),
        ("import os; os.abort()", "note", "fails: exit -6"),
        ("raise OSError('no driver')", "note", "fails: OSError: no driver"),
    ],
)
def test_rendering_cannot_take_doctor_down(
    script: str, status: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(health, "RENDER", script)
    found = health.rendering()
    assert found.status == status
    assert text in found.text


@pytest.mark.parametrize("game", GAMES)
def test_a_game_is_saved_played_restored_and_played_again(
    game: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = run_config([f"task={game}"]).task
    assert health.task(config).status == "ok"
    monkeypatch.setattr(Emulator, "load", lambda emulator, state: None)  # nothing is restored
    found = health.task(config)
    assert found.status == "missing"
    assert "does not go on" in found.text
