"""Collects what each scenario tried and lost, prints the table, and writes it where asked to.

`TORTURE_REPORT` names the file; what ran under xdist is collected too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trpo_repro.parallel import available_cores
from trpo_repro.runner.provenance import PACKAGES, cpu_model, git_commit, package_version

Tally = Callable[..., None]
HEAD = ("faults", "scenario", "tries", "losses", "note")
BEGAN = time.monotonic()


@pytest.fixture
def tally(record_property: Callable[[str, Any], None]) -> Tally:
    """Note the result of a scenario, before it is judged."""

    def note(faults: str, scenario: str, tries: int, losses: int, more: str = "") -> None:
        record_property("torture", [faults, scenario, str(tries), str(losses), more])

    return note


def pytest_terminal_summary(terminalreporter: Any) -> None:
    lines = []
    for outcome in ("passed", "failed", "skipped", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            told = [value for name, value in report.user_properties if name == "torture"]
            lines += told
            if not told and "test_torture.py" in report.nodeid:
                reason = report.longrepr[2] if outcome == "skipped" else "ended before its count"
                lines.append(["", report.nodeid.split("::")[-1], "0", outcome, str(reason)])
    if not lines:
        return
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in [HEAD, ["---"] * 5, *sorted(lines)])
    terminalreporter.write_line("\n" + table)
    if path := os.environ.get("TORTURE_REPORT"):
        Path(path).write_text(_heading() + table + "\n", encoding="utf-8")


def _heading() -> str:
    """Return where the numbers come from."""
    packages = ", ".join(f"{name} {package_version(name)}" for name in PACKAGES)
    return (
        "# What was tried to lose a result, and what was lost\n\n"
        f"`make torture` at commit {git_commit()}, {time.strftime('%Y-%m-%d', time.gmtime())}, "
        f"on {available_cores()} cores of {cpu_model()} (load average at the end "
        f"{os.getloadavg()[0]:.1f}), {time.monotonic() - BEGAN:.0f} s; {packages}.\n\n"
        "A loss is a run that did not end with the bytes of one left alone, a reader that ended in "
        "anything but a result or one line, or a figure in part. The numbers of the first column "
        "are those of the faults that the scenario stands for.\n\n"
    )
