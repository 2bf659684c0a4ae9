"""Single path under a KL penalty whose coefficient goes on from iteration to iteration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import cast

import numpy as np

from trpo_repro.algorithms.single_path import SinglePath
from trpo_repro.optim.kl_penalty import KlPenalty
from trpo_repro.optim.step import Outcome
from trpo_repro.types import Arrays, Row


@dataclass(frozen=True)
class AdaptivePenalty:
    """Dual gradient descent: a step under λ, then a step of λ, which is one of the arrays.

    Attributes:
        learner: Samples, estimates and steps; its update gives way to one with the current λ.
        update: The penalised update, with the first iteration's λ.
    """

    learner: SinglePath
    update: KlPenalty

    def initial(self) -> Arrays:
        """Draw the first policy; λ begins where the configuration says."""
        return {**self.learner.initial(), "penalty": np.array(self.update.penalty)}

    def policy(self, arrays: Arrays) -> Arrays:
        """Return θ and the observation moments."""
        return self.learner.policy(arrays)

    def iterate(self, arrays: Arrays, iteration: int) -> tuple[Arrays, Row]:
        """Take an iteration of single path under λ; then move λ by the KL that came of it."""
        update = replace(self.update, penalty=float(arrays["penalty"]))
        new_arrays, row = replace(self.learner, update=update).iterate(arrays, iteration)
        row["penalty"] = update.penalty
        # A step that was not a number has no KL to go by. Where others failed, it is 0.
        if row["outcome"] != Outcome.NOT_FINITE:
            update = update.adapted(cast(float, row["kl_mean"]))
        return {**new_arrays, "penalty": np.array(update.penalty)}, row
