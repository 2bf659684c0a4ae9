"""Values that no machine or no library can do anything with: exit 2, nothing on the disk (17)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trpo_repro.cli.main import main

PIXELS = "task=pong"
IMPOSSIBLE = [
    ((PIXELS, "policy.kernel_size=100"), "does not fit into the 52 × 40 image of convolution 1"),
    ((PIXELS, "policy.kernel_size=41"), "policy.kernel_size=41 does not fit into the 52 × 40"),
    ((PIXELS, "policy.stride=100"), "does not fit into the 1 × 1 image of convolution 2"),
    ((PIXELS, "policy.channels=[1,1,1,1,1]"), "into the 4 × 3 image of convolution 4"),
    ((PIXELS, "policy.channels=[1000000]"), "policy.channels[0] must be >= 1 and <= 100000"),
    ((PIXELS, "policy.channels=[90000]"), "860,850,188 parameters take 6.9 GB"),
    ((PIXELS, "task.protocol=machado2018", "task.horizon=1000000000"), "task.frame_skip must be"),
    ((PIXELS, "task.frame_skip=1000000000000000000"), "task.frame_skip must be >= 2 and <= 1e+09"),
    (("task=hopper", "policy.hidden_sizes=[1000000000]"), "policy.hidden_sizes[0] must be >= 1"),
    (
        ("task=hopper", "policy.hidden_sizes=[100000,100000]"),
        "the policy's 10,001,600,006 parameters take 80.0 GB",
    ),
    (("task=hopper", "task.frame_skip=1000000000"), "task.frame_skip must be >= 1 and <= 1000"),
    (("algo=cem", "algo.population=1000000000000000000"), "algo.population must be >= 2 and <="),
    (("algo=cem", "algo.population=1000000000"), "fix: choose a smaller algo.population"),
    (("algo=cma", "algo.population=2"), "algo.population must be >= 3"),
    (("algo=cma", "algo.population=1000000000"), "fix: choose a smaller algo.population"),
    (("algo=cma", "algo.diagonal=false", "policy.hidden_sizes=[150,150]"), "algo.diagonal=true"),
    (
        ("algo=vine", "algo.rollouts_per_state=1000000000000000000"),
        "algo.rollouts_per_state must be >= 2",
    ),
    (("algo=vine", "algo.rollout_length=1000000000"), "× algo.rollout_length must be <= 1e+08"),
    (("task=gym", "task.id='Hopper v5'"), "Malformed environment ID: Hopper v5."),
    (("task=gym", "task.id=LunarLander-v2"), "Please use `LunarLander-v3` instead."),
    (("task=gym", "task.id=Nothing-v0"), "unknown Gymnasium environment 'Nothing-v0'"),
]


@pytest.mark.parametrize(("words", "wanted"), IMPOSSIBLE, ids=[" ".join(w) for w, _ in IMPOSSIBLE])
def test_impossible_value_is_one_line_and_leaves_nothing(
    words: tuple[str, ...],
    wanted: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["run", "scale=smoke", "threads=1", *words])
    out, err = capsys.readouterr()
    assert (caught.value.code, out, err.count("\n")) == (2, "", 1)
    assert wanted in err
    assert os.listdir(tmp_path) == []


def test_package_that_an_environment_needs_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "Box2D", None)
    with pytest.raises(SystemExit) as caught:
        main(["run", "task=gym", "task.id=LunarLander-v3"])
    out, err = capsys.readouterr()
    assert (caught.value.code, out, err.count("\n")) == (4, "", 1)
    assert "pip install" in err
    assert os.listdir(tmp_path) == []
