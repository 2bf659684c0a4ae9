"""The same training by SB3-contrib's TRPO, in the same run, for comparison."""

from __future__ import annotations

import statistics
import subprocess
import sys
from importlib.util import find_spec

from trpo_repro.bench.measure import Compose, Measurement
from trpo_repro.config import RunConfig
from trpo_repro.runner.build import build_algorithm
from trpo_repro.runner.checkpoint import Checkpoint
from trpo_repro.runner.loop import train

BATCH = 50_000
ENVIRONMENTS = 16
ITERATIONS = 3

THEIRS = f"""
import time, warnings
warnings.simplefilter("ignore")
from sb3_contrib import TRPO
from stable_baselines3.common.env_util import make_vec_env
environments = make_vec_env("Hopper-v5", n_envs={ENVIRONMENTS}, seed=0)
model = TRPO("MlpPolicy", environments, n_steps={BATCH} // {ENVIRONMENTS}, device="cpu", seed=0,
             policy_kwargs=dict(net_arch=[50, 50]))
for _ in range({ITERATIONS}):
    began = time.perf_counter()
    model.learn({BATCH} // {ENVIRONMENTS} * {ENVIRONMENTS}, reset_num_timesteps=False)
    print({BATCH} / (time.perf_counter() - began), flush=True)
"""


def available() -> bool:
    """Tell whether SB3-contrib is installed."""
    return find_spec("sb3_contrib") is not None


def against_sb3(compose: Compose) -> list[Measurement]:
    """Measure both from their first iterations on, without each one's very first."""
    command = [sys.executable, "-c", THEIRS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    theirs = statistics.median(float(line) for line in done.stdout.split()[1:])
    rows = []
    for name, task, target in [
        ("Hopper-v5 (RK4)", ["task=gym", "task.id=Hopper-v5"], 4.0),
        ("our hopper", ["task=hopper"], 10.0),
    ]:
        config = compose([*task, f"steps_per_iter={BATCH}"])
        ours = _our_speed(config)
        rows.append(
            Measurement(
                f"end to end, {name} / SB3-contrib on Hopper-v5",
                ours,
                "steps/s",
                theirs,
                ours / theirs,
                target,
                False,
                f"first iterations of {BATCH:,} steps, untrained policies, two layers of 50",
            )
        )
    return rows


def _our_speed(config: RunConfig) -> float:
    """Return the median steps a second of the first iterations, the very first left out."""
    algorithm = build_algorithm(config)
    speeds, steps, seconds = [], 0, 0.0
    begin = Checkpoint(0, 0, 0.0, algorithm.initial())
    for _, state in train(algorithm, begin, ITERATIONS):
        speeds.append((state.sim_steps - steps) / (state.wall_s - seconds))
        steps, seconds = state.sim_steps, state.wall_s
    return statistics.median(speeds[1:])
