"""From a checked configuration to the objects that train: the one place that knows both."""

from __future__ import annotations

import dataclasses
import math
from typing import cast

from trpo_repro.algorithms.adaptive_penalty import AdaptivePenalty
from trpo_repro.algorithms.black_box import BlackBox, Cem, Cma
from trpo_repro.algorithms.single_path import SinglePath
from trpo_repro.algorithms.vine import Vine
from trpo_repro.config import RunConfig, simulator_settings
from trpo_repro.errors import ConfigError, MissingDependency
from trpo_repro.optim.cem import CrossEntropy
from trpo_repro.optim.cma import CovarianceMatrixAdaptation
from trpo_repro.optim.kl_penalty import KlPenalty
from trpo_repro.parallel import Forks, Workers, available_cores
from trpo_repro.policies.policy import Policy
from trpo_repro.ranks import ALONE, Ranks
from trpo_repro.runner.sizes import check_parameters, convolutions
from trpo_repro.runner.updates import build_update
from trpo_repro.sampling.baselines import BASELINES, Baseline
from trpo_repro.sampling.grouping import GAMES, group_count
from trpo_repro.sampling.local_vine import LocalSimulator, LocalVineSampler
from trpo_repro.sampling.population import PopulationSampler
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.sampling.vine import Proposal, VineSampler
from trpo_repro.settings import (
    AtariTask,
    CartpoleTask,
    CemConfig,
    CmaConfig,
    GymTask,
    NaturalGradientConfig,
    PixelPolicyConfig,
    SinglePathConfig,
    VineConfig,
)
from trpo_repro.tasks import make_task
from trpo_repro.tasks.atari_screen import STACK
from trpo_repro.types import ActionSpace, Algorithm, Simulator

FEW_ACTIONS = 6  # Eq. (15) where there are no more


