"""What a run shows while it goes: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

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
    return (
        f"score {row['score']:.3f}  return {row['return_mean']:.1f}  "
        f"length {row['length_mean']:.0f}  kl {row['kl_mean']:.4f}  {row['outcome']}"
    )


class LineReporter:
    """A line now and then, without control characters; a closed output ends the lines only."""

    def __init__(self) -> None:
        """Begin with nothing shown."""
        self._last = -float("inf")
        self._total = 0
        self._open = True

    def start(self, folder: RunFolder, done: int, total: int) -> None:
        """Say where the run writes and where it begins."""
        self._total = total
        self._print(f"run: {folder.path}")
        if done:
            self._print(f"continuing after {done} of {total} iterations")

    def row(self, row: Row) -> None:
        """Print every few seconds, and the first and last iteration."""
        number = int(row["iteration"] or 0) + 1
        now = time.monotonic()
        if now - self._last < SECONDS_BETWEEN_LINES and number not in (1, self._total):
            return
        self._last = now
        self._print(f"iteration {number}/{self._total}  {summary(row)}")

    def warn(self, message: str) -> None:
        """Print a warning on standard error."""
        print(f"warning: {message}", file=sys.stderr)

    def finish(self, message: str) -> None:
        """Print the last line."""
        self._print(message)

    def _print(self, line: str) -> None:
        if not self._open:
            return
        try:
            print(line, flush=True)
        except BrokenPipeError:
            # `| head` has seen enough; training goes on.
            self._open = False
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


class BarReporter:
    """One live bar with the time left, and the latest numbers behind it."""

    def __init__(self) -> None:
        """Prepare the bar."""
        self._console = Console()
        self._bar = Progress(
            TextColumn("{task.fields[name]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[numbers]}"),
            console=self._console,
        )

    def start(self, folder: RunFolder, done: int, total: int) -> None:
        """Show the bar."""
        self._console.print(f"run: {folder.path}", highlight=False, soft_wrap=True)
        self._task = self._bar.add_task(
            "", total=total, completed=done, name=folder.path.parts[-4], numbers=""
        )
        self._bar.start()

    def row(self, row: Row) -> None:
        """Advance the bar."""
        self._bar.update(self._task, advance=1, numbers=summary(row))

    def warn(self, message: str) -> None:
        """Print a warning above the bar."""
        Console(stderr=True).print(f"warning: {message}", highlight=False, soft_wrap=True)

    def finish(self, message: str) -> None:
        """Leave the bar as it is and print the last line."""
        self._bar.stop()
        self._console.print(message, highlight=False, soft_wrap=True)
