"""`trpo-repro measure`: what no training run tells of the paper's claims."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from trpo_repro.cli.compose import run_config
from trpo_repro.cli.output import make_folder, write_files
from trpo_repro.cli.overrides import quoted
from trpo_repro.config import RunConfig
from trpo_repro.errors import ConfigError
from trpo_repro.measurements.chance import chance
from trpo_repro.measurements.products import products
from trpo_repro.measurements.row import Row, exact_row
from trpo_repro.measurements.standing import POSES, standing
from trpo_repro.measurements.variance import variance
from trpo_repro.parallel import available_cores
from trpo_repro.report.evaluations import policy_sha256
from trpo_repro.runner.build import build_sampler
from trpo_repro.runner.evaluation import load_policy
from trpo_repro.runner.provenance import cpu_model, git_commit
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.seeding import stream
from trpo_repro.settings import GAMES, AtariTask
from trpo_repro.tasks.atari import PROTOCOLS, cartridge
from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import Arrays

EPISODES = 100
ROUNDS = 25
PRODUCT_ROWS = 50_000  # a batch of scale=bench


def main(options: argparse.Namespace) -> int:
    """Measure, print and write one file a measurement."""
    results = Path(options.results_dir)
    known: dict[str, Callable[[], list[Row]]] = {
        "standing": _standing,
        "variance": lambda: _variance(results),
        "parameters": _parameters,
        "chance": _chance,
        "products": lambda: products(PRODUCT_ROWS, ROUNDS),
    }
    if unknown := [name for name in options.names if name not in known]:
        fix = f"choose of: {', '.join(known)}"
        raise ConfigError(f"no measurement is named {unknown[0]!r}", fix=fix)
    make_folder(results / "measurements")
    for name in options.names or known:
        with Console(stderr=True, highlight=False).status(f"measuring {name}"):
            rows = known[name]()
        for row in rows:
            between = f"[{row.low:.4g}, {row.high:.4g}]"
            print(f"{name}: {row.task}, {row.quantity}: {row.value:.4g} {between}, {row.n}")
        about = {"git_commit": git_commit(), "cpu": cpu_model(), "cores": available_cores()}
        content = {**about, "rows": [dataclasses.asdict(row) for row in rows]}
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        write_files(results / "measurements", {f"{name}.json": text.encode()})
    return 0


def _standing() -> list[Row]:
    """Return what standing still scores on each robot that can."""
    rows = []
    for task in POSES:
        simulator = build_sampler(run_config([f"task={task}"])).simulator
        assert isinstance(simulator, Locomotion)
        rows.append(standing(task, simulator, episodes=EPISODES))
    return rows


def _variance(results: Path) -> list[Row]:
    """Return the variances of advantages at untrained policies and at those stored."""
    rows = []
    for task in ("cartpole", "hopper"):
        config = run_config([f"task={task}", f"results_dir={quoted(str(results))}"])
        sampler = dataclasses.replace(build_sampler(config), keep_states=True)
        theta = sampler.policy.initial_parameters(stream(0, "initial")).numpy()
        nothing = Normaliser.identity(sampler.simulator.observation_size)
        policies: dict[str, Arrays] = {"untrained": {"theta": theta, **nothing.arrays()}}
        folder = RunFolder.of(config)
        if folder.policy.is_file():
            policies["trained"] = load_policy(folder.policy, sampler)
        for name, arrays in policies.items():
            found = variance(f"{task}, {name} policy", sampler, arrays=arrays)
            rows += found if name == "untrained" else [_of(folder, row, config) for row in found]
    return rows


def _of(folder: RunFolder, row: Row, config: RunConfig) -> Row:
    """Return the row with the run whose policy it was measured at."""
    run = folder.path.relative_to(config.results_dir).as_posix()
    sha256 = policy_sha256(folder.path)
    return dataclasses.replace(row, run=run, policy_sha256=sha256 or "")


def _chance() -> list[Row]:
    """Return what a player who chooses anew at every frame scores in each game."""
    rows = []
    for game in GAMES:
        task = run_config([f"task={game}"]).task
        assert isinstance(task, AtariTask)
        no_ops, frames = PROTOCOLS[task.protocol].no_ops, task.horizon * task.frame_skip
        rom = cartridge(game)
        rows.append(chance(game, rom, episodes=EPISODES, no_ops=no_ops, frames=frames))
    return rows


def _parameters() -> list[Row]:
    """Return the number of each policy's parameters."""
    tasks = {"swimmer": "swimmer", "hopper": "hopper", "walker": "walker", "atari": "pong"}
    counts = {
        name: build_sampler(run_config([f"task={task}"])).policy.parameter_count
        for name, task in tasks.items()
    }
    return [
        exact_row("parameters", name, value=count, n="1 network") for name, count in counts.items()
    ]
