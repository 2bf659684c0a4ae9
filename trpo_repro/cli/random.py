"""`trpo-repro random`: the games played by chance, as in the first row of the paper's Table 1."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from trpo_repro.cli.compose import run_config
from trpo_repro.cli.evaluate import stored, summary, why_not_written
from trpo_repro.cli.output import make_folder
from trpo_repro.cli.overrides import parse_overrides
from trpo_repro.config import RunConfig
from trpo_repro.errors import ConfigError
from trpo_repro.report.evaluations import random_path
from trpo_repro.report.games import paper_scores
from trpo_repro.runner.evaluation import play_at_random
from trpo_repro.runner.provenance import cpu_model, git_commit, package_version
from trpo_repro.runner.run_folder import write_json
from trpo_repro.settings import GAMES, AtariTask


def main(options: argparse.Namespace) -> int:
    """Play each game that `random/<protocol>/<game>.json` does not tell, and print a line for it.

    Raises:
        ConfigError: A task is no game, or a setting is named that nothing here depends on.
    """
    for override in parse_overrides(options.overrides):
        if override.key_or_group.split(".")[0] not in ("task", "results_dir"):
            fix = "take it out; set task.…=…, results_dir=…, --episodes or --seed"
            raise ConfigError(f"'{override.input_line}' does nothing here", fix=fix)
    named = any(word.startswith("task=") for word in options.overrides)
    games = [[]] if named else [[f"task={game}"] for game in GAMES]
    several = "name one; without task=… all are played"
    configs = [run_config([*game, *options.overrides], several=several) for game in games]
    for config in configs:
        if not isinstance(config.task, AtariTask):
            raise ConfigError(f"task={config.task.name} is not one of the games")
    print(f"{'':<16}{'mean':>9}  {'95% interval':<20}{'Table 1':>9}")
    for config in configs:
        print(_line(_content(config, options.episodes, seed=options.seed)), flush=True)
    return 0


def _content(config: RunConfig, episodes: int, *, seed: int) -> dict[str, Any]:
    """Return what is stored of a game played alike; else play it and write that."""
    assert isinstance(config.task, AtariTask)
    path = random_path(Path(config.results_dir), config.task.protocol, game=config.task.name)
    what = {
        "task": config.task.name,
        "protocol": config.task.protocol,
        "horizon": config.task.horizon,
        "frame_skip": config.task.frame_skip,
        "ale_py": package_version("ale-py"),
    }
    asked = {"seed": seed, "episodes": episodes}
    record = stored(path, what)
    if asked.items() <= record.items():
        return record
    make_folder(path.parent)
    played = play_at_random(config, episodes=episodes, seed=seed)
    content = {
        **what,
        **asked,
        **summary(played, game=True),
        "returns": played.returns.tolist(),
        "lengths": played.lengths.tolist(),
        "git_commit": git_commit(),
        "cpu": cpu_model(),
    }
    if told := why_not_written(path, record, episodes=asked):
        print(told, file=sys.stderr)
    else:
        write_json(path, content)
    return content


def _line(content: dict[str, Any]) -> str:
    """Return a game's line: mean, interval, the paper's number."""
    moments = content["return"]
    interval = moments["interval95"]
    ends = f"{interval[0]:.1f} to {interval[1]:.1f}" if interval else "one episode: none"
    paper = paper_scores().loc["Random", content["task"]]
    return f"{content['task']:<16}{moments['mean']:>9.1f}  {ends:<20}{paper:>9}"
