import io
import time
from pathlib import Path

import pytest
from cli_helpers import config_in
from rich.console import Console

from trpo_repro.cli import sweep_progress
from trpo_repro.runner.sweep import SweepRun


def test_on_a_terminal_a_table_shows_how_the_runs_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(
        sweep_progress, "Console", lambda: Console(file=screen, force_terminal=True, width=100)
    )
    monkeypatch.setattr(sweep_progress, "SECONDS_BETWEEN_LOOKS", 0.01)
    words = ("task=cartpole", "scale=smoke")
    with sweep_progress.shown([SweepRun(words, config_in(tmp_path, words))]):
        deadline = time.monotonic() + 30
        while "cartpole" not in screen.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert "cartpole" in screen.getvalue()
