"""MDPs for the tests of the theory, and the slow ways to what `mdp.py` solves for."""

from __future__ import annotations

import numpy as np

from trpo_repro.theory.instances import random_pairs
from trpo_repro.theory.mdp import MDPs, Pair


def pairs(seed: int, count: int = 20, states: int = 3, actions: int = 2) -> Pair:
    return random_pairs(np.random.default_rng(seed), count, size=(states, actions))


def one(mdps: MDPs, number: int) -> MDPs:
    """Return MDP `number` alone."""
    fields = (mdps.transitions, mdps.rewards, mdps.start, mdps.discount)
    return MDPs(*(field[number : number + 1] for field in fields))


def state_sequence(mdps: MDPs, policy: np.ndarray, number: int, length: int) -> np.ndarray:
    """Return P(s_t = s) by stepping with plain loops, shape (length, s)."""
    states, actions = policy.shape[1:]
    now, found = mdps.start[number].copy(), []
    for _ in range(length):
        found.append(now)
        following = np.zeros(states)
        for s in range(states):
            for a in range(actions):
                following += now[s] * policy[number, s, a] * mdps.transitions[number, s, a]
        now = following
    return np.array(found)


def long_enough(mdps: MDPs, number: int) -> int:
    return int(np.ceil(np.log(1e-15) / np.log(mdps.discount[number])))


def value_by_iteration(mdps: MDPs, policy: np.ndarray, number: int) -> np.ndarray:
    """Return V by repeating Bellman's backup."""
    value = np.zeros(policy.shape[1])
    for _ in range(long_enough(mdps, number) + 50):
        following = mdps.transitions[number] @ value
        value = mdps.rewards[number] + mdps.discount[number] * (policy[number] * following).sum(-1)
    return value
