"""The paper's Table 1 with ours below it: the scores of the games."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trpo_repro.report.evaluations import EVALUATIONS, RANDOM_GAMES, SAMPLED, random_path
from trpo_repro.report.games import paper_scores, played_as
from trpo_repro.report.groups import FINAL, Group, by_task
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.statistics import Interval, mean_interval
from trpo_repro.report.table import Table, estimate

ROWS = {"single_path": "TRPO - single path, ours", "vine": "TRPO - vine, ours"}
RANDOM = "Random, ours"
NOTES = (
    "Above: the paper's Table 1, one run each. Below: ours, the games' own points, with a 95% t"
    " interval. An empty cell has no run.",
    "games: of stored evaluations (`trpo-repro evaluate`), actions sampled. With several seeds the"
    " interval is over their means, with one over its games.",
    f"training: no evaluation is stored; the mean of the last {FINAL} iterations' batches.",
    "Of several settings the one with most simulated steps, then the most seeds.",
    "*: not at the paper's scale (100K steps an iteration, for vine 400K, 500 iterations).",
)


@dataclass(frozen=True)
class Cell:
    """One score.

    Attributes:
        mean: Points of a game.
        between: Its interval; None for a single number.
        games: Games played for it; 0 where training's batches stand for them.
        seeds: Runs behind it.
        stored: Runs that there are of its setting.
        scale: Of the run; empty for random play.
        sim_steps: Simulated steps behind the policy, mean over seeds.
        iterations: Iterations done, of the seed with the fewest.
        planned: Iterations that the run is to have.
        runs: Folders of the runs, relative to the results.
    """

    mean: float
    between: Interval | None
    games: int
    seeds: int = 1
    stored: int = 1
    scale: str = ""
    sim_steps: float = 0.0
    iterations: int = 0
    planned: int = 0
    runs: tuple[str, ...] = ()


def table(runs: Sequence[StoredRun], results: Path, *, protocol: str = "trpo2015") -> Table:
    """Return Table 1 from the stored runs and random games of one protocol.

    Args:
        runs: Stored runs, of whatever task.
        results: The results' folder, where random games are kept.
        protocol: The paper's, or machado2018, of which the paper has no numbers.
    """
    paper = paper_scores()
    theirs = paper if protocol == "trpo2015" else paper.iloc[:0]
    ours = {RANDOM: random_cells(results, protocol), **_trained(runs, results, protocol=protocol)}
    shown: list[dict[Any, Any]] = [
        {"": f"{name}, paper", **row} for name, row in theirs.to_dict("index").items()
    ]
    numbers = [
        {"row": name, "game": game, "mean": float(value), "source": "paper"}
        for name, row in theirs.to_dict("index").items()
        for game, value in row.items()
    ]
    for name, cells in ours.items():
        shown.append({"": name} | {g: text(cells[g]) if g in cells else "" for g in paper.columns})
        numbers += [{"row": name, "game": game, **_numbers(cell)} for game, cell in cells.items()]
    title = "Scores of the games" + ("" if protocol == "trpo2015" else f", protocol {protocol}")
    return Table(title, pd.DataFrame(numbers), pd.DataFrame(shown), NOTES)


def missing(runs: Sequence[StoredRun], results: Path, *, protocol: str = "trpo2015") -> list[str]:
    """Return a line for each of our rows that has empty cells."""
    cells = {RANDOM: random_cells(results, protocol), **_trained(runs, results, protocol=protocol)}
    games = list(paper_scores().columns)
    lost = {name: [game for game in games if game not in own] for name, own in cells.items()}
    return [f"Table 1, {name}: nothing of {', '.join(gone)}" for name, gone in lost.items() if gone]


def random_cells(results: Path, protocol: str) -> dict[str, Cell]:
    """Return the scores of random play by game, as `trpo-repro random` has stored them."""
    cells = {}
    for game in paper_scores().columns:
        returns = RANDOM_GAMES.load(random_path(results, protocol, game=game))
        if returns is not None:
            cells[game] = Cell(float(returns.mean()), mean_interval(returns), len(returns))
    return cells


def _trained(
    runs: Sequence[StoredRun], results: Path, *, protocol: str
) -> dict[str, dict[str, Cell]]:
    """Return our cells by row and game."""
    groups = by_task(played_as(runs, protocol))
    return {
        name: {
            game: cell(max(own, key=_evidence), results)
            for game, of_game in groups.items()
            if (own := [g for g in of_game if g.algorithm == algorithm and _rows(g)])
        }
        for algorithm, name in ROWS.items()
    }


def _rows(group: Group) -> bool:
    return any(len(run.rows) for run in group.runs)


def _evidence(group: Group) -> tuple[float, int, str]:
    """Return by what one setting is preferred to another."""
    return max(_steps(run) for run in group.runs), len(group.runs), group.identity


def _steps(run: StoredRun) -> float:
    return float(run.rows["sim_steps"].iloc[-1]) if len(run.rows) else 0.0


def cell(group: Group, results: Path) -> Cell:
    """Return the score of the seeds of one setting, those unfinished too if none is complete."""
    runs = group.averaged
    found = [EVALUATIONS.load(run.path / SAMPLED) for run in runs]
    evaluated = [(run, r) for run, r in zip(runs, found, strict=True) if r is not None]
    if evaluated:
        runs = tuple(run for run, _ in evaluated)
        means = np.array([returns.mean() for _, returns in evaluated])
        games = sum(len(returns) for _, returns in evaluated)
    else:
        means = np.array([run.rows["return_mean"][-FINAL:].mean() for run in runs])
        games = 0
    single = mean_interval(evaluated[0][1]) if evaluated else None
    return Cell(
        mean=float(means.mean()),
        between=mean_interval(means) if len(means) > 1 else single,
        games=games,
        seeds=len(runs),
        stored=len(group.runs),
        scale=str(runs[0].config["scale"]),
        sim_steps=float(np.mean([_steps(run) for run in runs])),
        iterations=min(len(run.rows) for run in runs),
        planned=int(runs[0].config["iterations"]),
        runs=tuple(run.path.relative_to(results).as_posix() for run in runs),
    )


def text(own: Cell) -> str:
    """Return a cell for a reader."""
    basis = f"{own.games} games" if own.games else "training"
    if not own.scale:
        return f"{estimate(own.mean, own.between, form='.1f')}; {basis}"
    mark = "" if own.scale == "paper" and own.iterations >= own.planned else "*"
    behind = f"{own.seeds}" if own.seeds == own.stored else f"{own.seeds} of {own.stored}"
    seeds = f" of {behind} seeds" if own.stored > 1 else ""
    place = "" if own.iterations >= own.planned else f", {own.iterations} of {own.planned} its"
    size = f"{own.scale}, {own.sim_steps / 1e6:.3g}M steps{place}"
    return f"{estimate(own.mean, own.between, form='.1f')}{mark}; {basis}{seeds}; {size}"


def _numbers(own: Cell) -> dict[str, Any]:
    """Return a cell for machines."""
    low, high = own.between or (None, None)
    fields: Mapping[str, Any] = asdict(own)
    kept = {k: v for k, v in fields.items() if k not in ("between", "stored", "runs")}
    return {**kept, "low": low, "high": high, "source": "ours", "runs": " ".join(own.runs)}
