"""What the processes of a run agree on first: the configuration, and where to go on."""

from __future__ import annotations

import json

import numpy as np

from trpo_repro.config import RunConfig
from trpo_repro.errors import ConfigError
from trpo_repro.ranks import Ranks
from trpo_repro.runner.checkpoint import Checkpoint

TOTALS, SAME = "totals", "same"


def agreed_beginning(config: RunConfig, begin: Checkpoint | None, *, ranks: Ranks) -> Checkpoint:
    """Return rank 0's `begin` on every rank, whatever checkpoints the others may see.

    Args:
        config: What this rank was asked to run.
        begin: Rank 0's; None on the others.
        ranks: The processes of the run.

    Raises:
        ConfigError: A rank was asked to run something else.
    """
    if ranks.alone and begin is not None:
        return begin
    same = np.frombuffer(_wanted(config), np.uint8)
    found = ranks.gathered(lambda: {SAME: same, **(_packed(begin) if begin else {})})
    for rank, arrays in enumerate(found):
        if not np.array_equal(arrays[SAME], same):
            raise ConfigError(
                f"process {rank} of {ranks.count} was asked to run something else",
                where=f"process {ranks.rank} runs {_wanted(config).decode()}",
                fix="give every process the same command line",
            )
    arrays = {name: array for name, array in found[0].items() if name != SAME}
    iterations, sim_steps, wall_s = arrays.pop(TOTALS).tolist()
    return Checkpoint(int(iterations), int(sim_steps), wall_s, arrays)


def _packed(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    totals = [checkpoint.iterations, checkpoint.sim_steps, checkpoint.wall_s]
    return {**checkpoint.arrays, TOTALS: np.array(totals, np.float64)}


def _wanted(config: RunConfig) -> bytes:
    """Return what must be the same on every rank."""
    wanted = {
        "task": config.task_label(),
        "algo": config.algo.name,
        "hash": config.identity(),
        "seed": config.seed,
        "iterations": config.iterations,
    }
    return json.dumps(wanted).encode()
