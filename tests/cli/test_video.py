"""GIFs of trained policies."""

from __future__ import annotations

import io
import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from stored_runs import outcome, trained

from trpo_repro.cli import video
from trpo_repro.errors import MissingDependency
from trpo_repro.runner.evaluation import stored_config
from trpo_repro.runner.video import record


def test_a_gif_shows_every_frame_for_its_time() -> None:
    frames = [np.full((20, 30, 3), level, np.uint8) for level in (0, 120, 250)]
    found = Image.open(io.BytesIO(video.gif(iter(frames), seconds=0.06)))
    assert (found.n_frames, found.size, found.info["duration"]) == (3, (30, 20), 60)
    for number, frame in enumerate(frames):
        found.seek(number)
        assert abs(np.asarray(found.convert("RGB"), int) - frame).max() <= 2


def test_a_game_s_pictures_are_the_emulator_s_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(tmp_path, "task=breakout", "task.horizon=30", "iterations=1")
    config = stored_config(folder)
    made = record(folder, config, seed=0, greedy=False, size=64)
    frames = list(itertools.islice(made.frames, 40))
    assert len(frames) == 31  # a state before each step, and the last
    assert frames[0].shape == (210, 160, 3)
    assert len({frame.tobytes() for frame in frames}) > 5
    code, out, err = outcome("video", str(folder.path), "--seconds", "1", capsys=capsys)
    assert (code, err) == (0, "")
    path = folder.path / "video.gif"
    assert str(path) in out
    with Image.open(path) as picture:
        assert picture.n_frames > 5
    words = ("--seconds", "1", "--output", str(tmp_path / "new" / "x.gif"))
    code, out, err = outcome("video", str(folder.path), *words, capsys=capsys)
    assert (code, err) == (0, "")
    assert (tmp_path / "new" / "x.gif").read_bytes() == path.read_bytes()


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_played(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(tmp_path, "task=breakout", "task.horizon=30", "iterations=1")
    monkeypatch.setattr("trpo_repro.runner.video.record", None)
    words = ("--output", str(folder.config / "x.gif"))
    code, out, err = outcome("video", str(folder.path), *words, capsys=capsys)
    assert (code, out) == (5, "")
    assert err.startswith("error: cannot make the picture's folder: ")
    assert err.endswith("; fix: choose another --output\n")
    code, out, err = outcome("video", str(folder.path), "--output", "x.mp4", capsys=capsys)
    assert (code, out) == (2, "")
    assert err == "error: a video is a GIF, not x.mp4; fix: let --output end in .gif\n"


def test_a_task_without_pictures_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = trained(tmp_path, "iterations=1")
    code, _, err = outcome("video", str(folder.path), capsys=capsys)
    assert code == 2
    assert err.startswith("error: there is no picture of task=cartpole; fix: ")


def test_without_a_way_to_draw_a_robot_is_refused_with_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = trained(tmp_path, "task=swimmer", "iterations=1", "task.horizon=20")
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setattr("mujoco.Renderer", lambda *_: (_ for _ in ()).throw(OSError("no EGL")))
    code, _, err = outcome("video", str(folder.path), capsys=capsys)
    assert code == MissingDependency.exit_code == 4
    assert "no EGL (MUJOCO_GL=egl); fix: install EGL" in err
    assert not (folder.path / "video.gif").exists()


def test_a_mujoco_that_cannot_be_imported_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUJOCO_GL", "egl")
    monkeypatch.setitem(sys.modules, "mujoco", None)
    found = video._graphics()
    assert isinstance(found, MissingDependency)
    assert "MUJOCO_GL=egl" in str(found)
