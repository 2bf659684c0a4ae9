"""Vine on Gymnasium's own environments, whose states cannot leave the process that made them."""

import numpy as np
import pytest

from trpo_repro.cli.compose import run_config
from trpo_repro.errors import ConfigError
from trpo_repro.parallel import Forks
from trpo_repro.ranks import ALONE, Ranks
from trpo_repro.runner.build import build_algorithm
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.seeding import Streams

# Two groups of trunk episodes, and two of states that branch.
SIZES = ("task.horizon=10", "steps_per_iter=1200", "algo.trunk_steps=500", "algo.rollout_length=5")


def vine(name, *overrides, ranks=ALONE):
    settings = ["task=gym", f"task.id={name}", "algo=vine", "scale=smoke", *SIZES]
    return build_algorithm(run_config([*settings, *overrides]), ranks)


@pytest.mark.parametrize("name", ["HalfCheetah-v5", "Pendulum-v1"])
def test_threads_move_no_bit(name):
    one, two = (vine(name, f"threads={threads}") for threads in (1, 2))
    here, there = (algorithm.iterate(algorithm.initial(), 0)[0] for algorithm in (one, two))
    for key, array in here.items():
        np.testing.assert_array_equal(array, there[key])


@pytest.mark.skipif(not Forks.available(), reason="this system does not fork safely")
def test_what_the_batched_engine_steps_keeps_its_processes():
    algorithm = vine("Hopper-v5", "threads=2")
    assert algorithm.sampler.forks
    assert algorithm.branches.forks


@pytest.mark.skipif(not Forks.available(), reason="this system does not fork safely")
def test_single_path_has_processes_too_and_sends_no_environment_between_them():
    settings = ["task=gym", "task.id=HalfCheetah-v5", "scale=smoke", *SIZES[:2]]
    one, two = (
        build_algorithm(run_config([*settings, f"threads={threads}"]), ALONE) for threads in (1, 2)
    )
    assert two.sampler.forks
    here, there = (algorithm.iterate(algorithm.initial(), 0)[0] for algorithm in (one, two))
    for key, array in here.items():
        np.testing.assert_array_equal(array, there[key])
    theta, normaliser = here["theta"], Normaliser.from_arrays(here)
    sent = two.sampler.episodes(theta, normaliser, streams=Streams(0, ("a batch",)), count=2)
    assert sent.final_states is None


def test_several_ranks_are_refused():
    with pytest.raises(ConfigError, match="own environments is for one process"):
        vine("HalfCheetah-v5", "threads=1", ranks=Ranks(0, 2))
    vine("Hopper-v5", "threads=1", ranks=Ranks(0, 2))  # its states are numbers
