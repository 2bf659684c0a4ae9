"""Training as a generator: it yields a record an iteration and touches no file.

Between iterations the whole state is one `Arrays`, and every random number comes from (seed,
iteration, purpose): continuing a run equals never having stopped it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from trpo_repro.config import RunConfig
from trpo_repro.errors import SimulationDiverged
from trpo_repro.ranks import ALONE, Ranks
from trpo_repro.runner.checkpoint import Checkpoint
from trpo_repro.settings import LocomotionTask
from trpo_repro.types import Algorithm, Row


def train(
    algorithm: Algorithm,
    begin: Checkpoint,
    *,
    iterations: int,
    ranks: Ranks = ALONE,
    advice: str = "",
) -> Iterator[tuple[Row, Checkpoint]]:
    """Yield, for each iteration from `begin` on, its row and the state behind it.

    Args:
        algorithm: What learns.
        begin: Where to go on.
        iterations: Number of iterations of the whole run.
        ranks: The processes that run it; each goes on from rank 0's arrays.
        advice: What to do where the simulation gives what is no number.

    Raises:
        SimulationDiverged: It did; its place begins with the iteration.
    """
    state, started = begin, time.perf_counter()
    for iteration in range(begin.iterations, iterations):
        try:
            arrays, row = algorithm.iterate(state.arrays, iteration)
        except SimulationDiverged as error:
            where = f"iteration {iteration}, {error.where}"
            raise SimulationDiverged(error.what, where=where, fix=advice or error.fix) from error
        # Equal anyway, where the processors are: those of another kind may round differently.
        arrays = ranks.from_first(arrays)
        state = Checkpoint(
            iterations=iteration + 1,
            sim_steps=state.sim_steps + int(row["sim_steps"] or 0),
            wall_s=begin.wall_s + time.perf_counter() - started,
            arrays=arrays,
        )
        totals: Row = {"sim_steps": state.sim_steps, "wall_s": round(state.wall_s, 4)}
        yield {"iteration": iteration, **row, **totals}, state


def advice_against_divergence(config: RunConfig) -> str:
    """Return what to change where the simulation gave what is no number, of what there is."""
    keys = ["task.timestep"] if isinstance(config.task, LocomotionTask) else []
    keys.append("algo.stepsize" if hasattr(config.algo, "stepsize") else "algo.initial_std")
    return f"use a smaller {' or '.join(keys)}, or another seed"
