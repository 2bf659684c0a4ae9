"""The steps of a group as they come, and as whole episodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trpo_repro.memory import trim
from trpo_repro.sampling.finite import require_finite
from trpo_repro.types import States, Trajectories


class Record:
    """Collects steps as they come, side by side, and hands them out episode by episode."""

    def __init__(self, observe: Callable[[States], NDArray[Any]]) -> None:
        self._observe = observe
        self._observations: list[NDArray[Any]] = []
        self._steps: list[tuple[NDArray[Any], ...]] = []
        self._ends: list[tuple[NDArray[Any], ...]] = []

    def add_step(self, observations: NDArray[Any], *columns: NDArray[Any]) -> None:
        """Note observations, actions, rewards, episode, age and maybe states, (n, …) each."""
        self._observations.append(observations)
        self._steps.append(columns)

    def add_ends(
        self,
        rows: NDArray[np.int64],
        episode: NDArray[np.int64],
        *,
        age: NDArray[np.int64],
        terminated: NDArray[np.bool_],
        states: States,
    ) -> None:
        """Note how the episodes in `rows` ended, and in which of all `states`."""
        final = states[rows]
        observed = self._observe(final)
        self._ends.append((episode[rows], age[rows], terminated[rows], observed, final))

    def trajectories(self, episodes: int) -> Trajectories:
        """Put every step behind its predecessor of the same episode."""
        columns = [np.concatenate(column) for column in zip(*self._steps, strict=True)]
        actions, rewards, episode, age = columns[:4]
        require_finite(rewards, self._observations, place=partial(_place, episode, age))
        ended, lengths, terminated, final, states = map(
            np.concatenate, zip(*self._ends, strict=True)
        )
        require_finite(np.zeros(len(final)), [final], place=partial(_place, ended, lengths))
        order = np.argsort(ended)
        assert np.array_equal(ended[order], np.arange(episodes)), "an episode did not end once"
        lengths = lengths[order]
        place = (np.cumsum(lengths) - lengths)[episode] + age

        def sort(values: NDArray[Any]) -> NDArray[Any]:
            result = np.empty_like(values)
            result[place] = values
            return result

        return Trajectories(
            observations=self._sorted_observations(place),
            actions=sort(actions),
            rewards=sort(rewards),
            lengths=lengths,
            terminated=terminated[order],
            final_observations=final[order],
            final_states=states[order],
            states=sort(columns[4]) if len(columns) > 4 else None,
        )

    def _sorted_observations(self, place: NDArray[np.int64]) -> NDArray[Any]:
        """Return the observations, row i of all at `place[i]`; each step is forgotten at once.

        They are most of a batch, which is not to be there twice.
        """
        first = self._observations[0]
        result = np.empty((len(place), *first.shape[1:]), first.dtype)
        begin = 0
        for step, rows in enumerate(self._observations):
            result[place[begin : begin + len(rows)]] = rows
            begin += len(rows)
            self._observations[step] = result[:0]
        trim()
        return result


def _place(episode: NDArray[np.int64], age: NDArray[np.int64], row: int) -> str:
    """Say where the step of `row` happened."""
    return f"episode {episode[row]}, step {age[row]}"
