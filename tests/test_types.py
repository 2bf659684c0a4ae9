"""The data between the stages."""

import numpy as np
import pytest

from trpo_repro.types import ActionSpace, Trajectories, chunks


def some_trajectories(lengths, first=0.0):
    count = sum(lengths)
    return Trajectories(
        observations=np.arange(count, dtype=np.float32)[:, None] + np.float32(first),
        actions=np.zeros((count, 1), np.float32),
        rewards=first + np.arange(count, dtype=np.float64),
        lengths=np.array(lengths),
        terminated=np.ones(len(lengths), np.bool_),
        final_observations=np.zeros((len(lengths), 1), np.float32),
        final_states=np.zeros((len(lengths), 1)),
    )


def test_starts_and_returns_are_those_of_each_episode():
    trajectories = some_trajectories([2, 1, 3])
    assert trajectories.starts.tolist() == [0, 2, 3]
    assert trajectories.returns.tolist() == [0 + 1, 2, 3 + 4 + 5]


def test_joined_groups_keep_their_episodes_in_order():
    joined = Trajectories.concatenate([some_trajectories([2, 1]), some_trajectories([3], 10.0)])
    assert joined.lengths.tolist() == [2, 1, 3]
    assert joined.returns.tolist() == [1, 2, 33]
    assert joined.states is None


@pytest.mark.parametrize(("count", "size"), [(0, 4), (1, 4), (4, 4), (9, 4)])
def test_chunks_cover_every_row_once_in_order(count, size):
    slices = list(chunks(count, size))
    rows = [row for part in slices for row in range(part.start, part.stop)]
    assert rows == list(range(count))
    assert all(part.stop - part.start == size for part in slices[:-1])


def test_an_action_has_a_number_for_each_real_or_factor():
    assert ActionSpace("continuous", (3,)).dimension == 3
    assert ActionSpace("discrete", (3, 3, 2)).dimension == 3
