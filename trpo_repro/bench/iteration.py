"""One configuration's iterations, timed in processes of their own: one, or several ranks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from trpo_repro.config import RunConfig
from trpo_repro.errors import RunFailed
from trpo_repro.ranks import Ranks
from trpo_repro.runner.build import build_algorithm


@dataclass(frozen=True)
class Iteration:
    """What an iteration took, as rank 0 saw it.

    Attributes:
        steps: Simulated steps.
        wall_s: Seconds of all of it.
        sampling_s: Seconds of sampling, what is exchanged of it included.
        exchanging_s: Seconds in which ranks exchanged something.
        waiting_s: Seconds in which rank 0 waited for slower ranks.
        received: Bytes that came from other ranks.
    """

    steps: float
    wall_s: float
    sampling_s: float
    exchanging_s: float
    waiting_s: float
    received: float

    @property
    def update_s(self) -> float:
        """Return the seconds of all that is not sampling."""
        return self.wall_s - self.sampling_s


def iterations(overrides: Sequence[str], ranks: int, *, count: int) -> list[Iteration]:
    """Return `count` iterations of a run on `ranks` processes; the first of all is left out."""
    words = ["-m", "trpo_repro.cli.timed", str(count), *overrides]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    place |= {"WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks)}
    children = [
        subprocess.Popen(
            [sys.executable, *words],
            env={**os.environ, **place, "RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(ranks)
    ]
    said = [child.communicate()[0] for child in children]
    if any(child.returncode for child in children):
        raise RunFailed("an iteration that was measured failed", where=" ".join(overrides))
    return [Iteration(**fields) for fields in json.loads(said[0])]


def take(config: RunConfig, ranks: Ranks, *, count: int) -> list[Iteration]:
    """Take `count` iterations after a first one, as one of the ranks; return what they took."""
    algorithm = build_algorithm(config, ranks)
    found = []
    with ranks.connected():
        arrays = algorithm.initial()
        for number in range(count + 1):
            before = (ranks.exchanging_s, ranks.waiting_s, ranks.received)
            began = time.perf_counter()
            arrays, row = algorithm.iterate(arrays, number)
            took = time.perf_counter() - began
            after = (ranks.exchanging_s, ranks.waiting_s, ranks.received)
            spent = [b - a for a, b in zip(before, after, strict=True)]
            steps, sampling = float(row["sim_steps"] or 0), float(row["sampling_s"] or 0)
            found.append(Iteration(steps, took, sampling, *spent))
    return found[1:]
