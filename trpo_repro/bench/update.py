"""The update's parts against each other."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from trpo_repro.bench.measurement import Measurement, against, in_turn, seconds, short
from trpo_repro.optim.step import NaturalDirection
from trpo_repro.optim.surrogate import Batch, SinglePathSurrogate
from trpo_repro.parallel import Workers, available_cores
from trpo_repro.policies.policy import Policy
from trpo_repro.types import ActionSpace

PRODUCTS = 10  # App. C.1
SHARE = 0.1  # likewise
DAMPING = 1e-3


def products_against_gradient(rows: int, rounds: int) -> list[Measurement]:
    """Measure ten Fisher-vector products on 10% of a batch, and the empirical products."""
    surrogate, vector = on_noise(rows, Workers(available_cores()))
    actions = {
        "gradient": seconds(lambda: gradient(surrogate)),
        "analytic": seconds(lambda: ten_products(surrogate, vector)),
        "empirical": seconds(lambda: ten_products(surrogate, vector, empirical=True)),
    }
    times = in_turn(actions, rounds, warm_up=True)
    note = "subsample and linearisation included"
    name = f"ten products on 10% / gradient, {short(rows)}"
    other = f"products, empirical / analytic, {short(rows)}"
    analytic, empirical, reference = times["analytic"], times["empirical"], times["gradient"]
    return [
        against(
            name, analytic, references=reference, target=1.2, note=note, unit="s", at_most=True
        ),
        against(
            other, empirical, references=analytic, target=1.1, note=note, unit="s", at_most=True
        ),
    ]


def on_noise(rows: int, workers: Workers) -> tuple[SinglePathSurrogate, Tensor]:
    """Return the surrogate of a batch of noise, at hopper's sizes, and (P,) noise to multiply."""
    policy = Policy(11, ActionSpace("continuous", (3,)), hidden_sizes=[50, 50], initial_std=1.0)
    theta = policy.initial_parameters(np.random.default_rng(0))
    torch.manual_seed(0)
    batch = Batch(torch.randn(rows, 11), torch.randn(rows, 3), torch.randn(rows))
    surrogate = SinglePathSurrogate(policy, theta, batch=batch, workers=workers)
    return surrogate, torch.randn(policy.parameter_count).double()


def gradient(surrogate: SinglePathSurrogate) -> Tensor:
    """Return the gradient of the whole batch, computed anew."""
    s = surrogate
    return SinglePathSurrogate(s.policy, s.theta_old, batch=s.batch, workers=s.workers).gradient


def ten_products(
    surrogate: SinglePathSurrogate, vector: Tensor, *, empirical: bool = False
) -> None:
    """Multiply `vector` as conjugate gradients would, on a tenth of the states."""
    direction = NaturalDirection(PRODUCTS, DAMPING, SHARE, empirical)
    product = direction.fisher(surrogate, np.random.default_rng(0))
    for _ in range(PRODUCTS):
        product(vector)
