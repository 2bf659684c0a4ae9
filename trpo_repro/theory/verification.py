"""Every check on every MDP."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trpo_repro.theory.algorithm_1 import monotone_improvement
from trpo_repro.theory.bounds import section_2, section_3
from trpo_repro.theory.check import Check, joined
from trpo_repro.theory.coupling import appendix_a
from trpo_repro.theory.mdp import Pair


def verify(families: Sequence[Pair], seed: int) -> list[Check]:
    """Return each check on all MDPs of `families`, numbered through, in the paper's order.

    Args:
        families: Batches of MDPs with their policies.
        seed: Of the directions along which gradients are compared.
    """
    rng = np.random.default_rng((seed, 300))
    of_each = [
        [
            *section_2(pair, rng),
            *appendix_a(pair),
            *section_3(pair),
            *monotone_improvement(pair),
        ]
        for pair in families
    ]
    return [joined(checks) for checks in zip(*of_each, strict=True)]
