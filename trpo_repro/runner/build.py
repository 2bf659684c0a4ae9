"""From a checked configuration to the objects that train: the one place that knows both."""

from __future__ import annotations

import dataclasses

from trpo_repro.algorithms.single_path import SinglePath
from trpo_repro.config import RunConfig
from trpo_repro.errors import MissingDependency
from trpo_repro.optim.step import NaturalDirection
from trpo_repro.optim.trust_region import TrustRegion
from trpo_repro.parallel import Workers, available_cores
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.baselines import BASELINES
from trpo_repro.sampling.single_path import Sampler, group_count
from trpo_repro.tasks import make_task
from trpo_repro.types import Algorithm, Simulator


def build_simulator(config: RunConfig, threads: int) -> Simulator:
    """Return the task; cores that outnumber the sampling groups go to the physics engine."""
    settings = dataclasses.asdict(config.task)
    name = settings.pop("name")
    horizon = config.task.horizon or 1000
    groups = group_count(config.steps_per_iter, horizon)
    return make_task(name, threads=max(1, threads // groups), **settings)


def build_sampler(config: RunConfig, *, greedy: bool = False) -> Sampler:
    """Return task, policy and threads together."""
    threads = config.threads or available_cores()
    simulator = build_simulator(config, threads)
    policy = Policy(
        simulator.observation_size,
        simulator.actions,
        hidden_sizes=config.policy.hidden_sizes,
        initial_std=config.policy.initial_std,
    )
    return Sampler(simulator, policy, Workers(threads), greedy)


def build_algorithm(config: RunConfig) -> Algorithm:
    """Return the learner that `config` describes."""
    check_device(config.device)
    sampler = build_sampler(config)
    estimator, algo = config.estimator, config.algo
    return SinglePath(
        sampler=sampler,
        baseline=BASELINES[estimator.baseline](sampler.simulator.observation_size, sampler.workers),
        update=TrustRegion(
            stepsize=algo.stepsize,
            direction=NaturalDirection(algo.cg_iterations, algo.damping, algo.fisher_fraction),
            shrink=algo.line_search_shrink,
            max_backtracks=algo.max_backtracks,
        ),
        seed=config.seed,
        steps=config.steps_per_iter,
        discount=estimator.discount,
        lambda_=estimator.lambda_,
        normalise=estimator.normalise_observations,
        device=config.device,
    )


def check_device(device: str) -> None:
    """Refuse a GPU that is not there, instead of computing elsewhere in silence."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise MissingDependency(
            "torch sees no CUDA device", where="device=cuda", fix="use device=cpu"
        )
