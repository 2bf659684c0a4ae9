"""What a run shows while it goes: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column

from trpo_repro.runner.loop import Reporter
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.types import Row

SECONDS_BETWEEN_LINES = 5.0


def make_reporter() -> Reporter:
    """Return the reporter that suits standard output."""
    smart = sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    return BarReporter() if smart else LineReporter()


def summary(row: Row) -> str:
    """Return the few numbers of `row` that tell how it goes."""
    parts = [f"score {row['score']:.3f}", f"return {row['return_mean']:.1f}"]
    parts.append(f"length {row['length_mean']:.0f}")
    if row.get("kl_mean") is not None:
        parts.append(f"kl {row['kl_mean']:.4f}")
    if row.get("mean_theta_score") is not None:
        parts.append(f"mean θ {row['mean_theta_score']:.3f}")
    return "  ".join([*parts, str(row["outcome"])])


def say(line: str) -> None:
    """Print `line`; an output that nobody reads any more, or that is full, stops nothing."""
    with suppress(OSError):
        print(line, flush=True)


class LineReporter:
    """A line now and then, without control characters."""

    def __init__(self) -> None:
        """Begin with nothing shown."""
        self._last = -float("inf")
        self._total = 0

    def start(self, folder: RunFolder, done: int, *, total: int) -> None:
        """Say where the run writes and where it begins."""
        self._total = total
        say(f"run: {folder.path}")
        if done:
            say(f"continuing after {done} of {total} iterations")

    def row(self, row: Row) -> None:
        """Print every few seconds, and the first and last iteration."""
        number = int(row["iteration"] or 0) + 1
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES and number not in (1, self._total):
            return
        self._last = now
        say(f"iteration {number}/{self._total}  {summary(row)}")

    def note(self, message: str) -> None:
        """Print a line."""
        say(message)

    def warn(self, message: str) -> None:
        """Print a warning on standard error."""
        with suppress(OSError):
            print(f"warning: {message}", file=sys.stderr)

    def finish(self, message: str) -> None:
        """Print the last line."""
        say(message)


class Silent:
    """Says nothing: for the processes of a run that another one speaks for."""

    def start(self, folder: RunFolder, done: int, *, total: int) -> None:
        """Say nothing."""

    def row(self, row: Row) -> None:
        """Say nothing."""

    def note(self, message: str) -> None:
        """Say nothing."""

    def warn(self, message: str) -> None:
        """Say nothing."""

    def finish(self, message: str) -> None:
        """Say nothing."""


class BarReporter:
    """One live bar with the time left, and the latest numbers behind it.

    Writing is allowed to fail: a terminal that hangs up must not keep the run from being saved.
    """

    def __init__(self) -> None:
        """Prepare the bar."""
        self._console = Console()
        self._bar = Progress(
            TextColumn("{task.fields[name]}"),
            BarColumn(bar_width=16),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            # Where the terminal is narrow the numbers are cut, never the time left.
            TextColumn("{task.fields[numbers]}", table_column=Column(no_wrap=True, ratio=1)),
            console=self._console,
            expand=True,
        )

    def start(self, folder: RunFolder, done: int, *, total: int) -> None:
        """Show the bar."""
        self.note(f"run: {folder.path}")
        self._task = self._bar.add_task(
            "", total=total, completed=done, name=folder.path.parts[-4], numbers=""
        )
        with suppress(OSError):
            self._bar.start()

    def row(self, row: Row) -> None:
        """Advance the bar."""
        with suppress(OSError):
            self._bar.update(self._task, advance=1, numbers=summary(row))

    def note(self, message: str) -> None:
        """Print a line above the bar."""
        with suppress(OSError):
            self._console.print(message, markup=False, highlight=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        """Print a warning above the bar."""
        with suppress(OSError):
            text = f"warning: {message}"
            Console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)

    def finish(self, message: str) -> None:
        """Leave the bar as it is and print the last line."""
        with suppress(OSError):
            self._bar.stop()
        self.note(message)
