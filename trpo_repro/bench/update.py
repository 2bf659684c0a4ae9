"""The update's parts against each other."""

from __future__ import annotations

import numpy as np
import torch

from trpo_repro.bench.measurement import Measurement, against, in_turn, seconds, short
from trpo_repro.optim.step import NaturalDirection
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.parallel import Workers, available_cores
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

PRODUCTS = 10  # App. C.1


def products_against_gradient(rows: int, rounds: int) -> list[Measurement]:
    """Measure ten Fisher-vector products on 10% of a batch, and the empirical products."""
    policy = Policy(11, ActionSpace("continuous", (3,)), hidden_sizes=[50, 50], initial_std=1.0)
    theta = policy.initial_parameters(np.random.default_rng(0))
    workers = Workers(available_cores())
    torch.manual_seed(0)
    batch = Batch(torch.randn(rows, 11), torch.randn(rows, 3), torch.randn(rows))
    surrogate = SinglePathSurrogate(policy, theta, batch, workers)
    vector = torch.randn(policy.parameter_count).double()

    def products(*, empirical: bool) -> None:
        direction = NaturalDirection(PRODUCTS, 1e-3, 0.1, empirical)
        product = direction.fisher(surrogate, np.random.default_rng(0))
        for _ in range(PRODUCTS):
            product(vector)

    actions = {
        "gradient": seconds(lambda: SinglePathSurrogate(policy, theta, batch, workers)),
        "analytic": seconds(lambda: products(empirical=False)),
        "empirical": seconds(lambda: products(empirical=True)),
    }
    times = in_turn(actions, rounds, warm_up=True)
    note = "subsample and linearisation included"
    name = f"ten products on 10% / gradient, {short(rows)}"
    other = f"products, empirical / analytic, {short(rows)}"
    analytic, empirical, gradient = times["analytic"], times["empirical"], times["gradient"]
    return [
        against(name, analytic, gradient, target=1.2, note=note, unit="s", at_most=True),
        against(other, empirical, analytic, target=1.1, note=note, unit="s", at_most=True),
    ]
