"""What the rules of the claims find in a results folder."""

from __future__ import annotations

from pathlib import Path

from stored_runs import evaluated

from trpo_repro.report.claims import games
from trpo_repro.report.claims.evidence import gather
from trpo_repro.report.claims.ledger import RULES
from trpo_repro.report.claims.verdict import Finding, Judgement
from trpo_repro.report.collection import Stored
from trpo_repro.runner.run_folder import RunFolder


def found(results: Path, claim: str) -> Finding:
    """Return what the rule of `claim` finds."""
    return RULES[claim](gather(Stored(results)))


def judgements(finding: Finding) -> dict[str, Judgement]:
    """Return the judgement of each count, by its name."""
    return {count.name: count.judgement for count in finding.counts}


def evaluate(folder: RunFolder, mean: float) -> None:
    """Write an evaluation of a game's policy, of as many games as the rules ask for."""
    evaluated(folder, [mean - 1.0, mean + 1.0] * (games.EPISODES // 2))
