"""The rules of the claims about the Atari games: C12 to C15, C18."""

from __future__ import annotations

from importlib import resources
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trpo_repro.report.claims.evidence import PROTOCOL, Evidence, seeds_count
from trpo_repro.report.claims.verdict import Count, Finding, Judgement, at_least, at_most
from trpo_repro.report.evaluations import EVALUATIONS, RANDOM_GAMES, SAMPLED, random_path
from trpo_repro.report.groups import Group
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.statistics import Interval, mean_interval
from trpo_repro.report.style import look
from trpo_repro.settings import GAMES

LEVEL = 0.8
EPISODES = 100
HOURS = 30.0
PAPER_STEPS = {"single_path": 500 * 100_000, "vine": 500 * 400_000}
"""Table 3: iterations times simulated steps of each."""
TENTH = 10


def table1() -> pd.DataFrame:
    """Return the paper's Table 1: a row for each player, a column for each game."""
    source = resources.files("trpo_repro.report") / "paper" / "table1.csv"
    with resources.as_file(source) as path:
        return pd.read_csv(path, index_col="row")


def single_path_plays(evidence: Evidence) -> Finding:
    """C12."""
    return _plays(evidence, "single_path", row="TRPO - single path")


def vine_plays(evidence: Evidence) -> Finding:
    """C13."""
    return _plays(evidence, "vine", row="TRPO - vine")


def _plays(evidence: Evidence, algorithm: str, *, row: str) -> Finding:
    rule = (
        f"At scale=paper, in {EPISODES} episodes of each final policy, the mean score less that of"
        f" Table 1's random row is at least {LEVEL:.0%} of the paper's less the same, in each game."
    )
    paper = table1()
    counts = [
        _plays_game(
            evidence,
            game,
            algorithm=algorithm,
            paper=(float(paper[game][row]), float(paper[game]["Random"])),
        )
        for game in GAMES
    ]
    return Finding(rule, tuple(counts), _bench_scores(evidence, algorithm))


def _plays_game(
    evidence: Evidence, game: str, *, algorithm: str, paper: tuple[float, float]
) -> Count:
    theirs, random = paper
    group = _group(evidence.paper, game, algorithm=algorithm)
    scores = evaluated(group) if group else np.empty(0)
    if group is None or not len(scores):
        return Count(game, Judgement.TOO_SMALL).beside(theirs)
    between = mean_interval(scores)
    return seeds_count(
        evidence,
        game,
        groups=[group],
        value=float(scores.mean()),
        between=between,
        judgement=at_least(between, random + LEVEL * (theirs - random)),
    ).beside(theirs)


def _bench_scores(evidence: Evidence, algorithm: str) -> str:
    """Return what the runs of `scale=bench` scored, a twentieth of the paper's training."""
    scores = {
        game: float(found.mean())
        for game in GAMES
        if (group := _group(evidence.comparison, game, algorithm=algorithm)) is not None
        and len(found := evaluated(group))
    }
    if not scores:
        return ""
    parts = ", ".join(f"{game} {score:.4g}" for game, score in scores.items())
    return f"At scale=bench, a twentieth of the paper's steps, the mean scores are: {parts}."


def random_row(evidence: Evidence) -> Finding:
    """C14."""
    rule = (
        f"In {EPISODES} episodes of a uniformly random joystick, the 95% interval of the mean"
        " score holds Table 1's, in each game."
    )
    paper, counts = table1(), []
    for game in GAMES:
        theirs = float(paper[game]["Random"])
        scores = RANDOM_GAMES.load(random_path(evidence.results, PROTOCOL, game=game))
        between = mean_interval(scores) if scores is not None else None
        if scores is None or between is None or len(scores) < EPISODES:
            counts.append(Count(f"{game}, random", Judgement.MISSING).beside(theirs))
            continue
        judged, n = _holding(theirs, between), f"{len(scores)} episodes"
        counts.append(Count(game, judged, float(scores.mean()), between, n).beside(theirs))
    remark = "The paper does not say how its random player plays."
    return Finding(rule, tuple(counts), f"{remark} {_another_player(evidence, paper)}".strip())


