"""The same training by SB3-contrib's TRPO, in the same run, for comparison."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

from trpo_repro.bench.measurement import Measurement, against, in_turn, short
from trpo_repro.bench.sampling import Compose
from trpo_repro.errors import RunFailed
from trpo_repro.runner.build import build_algorithm
from trpo_repro.runner.checkpoint import Checkpoint
from trpo_repro.runner.training import train

ENVIRONMENTS = 16
ROUNDS = 3

# In a process of its own, so that neither side meets the other's threads and torch settings: all
# cores for torch, or one, whichever is faster for it here. It takes one iteration for each line
# that it reads.
THEIRS = """
import sys, time, warnings
warnings.simplefilter("ignore")
import torch
from sb3_contrib import TRPO
from stable_baselines3.common.env_util import make_vec_env

def learner(steps):
    environments = make_vec_env("Hopper-v5", n_envs=int(sys.argv[2]), seed=0)
    return TRPO("MlpPolicy", environments, device="cpu", n_steps=steps, seed=0,
                policy_kwargs=dict(net_arch=[50, 50]))

def speed(model):
    before, began = model.num_timesteps, time.perf_counter()
    model.learn(model.n_steps * model.n_envs, reset_num_timesteps=False)
    return (model.num_timesteps - before) / (time.perf_counter() - began)

def speed_with(threads):
    torch.set_num_threads(threads)
    return speed(learner(steps // 5))

steps = int(sys.argv[1]) // int(sys.argv[2])
torch.set_num_threads(max((torch.get_num_threads(), 1), key=speed_with))
model = learner(steps)
print(torch.get_num_threads(), flush=True)
for line in sys.stdin:
    print(speed(model), flush=True)
"""


def available() -> bool:
    """Tell whether SB3-contrib is installed."""
    return find_spec("sb3_contrib") is not None


def against_sb3(compose: Compose, batch: int) -> list[Measurement]:
    """Measure all three from their first iterations on, in turn, without each one's very first."""
    with _theirs(batch) as (threads, theirs):
        actions = {
            "theirs": theirs,
            "Hopper-v5 (RK4)": _ours(compose, "task=gym", "task.id=Hopper-v5", batch=batch),
            "our hopper": _ours(compose, "task=hopper", batch=batch),
        }
        figures = in_turn(actions, ROUNDS, warm_up=True)
    note = f"end to end, iterations 2 to {ROUNDS + 1}; torch threads there: {threads}"
    targets = {"Hopper-v5 (RK4)": 4.0, "our hopper": 10.0}
    return [
        against(
            f"{name} / SB3-contrib, {short(batch)}",
            figures[name],
            references=figures["theirs"],
            target=target,
            note=note,
        )
        for name, target in targets.items()
    ]


@contextmanager
def _theirs(batch: int) -> Iterator[tuple[int, Callable[[], float]]]:
    """Hold a process with their learner; yield its torch threads, and what takes an iteration.

    The latter returns steps a second.
    """
    command = [sys.executable, "-c", THEIRS, str(batch), str(ENVIRONMENTS)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        asked, answers = child.stdin, child.stdout
        assert asked is not None
        assert answers is not None

        def answer() -> float:
            line = answers.readline()
            if not line:
                raise RunFailed("SB3-contrib's training failed", fix="see its message above")
            return float(line)

        def speed() -> float:
            asked.write("go\n")
            asked.flush()
            return answer()

        try:
            yield int(answer()), speed
        finally:
            child.terminate()  # its input never ends: sampling processes forked since hold it too


def _ours(compose: Compose, *overrides: str, batch: int) -> Callable[[], float]:
    """Return what takes the next iteration of our training and returns its speed."""
    algorithm = build_algorithm(compose([*overrides, f"steps_per_iter={batch}"]))
    iterations = train(algorithm, Checkpoint(0, 0, 0.0, algorithm.initial()), iterations=ROUNDS + 1)
    done = 0

    def speed() -> float:
        nonlocal done
        began, before = time.perf_counter(), done
        _, state = next(iterations)
        done = state.sim_steps
        return (done - before) / (time.perf_counter() - began)

    return speed
