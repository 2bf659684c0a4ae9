"""The same training by SB3-contrib's TRPO, in the same run, for comparison."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from trpo_repro.bench.measurement import Measurement, against, in_turn
from trpo_repro.bench.sampling import Compose
from trpo_repro.errors import RunFailed
from trpo_repro.runner.build import build_algorithm
from trpo_repro.runner.checkpoint import Checkpoint
from trpo_repro.runner.loop import train

ENVIRONMENTS = 16
ROUNDS = 3

# In a process of its own, so that neither side meets the other's threads and torch settings.
# It takes one iteration for each line that it reads.
THEIRS = """
import sys, time, warnings
warnings.simplefilter("ignore")
from sb3_contrib import TRPO
from stable_baselines3.common.env_util import make_vec_env
batch, environments = int(sys.argv[1]), int(sys.argv[2])
model = TRPO("MlpPolicy", make_vec_env("Hopper-v5", n_envs=environments, seed=0), device="cpu",
             n_steps=batch // environments, seed=0, policy_kwargs=dict(net_arch=[50, 50]))
print("ready", flush=True)
for line in sys.stdin:
    before, began = model.num_timesteps, time.perf_counter()
    model.learn(batch // environments * environments, reset_num_timesteps=False)
    print((model.num_timesteps - before) / (time.perf_counter() - began), flush=True)
"""


def available() -> bool:
    """Tell whether SB3-contrib is installed."""
    return find_spec("sb3_contrib") is not None


def against_sb3(compose: Compose, batch: int) -> list[Measurement]:
    """Measure all three from their first iterations on, in turn, without each one's very first."""
    with _theirs(batch) as theirs:
        actions = {
            "theirs": theirs,
            "Hopper-v5 (RK4)": _ours(compose, "task=gym", "task.id=Hopper-v5", batch=batch),
            "our hopper": _ours(compose, "task=hopper", batch=batch),
        }
        figures = in_turn(actions, ROUNDS, warm_up=True)
    note = f"{ENVIRONMENTS} environments there; iterations 2 to {ROUNDS + 1}; two layers of 50"
    targets = {"Hopper-v5 (RK4)": 4.0, "our hopper": 10.0}
    return [
        against(
            f"end to end, {name} / SB3-contrib on Hopper-v5, {batch:,} steps",
            figures[name],
            figures["theirs"],
            target=target,
            note=note,
        )
        for name, target in targets.items()
    ]


@contextmanager
def _theirs(batch: int) -> Iterator[Callable[[], float]]:
    """Hold a process with their learner; yield what takes an iteration and returns its speed."""
    command = [sys.executable, "-c", THEIRS, str(batch), str(ENVIRONMENTS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        asked, answers = child.stdin, child.stdout
        assert asked is not None
        assert answers is not None

        def speed() -> float:
            asked.write("go\n")
            asked.flush()
            answer = answers.readline()
            if not answer:
                raise RunFailed("SB3-contrib's training failed", fix="see its message above")
            return float(answer)

        answers.readline()
        try:
            yield speed
        finally:
            asked.close()


def _ours(compose: Compose, *overrides: str, batch: int) -> Callable[[], float]:
    """Return what takes the next iteration of our training and returns its speed."""
    algorithm = build_algorithm(compose([*overrides, f"steps_per_iter={batch}"]))
    iterations = train(algorithm, Checkpoint(0, 0, 0.0, algorithm.initial()), ROUNDS + 1)
    done = 0

    def speed() -> float:
        nonlocal done
        began, before = time.perf_counter(), done
        _, state = next(iterations)
        done = state.sim_steps
        return (done - before) / (time.perf_counter() - began)

    return speed
