"""The panels of the report that can be read off."""

from __future__ import annotations

import pandas as pd

from trpo_repro.report.html.plots import Axes, algorithm_panels


def test_panel_says_that_a_run_in_it_is_unfinished() -> None:
    rows = pd.DataFrame(
        [
            {"task": task, "algorithm": "single_path", "n": 1, "complete": complete, "mean": mean}
            for task, complete in (("pong", 0), ("seaquest", 1))
            for mean in (0.0, 1.0)
        ]
    ).assign(iteration=[0, 1, 0, 1], low=float("nan"), high=float("nan"))
    axes = Axes("iteration", "reward of a game")
    pong, seaquest = algorithm_panels("figure5", rows, axes=axes)
    assert "pong, unfinished" in pong
    assert "unfinished" not in seaquest
    (plain, _) = algorithm_panels("figure4", rows.drop(columns="complete"), axes=axes)
    assert "unfinished" not in plain
