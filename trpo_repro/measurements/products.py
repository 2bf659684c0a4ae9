"""C21 and C22: what Fisher-vector products cost, and that JᵀMJ v is what it stands for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trpo_repro.bench.measurement import in_turn, seconds
from trpo_repro.bench.update import SHARE, gradient, on_noise, ten_products
from trpo_repro.measurements.row import Row, exact_row
from trpo_repro.optim.fisher import FisherProduct, analytic_metric
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy
from trpo_repro.report.statistics import bootstrap_interval


def products(rows: int, rounds: int) -> list[Row]:
    """Time products, a gradient and double backward in turn, on one thread and hopper's sizes."""
    workers = Workers(1)
    surrogate, vector = on_noise(rows, workers)
    policy, theta = surrogate.policy, surrogate.theta_old
    observations = surrogate.batch.observations[: round(SHARE * rows)]

    def one_product() -> Tensor:
        metric = analytic_metric(policy)
        return FisherProduct(
            policy, theta, observations=observations, metric=metric, damping=0.0, workers=workers
        )(vector)

    actions = {
        "gradient": seconds(lambda: gradient(surrogate)),
        "ten": seconds(lambda: ten_products(surrogate, vector)),
        "analytic": seconds(one_product),
        "twice": seconds(
            lambda: double_backward(policy, theta, observations=observations, vector=vector)
        ),
    }
    times = in_turn(actions, rounds, warm_up=True)
    exact = double_backward(
        policy, theta.double(), observations=observations.double(), vector=vector
    )
    error = float((one_product() - exact).norm() / exact.norm())
    share = f"{len(observations)} states"
    return [
        _ratio(
            "products / gradient", f"{rows} states", values=times["ten"], others=times["gradient"]
        ),
        _ratio("JᵀMJ / double backward", share, values=times["analytic"], others=times["twice"]),
        exact_row("relative difference", share, value=error, n="1 vector"),
    ]


def double_backward(
    policy: Policy, theta: Tensor, *, observations: Tensor, vector: Tensor
) -> Tensor:
    """Return the Hessian of the mean KL(old‖θ) times `vector`, by differentiating twice."""
    leaf = theta.clone().requires_grad_()
    with torch.no_grad():
        old = policy.mu(theta, observations)
    kl = policy.distribution.kl(old, policy.mu(leaf, observations)).mean()
    (gradient,) = torch.autograd.grad(kl, leaf, create_graph=True)
    return torch.autograd.grad(gradient @ vector.to(theta.dtype), leaf)[0].double()


def _ratio(quantity: str, size: str, *, values: Sequence[float], others: Sequence[float]) -> Row:
    """Return the median of the rounds' ratios, with a bootstrap interval over the rounds."""
    ratios = np.array(values) / np.array(others)
    middle = float(np.median(ratios))
    low, high = bootstrap_interval(ratios, _median) or (middle, middle)
    return Row(quantity, size, middle, low, high, f"{len(ratios)} rounds")


def _median(values: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(np.median(values, axis=-1))
