"""What a sweep shows while it goes: a table on a terminal, elsewhere a line for each that ends."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.box import SIMPLE
from rich.console import Console
from rich.live import Live
from rich.table import Table

from trpo_repro.cli.reporter import say
from trpo_repro.runner.state import steps_done
from trpo_repro.runner.sweep import SweepRun

SECONDS_BETWEEN_LOOKS = 2.0
ENDED = ("done", "failed", "broken")


@contextmanager
def shown(runs: Sequence[SweepRun]) -> Iterator[None]:
    """Show how the runs stand while the block goes on, from their files."""
    console, stop = Console(), threading.Event()
    pace = Pace(runs)
    if console.is_terminal:
        watcher = threading.Thread(target=_show_table, args=(console, pace, stop), daemon=True)
    else:
        watcher = threading.Thread(target=_say_ends, args=(pace, stop), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()


def left(run: SweepRun) -> int:
    """Return the iterations that a run still needs."""
    return max(0, run.config.iterations - steps_done(run.folder))


@dataclass(frozen=True)
class Pace:
    """How fast the runs together get on.

    Attributes:
        runs: All of the sweep.
        began: When, by the monotonic clock, in seconds.
        done_before: Their iterations at that time.
    """

    runs: Sequence[SweepRun]
    began: float = field(default_factory=time.monotonic)
    done_before: int = field(init=False)

    def __post_init__(self) -> None:
        """Count what is done."""
        object.__setattr__(self, "done_before", self.done())

    def done(self) -> int:
        """Return the iterations done by now."""
        return sum(steps_done(run.folder) for run in self.runs)

    def time_left(self) -> str:
        """Return `time left about 12 min`, or `starting` while there is nothing to tell it by."""
        rate = (self.done() - self.done_before) / max(time.monotonic() - self.began, 1e-9)
        remaining = sum(left(run) for run in self.runs)
        return f"time left about {remaining / rate / 60:.0f} min" if rate > 0 else "starting"


def _show_table(console: Console, pace: Pace, stop: threading.Event) -> None:
    with Live(console=console, refresh_per_second=1, transient=True) as live:
        while not stop.wait(SECONDS_BETWEEN_LOOKS):
            live.update(table(pace))


def _say_ends(pace: Pace, stop: threading.Event) -> None:
    """Say a line for each run that ends until `stop`, and for those that have by then."""
    ended = {run.label for run in pace.runs if run.state[0] in ENDED}
    last = False
    while not last:
        last = stop.wait(SECONDS_BETWEEN_LOOKS)
        for run in pace.runs:
            if run.label not in ended and (state := run.state[0]) in ENDED:
                ended.add(run.label)
                count = f"{len(ended)} of {len(pace.runs)} ended"
                say(f"{state}: {run.label} ({count}, {pace.time_left()})")


def table(pace: Pace) -> Table:
    """Return one line a task and algorithm: done, running, failed, to do; and the time left."""
    states: dict[tuple[str, str], Counter[str]] = {}
    for run in pace.runs:
        key = (run.config.task_label(), run.config.algo.name)
        states.setdefault(key, Counter())[run.state[0]] += 1
    result = Table(title=pace.time_left(), box=SIMPLE)
    for column in ("task", "algorithm", "done", "running", "failed", "to do"):
        result.add_column(column, justify="left" if column in ("task", "algorithm") else "right")
    for (task, algo), count in states.items():
        bad = count["failed"] + count["broken"]
        waiting = count["missing"] + count["interrupted"]
        result.add_row(task, algo, *map(str, (count["done"], count["running"], bad, waiting)))
    return result
