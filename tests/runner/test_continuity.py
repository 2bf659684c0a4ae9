"""A run that goes on: in another's folder, on another machine (faults 11 and 31)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from cli_helpers import SMALL, SilentReporter, config_in, essence

from trpo_repro.errors import CheckpointError
from trpo_repro.runner import loop
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.runner.state import state_of_run
from trpo_repro.settings import later_settings


def run(results: Path, *more: str, restart: bool = False) -> tuple[RunFolder, SilentReporter]:
    reporter = SilentReporter()
    config = config_in(results, SMALL, *more)
    execute(config, reporter, restart=restart)
    return RunFolder.of(config), reporter


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }


def test_folder_of_another_configuration_is_refused_and_its_settings_are_named(
    tmp_path: Path,
) -> None:
    other, _ = run(tmp_path / "other", "iterations=2", "algo.stepsize=0.02", "algo.damping=1")
    ours = RunFolder.of(config_in(tmp_path / "ours")).path
    ours.parent.mkdir(parents=True)
    shutil.copytree(other.path, ours)
    before = contents(ours)
    with pytest.raises(CheckpointError) as caught:
        run(tmp_path / "ours")
    assert caught.value.exit_code == 3
    told = "algo.damping is 1.0 there, 0.001 here; algo.stepsize is 0.02 there, 0.01 here"
    assert told in str(caught.value)
    assert "--restart" in str(caught.value)
    assert contents(ours) == before
    run(tmp_path / "ours", restart=True)
    assert contents(ours.with_name("seed0.old1")) == before


def test_copy_of_another_seeds_run_is_refused_finished_or_not(tmp_path: Path) -> None:
    """Its rows would be the other's under another name, and two seeds where there is one."""
    ours = run(tmp_path, "iterations=2")[0].path
    shutil.copytree(ours, ours.with_name("seed1"))
    before = contents(ours.with_name("seed1"))
    copy = config_in(tmp_path, SMALL, "iterations=2", "seed=1")
    assert state_of_run(copy) == ("broken", "it holds another run: seed is 0 there, 1 here")
    for iterations in (2, 3):
        with pytest.raises(CheckpointError, match="another run: seed is 0 there, 1 here"):
            run(tmp_path, f"iterations={iterations}", "seed=1")
    assert contents(ours.with_name("seed1")) == before


def test_run_from_before_a_setting_existed_goes_on(tmp_path: Path) -> None:
    """As CONTRIBUTING says: a later setting is in no hash until somebody changes it."""
    golden = essence(run(tmp_path / "golden")[0])
    folder, _ = run(tmp_path / "results", "iterations=3")
    content = read_json(folder.config)
    for name in later_settings("single_path"):
        del content["algo"][name]
    folder.config.write_text(json.dumps(content))
    run(tmp_path / "results")
    assert essence(folder) == golden


def test_folder_of_another_algorithm_is_refused(tmp_path: Path) -> None:
    other, _ = run(tmp_path / "other", "iterations=1", "algo=cem")
    ours = RunFolder.of(config_in(tmp_path / "ours")).path
    ours.parent.mkdir(parents=True)
    shutil.copytree(other.path, ours)
    with pytest.raises(CheckpointError, match=r"algo\.name is cem there, single_path here"):
        run(tmp_path / "ours")


def test_checkpoint_alone_of_another_configuration_is_refused(tmp_path: Path) -> None:
    other, _ = run(tmp_path / "other", "iterations=2", "algo.stepsize=0.02")
    ours, _ = run(tmp_path / "ours", "iterations=1")
    shutil.rmtree(ours.checkpoints)
    shutil.copytree(other.checkpoints, ours.checkpoints)
    before = contents(ours.path)
    with pytest.raises(CheckpointError, match="of another configuration") as caught:
        run(tmp_path / "ours")
    assert caught.value.exit_code == 3
    # It holds no more than the hash of its settings: the name of the folder that it comes from.
    theirs, own = other.path.parent.name, ours.path.parent.name
    assert f"hash is '{theirs}', this run's '{own}'; the settings" in str(caught.value)
    assert contents(ours.path) == before


