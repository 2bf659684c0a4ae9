"""From an algorithm's settings to the rule that turns a surrogate into new parameters."""

from __future__ import annotations

from trpo_repro.optim.kl_penalty import KlPenalty
from trpo_repro.optim.max_kl import MaxKl
from trpo_repro.optim.natural_gradient import NaturalGradient
from trpo_repro.optim.policy_gradient import PolicyGradient
from trpo_repro.optim.step import NaturalDirection, UpdateRule
from trpo_repro.optim.trust_region import TrustRegion
from trpo_repro.settings import (
    KlPenaltyConfig,
    MaxKlConfig,
    NaturalDirectionConfig,
    NaturalGradientConfig,
    PolicyGradientConfig,
    TrustRegionConfig,
)


def build_update(
    algo: NaturalDirectionConfig | MaxKlConfig | PolicyGradientConfig | KlPenaltyConfig,
) -> UpdateRule:
    """Return the update of an algorithm that follows a gradient."""
    if isinstance(algo, PolicyGradientConfig):
        return PolicyGradient(algo.stepsize)
    if isinstance(algo, KlPenaltyConfig):
        return KlPenalty(
            algo.stepsize, algo.initial_penalty, algo.dual_stepsize, algo.max_iterations
        )
    if isinstance(algo, MaxKlConfig):
        return MaxKl(algo.stepsize, algo.max_backtracks)
    direction = NaturalDirection(
        algo.cg_iterations,
        algo.damping,
        algo.fisher_fraction,
        empirical=algo.name == "empirical_fim",
    )
    if isinstance(algo, TrustRegionConfig):
        return TrustRegion(
            algo.stepsize,
            direction,
            algo.line_search_shrink,
            algo.max_backtracks,
            algo.line_search,
        )
    if isinstance(algo, NaturalGradientConfig):
        return NaturalGradient(algo.stepsize, direction)
    raise NotImplementedError(f"algo={algo.name} has no update here")