def _another_player(evidence: Evidence, paper: pd.DataFrame) -> str:
    """Return what one who chooses anew at every frame scores: an explanation, and no count."""
    played = {row["task"]: row for row in evidence.rows("chance")}
    found = [(game, float(paper[game]["Random"]), played[game]) for game in GAMES if game in played]
    if not found:
        return ""
    like = [_holding(theirs, Interval(row["low"], row["high"])) for _, theirs, row in found]
    scores = (f"{game} {row['value']:.4g} ({theirs:g})" for game, theirs, row in found)
    return (
        "One that chooses among a game's own actions, not the joystick's 18 positions, and anew at"
        " every frame, not every fourth, has an interval that holds Table 1's in"
        f" {like.count(Judgement.MET)} of {len(found)} games: {', '.join(scores)}."
    )


def _holding(value: float, between: Interval) -> Judgement:
    """Judge whether an interval holds `value`."""
    return Judgement.MET if between.low <= value <= between.high else Judgement.NOT_MET


def curves_rise(evidence: Evidence) -> Finding:
    """C15."""
    rule = (
        "In each game the score of single path's, and of vine's, last tenth of iterations is above"
        " that of the first (in the figure's terms, the cost falls), over seeds."
    )
    counts = []
    for game in GAMES:
        for algorithm in ("single_path", "vine"):
            group = _group(evidence.comparison, game, algorithm=algorithm)
            name = f"{game}, {look(algorithm).label}"
            if group is None:
                counts.append(Count(name, Judgement.MISSING))
                continue
            rises = np.array([_rise(run) for run in group.complete])
            between = mean_interval(rises)
            counts.append(
                seeds_count(
                    evidence,
                    name,
                    groups=[group],
                    value=float(rises.mean()),
                    between=between,
                    judgement=at_least(between, 0.0),
                )
            )
    return Finding(rule, tuple(counts), "At scale=bench: 100 iterations, where the paper has 500.")


def thirty_hours(evidence: Evidence) -> Finding:
    """C18."""
    rule = (
        f"The paper's number of simulated steps takes at most {HOURS:g} hours at the speed of our"
        " runs: extrapolated, mean and range over the runs of a game."
    )
    counts = []
    for algorithm, steps in PAPER_STEPS.items():
        groups = [
            g for game in GAMES if (g := _group(evidence.comparison, game, algorithm=algorithm))
        ]
        for group in groups:
            hours = np.array([steps / speed(run) / 3600 for run in group.complete])
            ends = Interval(float(hours.min()), float(hours.max()))
            between = ends if len(hours) > 1 else None
            counts.append(
                seeds_count(
                    evidence,
                    f"{group.runs[0].task}, {look(algorithm).label}",
                    groups=[group],
                    value=float(hours.mean()),
                    between=between,
                    judgement=at_most(ends, HOURS),
                )
            )
        if not groups:
            counts.append(Count(f"a game with {look(algorithm).label}", Judgement.MISSING))
    remark = "Hours. The paper had 16 cores; ours are in the runs' config.json."
    said = f"{remark} {_hours_at_paper_size(evidence)}".strip()
    return Finding(rule, tuple(count.beside(HOURS) for count in counts), said)


def _hours_at_paper_size(evidence: Evidence) -> str:
    """Return the same by the speed of runs of `scale=paper`, finished or not, where there are."""
    found = [
        f"{game} {PAPER_STEPS[algorithm] / speed(run) / 3600:.3g} ({look(algorithm).label})"
        for game in GAMES
        for choice in evidence.paper.get(game, ())
        if (algorithm := choice.group.algorithm) in PAPER_STEPS
        for run in choice.group.runs
        if len(run.rows)
    ]
    return f"By runs at the paper's own size, as far as they are: {', '.join(found)}." * bool(found)


def speed(run: StoredRun) -> float:
    """Return simulated steps a second of a whole run."""
    last = run.rows.iloc[-1]
    return float(last["sim_steps"]) / float(last["wall_s"])


def evaluated(group: Group) -> NDArray[np.float64]:
    """Return the mean score of each complete run's evaluation that has episodes enough."""
    stored = [EVALUATIONS.load(run.path / SAMPLED) for run in group.complete]
    return np.array([r.mean() for r in stored if r is not None and len(r) >= EPISODES])


def _rise(run: StoredRun) -> float:
    scores = run.rows["return_mean"].to_numpy(np.float64)
    tenth = max(1, len(scores) // TENTH)
    return float(scores[-tenth:].mean() - scores[:tenth].mean())


def _group(chosen: Any, game: str, *, algorithm: str) -> Group | None:
    """Return an algorithm's seeds on a game, one complete at least."""
    found = next((c for c in chosen.get(game, ()) if c.group.algorithm == algorithm), None)
    return found.group if found and found.shown else None
