"""Run folders for tests: written by hand with scores of our choice, or by training for a moment."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cli_helpers import SilentReporter, config_in
from safetensors.numpy import save

from trpo_repro.cli.main import main
from trpo_repro.config import RunConfig, plain
from trpo_repro.runner.loop import execute
from trpo_repro.runner.progress import HEADER, format_row
from trpo_repro.runner.run_folder import RunFolder


def outcome(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Return exit code and output of the command line, run in this process."""
    with pytest.raises(SystemExit) as caught:
        main(list(words))
    out, err = capsys.readouterr()
    return int(caught.value.code or 0), out, err


def trained(results: Path, *overrides: str) -> RunFolder:
    """Train at `scale=smoke` and return the folder."""
    config = config_in(results, ["scale=smoke", "threads=1"], *overrides)
    execute(config, SilentReporter())
    return RunFolder.of(config)


def written(
    results: Path,
    scores: Sequence[float],
    *overrides: str,
    state: str = "done",
    mean_scores: Sequence[float] | None = None,
    **config: Any,
) -> RunFolder:
    """Write the folder of a run of these scores, as `run` would have left it.

    `config` replaces fields of the configuration. Seed k takes 1000 + k steps and 2 + k seconds an
    iteration. `mean_scores` are those of the mean of a search.
    """
    settings = dataclasses.replace(_composed(overrides), results_dir=str(results), **config)
    settings = dataclasses.replace(settings, iterations=config.get("iterations", len(scores)))
    folder = RunFolder.of(settings)
    folder.create()
    provenance = {"threads": 1, "git_commit": "abc123", "cpu": "a processor"}
    content = {**plain(settings), "provenance": provenance}
    folder.config.write_text(json.dumps(content), encoding="utf-8")
    folder.status.write_text(json.dumps({"state": state, "iterations_done": len(scores)}))
    folder.progress.write_text(
        HEADER + "".join(_lines(scores, mean_scores, settings.seed)), encoding="utf-8"
    )
    return folder


def evaluated(folder: RunFolder, returns: Sequence[float]) -> Path:
    """Write a policy and what `evaluate` found of it; return the path of the latter."""
    arrays = {"theta": np.zeros(6, np.float32), "observation_mean": np.zeros(4)}
    folder.policy.write_bytes(save(arrays))
    sha256 = hashlib.sha256(folder.policy.read_bytes()).hexdigest()
    path = folder.path / "evaluation-stochastic.json"
    content = {"policy_sha256": sha256, "episodes": len(returns), "returns": list(returns)}
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def played(results: Path, game: str, returns: Sequence[float]) -> Path:
    """Write what `random` found of a game; return the file's path."""
    path = results / "random" / "trpo2015" / f"{game}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"episodes": len(returns), "returns": list(returns)}))
    return path


def measured(results: Path, name: str, *rows: tuple[str, str, float, float, float]) -> None:
    """Write what `measure` found: of each row quantity, task, value, low and high."""
    folder = results / "measurements"
    folder.mkdir(parents=True, exist_ok=True)
    keys = ("quantity", "task", "value", "low", "high")
    content = {"rows": [{**dict(zip(keys, row, strict=True)), "n": "9"} for row in rows]}
    (folder / f"{name}.json").write_text(json.dumps(content))


@functools.cache
def _composed(overrides: tuple[str, ...]) -> RunConfig:
    return config_in(Path("results"), overrides)


def _lines(scores: Sequence[float], mean_scores: Sequence[float] | None, seed: int) -> list[str]:
    return [
        format_row(
            {
                "iteration": number,
                "sim_steps": (1000 + seed) * (number + 1),
                "episodes": 5,
                "return_mean": 200 * score,
                "return_std": 1.0,
                "length_mean": 50.0,
                "score": score,
                "wall_s": (2.0 + seed) * (number + 1),
                "outcome": "accepted",
                "mean_theta_score": mean_scores[number] if mean_scores is not None else None,
            }
        )
        for number, score in enumerate(scores)
    ]
