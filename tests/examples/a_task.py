"""A task: many points on a line at a time, pushed towards the origin.

In the project: `tasks/<name>.py`, a line in `tasks/__init__.py`; `settings.py` and
`conf/task/<name>.yaml` for its settings.
"""

import numpy as np

from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.sampling.single_path import Sampler
from trpo_repro.seeding import Streams
from trpo_repro.types import ActionSpace, Transition


class Points:
    observation_size, actions, horizon = 2, ActionSpace("continuous", (1,)), 50

    def reset(self, count, rng):  # (count, 2) positions and velocities
        return rng.uniform(-1, 1, (count, 2))

    def observe(self, states):
        return states.astype(np.float32)

    def step(self, states, actions):  # never writes into `states`
        velocity = states[:, 1] + 0.1 * np.clip(actions[:, 0], -1, 1)
        after = np.stack([states[:, 0] + 0.1 * velocity, velocity], axis=1)
        return Transition(after, 1 - after[:, 0] ** 2, np.abs(after[:, 0]) > 2)

    def copy(self, states):
        return states.copy()


policy = Policy(2, Points.actions, hidden_sizes=[])
theta = policy.initial_parameters(np.random.default_rng(0)).numpy()
sampler = Sampler(Points(), policy, Workers(1))
episodes = sampler.episodes(theta, Normaliser.identity(2), streams=Streams(0, ("a",)), count=20)
assert (len(episodes.lengths), len(episodes.rewards)) == (20, episodes.lengths.sum())
