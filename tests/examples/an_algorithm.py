"""An algorithm: natural gradient steps, each of the length that the KL allows, never searched.

In the project: `optim/<name>.py`; `settings.py` and `conf/algo/<name>.yaml` for its settings;
`runner/updates.py` to make it; `report/style.py` for its colour.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from trpo_repro.cli.compose import run_config
from trpo_repro.optim.step import NaturalDirection, Outcome, StepResult, whole_step
from trpo_repro.optim.surrogate import Surrogate
from trpo_repro.runner.build import build_algorithm


@dataclass(frozen=True)
class UncheckedTrustRegion:
    stepsize: float
    direction: NaturalDirection

    def step(self, surrogate: Surrogate, rng: np.random.Generator) -> StepResult:
        found = self.direction.solve(surrogate, rng)
        if isinstance(found, Outcome):
            return StepResult(surrogate.theta_old, found)  # the old parameters stay, and say why
        return whole_step(surrogate, math.sqrt(2 * self.stepsize / found.curvature) * found.s)


learner = build_algorithm(run_config(["task=cartpole", "threads=1", "steps_per_iter=2000"]))
direction = NaturalDirection(cg_iterations=10, damping=1e-3, fisher_fraction=0.1)
learner = replace(learner, update=UncheckedTrustRegion(0.01, direction))
arrays, scores = learner.initial(), []
for iteration in range(8):
    arrays, row = learner.iterate(arrays, iteration)
    scores.append(row["score"])
assert scores[-1] > 2 * scores[0], scores