def test_checkpoint_alone_of_another_seed_is_refused(tmp_path: Path) -> None:
    other, _ = run(tmp_path, "iterations=2", "seed=1")
    ours, _ = run(tmp_path, "iterations=1")
    shutil.rmtree(ours.checkpoints)
    shutil.copytree(other.checkpoints, ours.checkpoints)
    before = contents(ours.path)
    with pytest.raises(CheckpointError, match="of seed 1, this run's is 0") as caught:
        run(tmp_path)
    assert caught.value.exit_code == 3
    assert contents(ours.path) == before


def elsewhere(patch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Let this machine be another one."""
    provenance = loop.provenance
    patch.setattr(loop, "provenance", lambda config: {**provenance(config), **changes})


def test_another_machine_is_warned_of_and_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = essence(run(tmp_path / "golden")[0])
    folder, first = run(tmp_path / "results", "iterations=3")
    assert first.warnings == []
    assert "earlier" not in read_json(folder.config)["provenance"]
    here = read_json(folder.config)["provenance"]
    packages = {**here["packages"], "torch": "9.9"}
    with monkeypatch.context() as patch:
        elsewhere(patch, cpu="another processor", packages=packages)
        _, second = run(tmp_path / "results", "iterations=5")
        _, third = run(tmp_path / "results", "iterations=6")
    (warning,) = second.warnings
    assert f"cpu was {here['cpu']}, is another processor" in warning
    assert f"torch was {here['packages']['torch']}, is 9.9" in warning
    assert "may differ" in warning
    assert third.warnings == []  # it goes on where it was
    _, fourth = run(tmp_path / "results")
    assert len(fourth.warnings) == 1
    history = read_json(folder.config)["provenance"]["earlier"]
    assert [(place["cpu"], place["until"]) for place in history] == [
        (here["cpu"], 3),
        ("another processor", 6),
    ]
    assert essence(folder) == golden  # it was this machine all along


def test_another_device_is_warned_of_unless_nobody_knows_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = run(tmp_path, "iterations=1")
    elsewhere(monkeypatch, device="cuda, a GPU")
    _, reporter = run(tmp_path, "iterations=2")
    (warning,) = reporter.warnings
    assert "device was cpu, is cuda, a GPU" in warning
    content = read_json(folder.config)
    del content["provenance"]["device"]  # as runs were stored once
    folder.config.write_text(json.dumps(content))
    _, reporter = run(tmp_path, "iterations=3")
    assert reporter.warnings == []


def test_another_number_of_threads_is_recorded_and_needs_no_warning(tmp_path: Path) -> None:
    golden = essence(run(tmp_path / "golden")[0])
    run(tmp_path / "results", "iterations=3")
    folder, reporter = run(tmp_path / "results", "threads=2")
    assert reporter.warnings == []
    provenance = read_json(folder.config)["provenance"]
    assert provenance["threads"] == 2
    assert [place["threads"] for place in provenance["earlier"]] == [1]
    assert essence(folder) == golden


@pytest.mark.parametrize("name", ["config.json", "status.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[1]", b"[" * 100_000])
def test_file_that_tells_of_a_run_is_written_anew_where_lost_and_that_is_said(
    content: bytes, name: str, tmp_path: Path
) -> None:
    golden = essence(run(tmp_path / "golden")[0])
    folder, _ = run(tmp_path / "results", "iterations=3")
    (folder.path / name).write_bytes(content)
    _, reporter = run(tmp_path / "results")
    (warning,) = reporter.warnings
    assert warning.startswith(f"{name} is damaged (")
    assert read_json(folder.path / name)["iterations"] == 8
    assert essence(folder) == golden


@pytest.mark.parametrize("odd", [3, [], {"cpu": 1}, {"earlier": "x"}, {"packages": [1]}])
def test_provenance_of_any_shape_is_no_obstacle(odd: Any, tmp_path: Path) -> None:
    folder, _ = run(tmp_path, "iterations=1")
    content = json.loads(folder.config.read_text())
    folder.config.write_text(json.dumps({**content, "provenance": odd}))
    run(tmp_path, "iterations=2")
    assert isinstance(read_json(folder.config)["provenance"]["cpu"], str)
