"""C10 and C11: how much of an advantage estimate is noise, with vines and without.

From the same states the same actions are taken again and again, each time with new noise behind
them: what then varies is the estimate's own variance.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from trpo_repro.measurements.row import Row, ratio_row
from trpo_repro.policies.policy import Actor
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.seeding import Streams, stream
from trpo_repro.types import Arrays, Floats, States

STATES = 1000
ACTIONS = 4  # K of Table 2
LENGTH = 100  # of a rollout on hopper and walker, Table 2
REPEATS = 16
TRUNK = 500_000  # steps of the trajectories that the states are of: hundreds of episodes, for those
# of one are too much alike to count as many
DISCOUNT = 0.99


def variance(name: str, sampler: Sampler, *, arrays: Arrays) -> list[Row]:
    """Return the ratios of variances at one policy.

    Args:
        name: Of the task and the policy.
        sampler: The task; it keeps states.
        arrays: θ and the moments of observations.
    """
    normaliser = Normaliser.from_arrays(arrays)
    trunk = sampler.batch(
        arrays["theta"], normaliser, streams=Streams(0, (name,)), steps=TRUNK, expected_length=0
    )
    assert trunk.states is not None
    rng = stream(0, name, "states")
    count = min(STATES, len(trunk.rewards))
    states = trunk.states[np.sort(rng.choice(len(trunk.rewards), count, replace=False))]
    act = sampler.policy.actor(arrays["theta"])
    actions = _first_actions(sampler, act, normaliser=normaliser, states=states, rng=rng)
    q_values = partial(
        _q_values, sampler, act, normaliser=normaliser, states=states, actions=actions, rng=rng
    )
    own, common = (
        np.stack([q_values(shared=shared) for _ in range(REPEATS)]) for shared in (False, True)
    )
    single = own.var(axis=0, ddof=1).mean(axis=1)  # (N,) of Q itself
    without, with_it = (_advantages(q).var(axis=0, ddof=1).mean(axis=1) for q in (own, common))
    return [
        ratio_row("vine / single path", name, above=with_it, below=single, unit="states"),
        ratio_row("with / without", name, above=with_it, below=without, unit="states"),
    ]


def _advantages(q_values: Floats) -> Floats:
    """Return each Q less the mean of its state's K − 1 others, an unbiased estimate of A.

    Less the mean of all K, the advantage itself would be 1 − 1/K of what it is, and the variance
    would fall whatever the noise.

    Args:
        q_values: (..., K).
    """
    count = q_values.shape[-1]
    advantages: Floats = (q_values - q_values.mean(axis=-1, keepdims=True)) * count / (count - 1)
    return advantages


def _first_actions(
    sampler: Sampler,
    act: Actor,
    *,
    normaliser: Normaliser,
    states: States,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return (N·K, A) actions of the policy, those of one state in a row."""
    noise = sampler.policy.distribution.noise(rng, (len(states) * ACTIONS,))
    observed = normaliser(sampler.simulator.observe(states))
    return act(np.repeat(observed, ACTIONS, axis=0), noise)


def _q_values(
    sampler: Sampler,
    act: Actor,
    *,
    normaliser: Normaliser,
    states: States,
    actions: NDArray[np.float32],
    rng: np.random.Generator,
    shared: bool,
) -> Floats:
    """Return (N, K) discounted sums of rewards, with noise of their own or `shared` by a state."""
    count, simulator = len(states), sampler.simulator
    shape = (count, 1 if shared else ACTIONS, LENGTH - 1)
    noise = sampler.policy.distribution.noise(rng, shape)
    noise = np.broadcast_to(noise, (count, ACTIONS, *noise.shape[2:]))
    noise = noise.reshape(count * ACTIONS, *noise.shape[2:])
    row = np.arange(count * ACTIONS)
    states, q_values = simulator.copy(states[row // ACTIONS]), np.zeros(count * ACTIONS)
    for step in range(LENGTH):
        states, rewards, terminated = simulator.step(states, actions)
        q_values[row] += DISCOUNT**step * rewards
        row, states = row[~terminated], states[~terminated]
        if not len(row) or step == LENGTH - 1:
            break
        actions = act(normaliser(simulator.observe(states)), noise[row, step])
    return q_values.reshape(count, ACTIONS)
