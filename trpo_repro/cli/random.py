"""`trpo-repro random`: the games played by chance, as in the first row of the paper's Table 1."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from trpo_repro.cli.compose import run_config
from trpo_repro.cli.evaluate import summary
from trpo_repro.config import RunConfig
from trpo_repro.errors import ConfigError
from trpo_repro.report.games import paper_scores
from trpo_repro.runner.evaluation import play_at_random
from trpo_repro.runner.provenance import cpu_model, git_commit, package_version
from trpo_repro.runner.run_folder import creation_error, write_json
from trpo_repro.settings import AtariTask
from trpo_repro.tasks import GAMES


def main(options: argparse.Namespace) -> int:
    """Play each game, print a line for it, and write `random/<protocol>/<game>.json`."""
    named = any(word.startswith("task=") for word in options.overrides)
    games = [[]] if named else [[f"task={game}"] for game in GAMES]
    configs = [run_config([*game, *options.overrides]) for game in games]
    for config in configs:
        if not isinstance(config.task, AtariTask):
            raise ConfigError(f"task={config.task.name} is not one of the games")
    print(f"{'':<16}{'mean':>9}  {'95% interval':<20}{'Table 1':>9}")
    for config in configs:
        content = _played(config, episodes=options.episodes, seed=options.seed)
        print(_line(content), flush=True)
        path = Path(config.results_dir) / "random" / content["protocol"]
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise creation_error(error, path) from error
        write_json(path / f"{config.task.name}.json", content)
    return 0


def _played(config: RunConfig, *, episodes: int, seed: int) -> dict[str, Any]:
    """Play one game; return what is written."""
    assert isinstance(config.task, AtariTask)
    played = play_at_random(config, episodes=episodes, seed=seed)
    return {
        "task": config.task.name,
        "protocol": config.task.protocol,
        "horizon": config.task.horizon,
        "seed": seed,
        "episodes": episodes,
        **summary(played, game=True),
        "returns": played.returns.tolist(),
        "lengths": played.lengths.tolist(),
        "git_commit": git_commit(),
        "ale_py": package_version("ale-py"),
        "cpu": cpu_model(),
    }


def _line(content: dict[str, Any]) -> str:
    """Return a game's line: mean, interval, the paper's number."""
    moments = content["return"]
    interval = moments["interval95"]
    ends = f"{interval[0]:.1f} to {interval[1]:.1f}" if interval else "one episode: none"
    paper = paper_scores().loc["Random", content["task"]]
    return f"{content['task']:<16}{moments['mean']:>9.1f}  {ends:<20}{paper:>9}"
