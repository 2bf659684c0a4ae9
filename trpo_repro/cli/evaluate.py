"""`trpo-repro evaluate`: what a trained policy is worth, played unless that is stored."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.config import RunConfig
from trpo_repro.errors import CheckpointError, DiskError
from trpo_repro.report.evaluations import policy_sha256
from trpo_repro.report.statistics import mean_interval
from trpo_repro.runner.evaluation import Episodes, play, stored_config
from trpo_repro.runner.run_folder import RunFolder, read_json, write_json
from trpo_repro.settings import AtariTask


def main(options: argparse.Namespace) -> int:
    """Play what `evaluation-….json` in the run's folder does not tell, print, and write it."""
    folder = RunFolder(Path(options.run))
    config = stored_config(folder)
    # The searches that train a policy's mode never touch its standard deviation.
    greedy = options.greedy or getattr(config.algo, "play", "") == "mean"
    both = isinstance(config.task, AtariTask) and not greedy
    found = [
        _evaluated(folder, config, options=options, greedy=g)
        for g in ([False, True] if both else [greedy])
    ]
    contents = [content for content, _ in found]
    if options.json:  # a game's two ways of playing are a list
        print(json.dumps(contents if both else contents[0], indent=2))
    for _, error in found:
        if error:
            raise error
    return 0


def _evaluated(
    folder: RunFolder, config: RunConfig, *, options: argparse.Namespace, greedy: bool
) -> tuple[dict[str, Any], DiskError | None]:
    """Play one way what is not stored, print unless JSON is wanted, and write.

    Returns:
        It all, and why it could not be written: the numbers are to be seen all the same.
    """
    actions = "greedy" if greedy else "stochastic"
    path = folder.path / f"evaluation-{actions}.json"
    whose = {
        "task": config.task_label(),
        "algo": config.algo.name,
        "run_seed": config.seed,
        # Before it is read: should a run replace it meanwhile, this file counts for nothing.
        "policy_sha256": policy_sha256(folder.path),
        "actions": actions,
    }
    episodes = {"seed": options.seed, "episodes": options.episodes}
    record = stored(path, whose)
    known = episodes.items() <= record.items()
    content = (
        record
        if known
        else {**whose, **episodes, **_played(folder, config, options=options, greedy=greedy)}
    )
    if not options.json:
        print(table(content))
    told, failure = f"already stored: {path}", None
    if not known and (told := why_not_written(path, record, episodes=episodes)) == "":
        try:
            write_json(path, content)
            told = f"written: {path}"
        except DiskError as error:
            failure = error
    if told and not options.json:
        print(told)
    return {"run": str(folder.path), **content}, failure


def stored(path: Path, whose: dict[str, Any]) -> dict[str, Any]:
    """Return what the file at `path` holds if it is of `whose` policy; nothing where it is not."""
    try:
        content = read_json(path) if path.is_file() else {}
    except CheckpointError:
        return {}  # it is damaged, and will be replaced
    return content if whose.items() <= content.items() else {}


def why_not_written(path: Path, record: dict[str, Any], *, episodes: dict[str, int]) -> str:
    """Return why `record` is not replaced: a look at a few episodes must not cost the many."""
    before = record.get("episodes")
    if not isinstance(before, int):
        return ""
    if record.get("seed") == episodes["seed"] and before < episodes["episodes"]:
        return ""
    return f"not written: {path} keeps its {before} episodes of seed {record.get('seed')}"


def _played(
    folder: RunFolder, config: RunConfig, *, options: argparse.Namespace, greedy: bool
) -> dict[str, Any]:
    """Play one way; return what it came to."""
    if sys.stderr.isatty():  # a spinner would be a thread, and games are played by forks
        print(f"playing {options.episodes} episodes", file=sys.stderr)
    episodes = play(folder, config, episodes=options.episodes, seed=options.seed, greedy=greedy)
    return {
        **summary(episodes, game=isinstance(config.task, AtariTask)),
        "returns": episodes.returns.tolist(),
        "lengths": episodes.lengths.tolist(),
        "at_time_limit": episodes.at_limit.tolist(),
        "forward_speeds": None if episodes.speeds is None else episodes.speeds.tolist(),
    }


def summary(episodes: Episodes, *, game: bool = False) -> dict[str, Any]:
    """Return mean, spread and 95% interval of each quantity, by name.

    Args:
        episodes: What was played.
        game: Whether the return is a game's own score, and a score per step means nothing.
    """
    quantities = {
        "return": episodes.returns,
        "score": episodes.returns / episodes.horizon,
        "length": episodes.lengths,
    }
    if game:
        del quantities["score"]
    if episodes.speeds is not None:
        quantities["forward_speed"] = episodes.speeds
    share = float(episodes.at_limit.mean())
    return {name: _moments(values) for name, values in quantities.items()} | {
        "share_at_time_limit": share
    }


def _moments(values: NDArray[Any]) -> dict[str, Any]:
    return {
        "mean": float(np.mean(values)),
        "std": float(np.std(values, ddof=1)) if len(values) > 1 else None,
        "interval95": mean_interval(values),
    }


def table(content: dict[str, Any]) -> str:
    """Return the numbers as lines for a person."""
    words = "the likeliest action" if content["actions"] == "greedy" else "actions sampled"
    count = content["episodes"]
    lines = [
        f"{content['task']}, {content['algo']}, seed {content['run_seed']}: "
        f"{count} episodes, {words}, episodes' seed {content['seed']}",
        "",
        f"{'':<16}{'mean':>10}  {'95% interval':<22}{'std':>10}",
    ]
    for key, name, form in (
        ("return", "return" if "score" in content else "game score", ".1f"),
        ("score", "score", ".3f"),
        ("length", "episode length", ".1f"),
        ("forward_speed", "forward m/s", ".3f"),
    ):
        if key in content:
            lines.append(f"{name:<16}{_line(content[key], form)}")
    if content["actions"] == "greedy" and "score" not in content:
        different = len(set(zip(content["returns"], content["lengths"], strict=True)))
        lines += [
            "",
            f"{different} different games: greedy ones differ by their first no-ops alone",
        ]
    reached = round(content["share_at_time_limit"] * count)
    lines += ["", f"{reached} of {count} episodes reached the time limit"]
    return "\n".join(lines)


def _line(moments: dict[str, Any], form: str) -> str:
    """Return one quantity's numbers."""
    interval = moments["interval95"]
    between = f"{interval[0]:{form}} to {interval[1]:{form}}" if interval else "one episode: none"
    spread = f"{moments['std']:{form}}" if moments["std"] is not None else "-"
    return f"{moments['mean']:>10{form}}  {between:<22}{spread:>10}"
