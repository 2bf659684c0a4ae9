"""The vine's estimators of L (Sec. 5.2): several actions for each state."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trpo_repro.optim.surrogate import Surrogate
from trpo_repro.parallel import Workers
from trpo_repro.policies.policy import Policy


@dataclass(frozen=True)
class VineBatch:
    """What the vine's update sees.

    Attributes:
        observations: (N, D) float32, normalised; of games uint8, pixels as they are.
        actions: (N, K, A) from each state.
        q_values: (N, K) float32. A constant added to a state's K values changes no gradient.
        log_q: (N, K) float32, log q(a|s) of the proposal; any constant per state may be left out.
        exhaustive: True where the K actions are all there are (Eq. 15), False for Eq. 16.
    """

    observations: Tensor
    actions: Tensor
    q_values: Tensor
    log_q: Tensor
    exhaustive: bool

    def to(self, device: str) -> VineBatch:
        """Return the batch on `device`."""
        return VineBatch(
            self.observations.to(device),
            self.actions.to(device),
            self.q_values.to(device),
            self.log_q.to(device),
            self.exhaustive,
        )


class VineSurrogate(Surrogate):
    """L(θ) = mean over s_n of L_n(θ).

    Eq. (15), all actions: L_n = Σ_k π_θ(a_k|s_n) Q(s_n, a_k).
    Eq. (16), self-normalised: L_n = Σ_k w_nk Q_nk / Σ_k w_nk with w = π_θ(a|s)/q(a|s). The paper
    prints π_θ/π_old, because its q is π_old there.
    """

    def __init__(
        self, policy: Policy, theta_old: Tensor, *, batch: VineBatch, workers: Workers
    ) -> None:
        """Take a batch whose rollouts followed the policy at `theta_old`."""
        self.batch = batch
        self.value_old = torch.empty(len(batch.observations), device=theta_old.device)
        super().__init__(policy, theta_old, observations=batch.observations, workers=workers)

    def _remember(self, rows: slice, mu: Tensor) -> None:
        self.value_old[rows] = self._values(rows, mu)

    def _gain(self, rows: slice, mu: Tensor) -> Tensor:
        return (self._values(rows, mu) - self.value_old[rows]).sum()

    def _values(self, rows: slice, mu: Tensor) -> Tensor:
        """Return L_n of each state in `rows`."""
        batch = self.batch
        log_prob = self.policy.distribution.log_prob(mu[:, None], batch.actions[rows])
        if batch.exhaustive:
            weights = log_prob.exp()  # Eq. (15)
        else:
            weights = torch.softmax(log_prob - batch.log_q[rows], dim=1)  # Eq. (16)
        return (weights * batch.q_values[rows]).sum(dim=1)