def build_simulator(config: RunConfig, threads: int, *, ranks: Ranks = ALONE) -> Simulator:
    """Return the task; cores that outnumber the sampling groups go to the physics engine."""
    horizon = config.task.horizon or 1000
    groups = math.ceil(group_count(config.steps_per_iter, horizon) / ranks.count)
    settings = simulator_settings(config.task)
    return make_task(config.task.name, threads=max(1, threads // groups), **settings)


def build_sampler(config: RunConfig, *, greedy: bool = False, ranks: Ranks = ALONE) -> Sampler:
    """Return task, policy, threads and ranks together."""
    threads = config.threads or max(1, available_cores() // ranks.local)
    simulator = build_simulator(config, threads, ranks=ranks)
    policy, workers = build_policy(config, simulator), Workers(threads, ranks)
    if isinstance(config.task, AtariTask):
        return Sampler(simulator, policy, workers, greedy, grouping=GAMES, stack=STACK)
    return Sampler(simulator, policy, workers, greedy)


def build_policy(config: RunConfig, simulator: Simulator) -> Policy:
    """Return the policy's architecture.

    Raises:
        ConfigError: It has too many parameters.
    """
    settings, size = config.policy, simulator.observation_size
    if isinstance(settings, PixelPolicyConfig):
        policy = Policy(
            size,
            simulator.actions,
            hidden_sizes=settings.hidden_sizes,
            convolutions=convolutions(settings),
        )
    else:
        policy = Policy(
            size,
            simulator.actions,
            hidden_sizes=settings.hidden_sizes,
            initial_std=settings.initial_std,
        )
    check_parameters(config, policy.parameter_count)
    return policy


def build_algorithm(config: RunConfig, ranks: Ranks = ALONE) -> Algorithm:
    """Return the learner that `config` describes, or this process's part of it."""
    check_device(config.device)
    algo = config.algo
    if isinstance(algo, (CemConfig, CmaConfig)):
        return _black_box(config, algo, ranks=ranks)
    if isinstance(algo, VineConfig):
        return _vine(config, algo, ranks=ranks)
    sampler, estimator = build_sampler(config, ranks=ranks), config.estimator
    if count := _processes(sampler, config):
        sampler = sampler.forked(count)
    update = build_update(algo)
    learner = SinglePath(
        sampler=sampler,
        baseline=_baseline(config, sampler),
        update=update,
        seed=config.seed,
        steps=config.steps_per_iter,
        discount=estimator.discount,
        lambda_=estimator.lambda_,
        normalise=estimator.normalise_observations,
        device=config.device,
        reward_bound=_reward_bound(config),
        standardise=(
            not isinstance(algo, (NaturalGradientConfig, SinglePathConfig))
            or algo.standardise_advantages
        ),
    )
    return AdaptivePenalty(learner, update) if isinstance(update, KlPenalty) else learner


def _reward_bound(config: RunConfig) -> float:
    """Return what a reward counts for at most in training."""
    bound = config.task.reward_bound if isinstance(config.task, AtariTask) else None
    return math.inf if bound is None else bound


def _processes(sampler: Sampler, config: RunConfig) -> int:
    """Return how many processes sample instead of threads: 0 where none is worth its start."""
    groups = group_count(
        config.steps_per_iter, sampler.simulator.horizon, grouping=sampler.grouping
    )
    if isinstance(config.task, AtariTask):  # later batches have more groups than the first
        groups = sampler.grouping.most
    count = min(sampler.workers.threads, math.ceil(groups / sampler.workers.ranks.count))
    light = isinstance(config.task, CartpoleTask)
    return count if Forks.available() and count > 1 and not light else 0


def _states_stay(config: RunConfig, simulator: Simulator) -> bool:
    """Tell whether states are Gymnasium's objects: MuJoCo's would come out of a pickle as new."""
    if not isinstance(config.task, GymTask):
        return False
    from trpo_repro.tasks.gymnasium_task import GymnasiumTask

    return isinstance(simulator, GymnasiumTask)


def _baseline(config: RunConfig, sampler: Sampler) -> Baseline:
    """Return the baseline that the configuration names."""
    kind = BASELINES[config.estimator.baseline]
    return kind(sampler.simulator.observation_size, sampler.workers)


def _vine(config: RunConfig, algo: VineConfig, *, ranks: Ranks) -> Vine:
    """Return vine TRPO."""
    sampler = dataclasses.replace(build_sampler(config, ranks=ranks), keep_states=True)
    states_stay = _states_stay(config, sampler.simulator)
    if not ranks.alone and states_stay:
        raise ConfigError(
            "vine on Gymnasium's own environments is for one process, where they stay",
            where="torchrun",
            fix="run it without torchrun, or use algo=single_path",
        )
    branches = VineSampler(
        sampler.simulator,
        sampler.policy,
        sampler.workers,
        rollouts_per_state=algo.rollouts_per_state,
        rollout_length=algo.rollout_length,
        discount=config.estimator.discount,
        proposal=_proposal(algo.proposal, sampler.simulator.actions),
        common_random_numbers=algo.common_random_numbers,
        reward_bound=_reward_bound(config),
    )
    local = None
    if isinstance(config.task, AtariTask):
        local = LocalVineSampler(cast(LocalSimulator, sampler.simulator), sampler, branches)
    count = 0 if states_stay else _processes(sampler, config)
    if count:
        if local:
            local = local.forked(count)
        else:
            sampler, branches = sampler.forked(count), branches.forked(count)
    return Vine(
        sampler=sampler,
        branches=branches,
        baseline=_baseline(config, sampler),
        update=build_update(algo),
        seed=config.seed,
        steps=config.steps_per_iter,
        trunk_steps=algo.trunk_steps,
        normalise=config.estimator.normalise_observations,
        device=config.device,
        local=local,
    )


def _proposal(name: str, actions: ActionSpace) -> Proposal:
    """Return q(a|s), `auto` resolved by the kind and number of actions."""
    if name == "auto":
        if actions.kind == "continuous":
            return "policy"
        return "all" if math.prod(actions.sizes) <= FEW_ACTIONS else "uniform"
    if actions.kind == "continuous" and name != "policy":
        raise ConfigError(
            f"algo.proposal={name} needs discrete actions", fix="use algo.proposal=policy"
        )
    return cast(Proposal, name)


def _black_box(config: RunConfig, algo: CemConfig | CmaConfig, *, ranks: Ranks) -> BlackBox:
    """Return a derivative-free search."""
    base = build_sampler(config, ranks=ranks)
    sampler = PopulationSampler(
        base.simulator, base.policy, base.workers, greedy=algo.play == "mean"
    )
    if count := _processes(base, config):
        sampler = sampler.forked(count)
    seed, steps = config.seed, config.steps_per_iter
    learned = algo.normalise_generations if config.estimator.normalise_observations else 0
    if isinstance(algo, CmaConfig):
        adaptation = CovarianceMatrixAdaptation(
            algo.initial_std, algo.population, algo.diagonal, seed
        )
        return Cma(sampler, seed, steps, learned, adaptation)
    entropy = CrossEntropy(algo.population, algo.elites, algo.extra_std, algo.noise_generations)
    return Cem(sampler, seed, steps, learned, entropy, algo.initial_std)


def check_device(device: str) -> None:
    """Refuse a GPU that is not there, instead of computing elsewhere in silence."""
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise MissingDependency(
            "torch sees no CUDA device", where="device=cuda", fix="use device=cpu"
        )
