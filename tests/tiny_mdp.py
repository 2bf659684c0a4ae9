"""A small random MDP as a simulator, with everything about it computed exactly beside it."""

import numpy as np
import torch

from trpo_repro.types import ActionSpace, Transition


class TinyMdp:
    """S states, A actions; state S-1 is terminal. The observation is the state, one-hot."""

    def __init__(self, *, states=5, actions=3, discount=0.9, horizon=200, seed=0):
        rng = np.random.default_rng(seed)
        self.transition = rng.dirichlet(np.ones(states), size=(states, actions))
        self.transition[-1] = 0.0
        self.transition[-1, :, -1] = 1.0
        self.reward = rng.normal(size=(states, actions))
        self.reward[-1] = 0.0
        self.discount = discount
        self.observation_size = states
        self.actions = ActionSpace("discrete", (actions,))
        self.horizon = horizon
        self.luck = np.random.default_rng(seed + 1)  # of the transitions

    def reset(self, count, rng):
        return rng.integers(self.observation_size - 1, size=count)

    def observe(self, states):
        return np.eye(self.observation_size, dtype=np.float32)[states]

    def step(self, states, actions):
        chosen = actions[:, 0]
        rewards = self.reward[states, chosen]
        cumulative = self.transition[states, chosen].cumsum(axis=1)
        after = (self.luck.random((len(states), 1)) > cumulative).sum(axis=1)
        after = np.minimum(after, self.observation_size - 1)
        return Transition(after, rewards, after == self.observation_size - 1)

    def copy(self, states):
        return states.copy()

    def q_values(self, policy, theta):
        """Return the exact (S, A) Q of the policy at `theta`."""
        with torch.no_grad():
            logits = policy.mu(theta, torch.eye(self.observation_size))
            pi = logits.softmax(dim=-1).double().numpy()
        size = self.observation_size
        kernel = np.einsum("sa,sat->st", pi, self.transition)
        kernel[-1] = 0.0  # nothing follows the terminal state
        values = np.linalg.solve(
            np.eye(size) - self.discount * kernel, (pi * self.reward).sum(axis=1)
        )
        values[-1] = 0.0
        return self.reward + self.discount * self.transition @ values
