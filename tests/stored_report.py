"""Results with something in them for every section of the report."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pandas as pd
from stored_runs import written

from trpo_repro.report.table import Table, files

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">
<rect width="9" height="9"/></svg>"""


def store(results: Path) -> None:
    """Write a comparison, an ablation, a Gymnasium run, a failed run, a video, tables, sizes."""
    for algo in ("single_path", "vine", "cma"):
        for seed in range(3):
            scores = [0.0, 1.0 + seed, 2.0]
            means = scores if algo == "cma" else None
            written(results, scores, f"algo={algo}", seed=seed, mean_scores=means)
    failed = written(results, [0.0], "algo=cem", state="failed", iterations=3)
    failed.failure.write_text(json.dumps({"iteration": 1, "error": "the <disk> is full"}))
    for seed in range(3):
        written(results / "ablations", [0.0, 3.0, 1.0], "algo.line_search=false", seed=seed)
        written(results / "gym_v5", [0.0, 5.0], "task=gym", "task.id=Swimmer-v5", seed=seed)
    sizes = {"swimmer": 364, "atari": 33500}
    rows = [{"task": task, "value": value} for task, value in sizes.items()]
    (results / "measurements").mkdir()
    (results / "measurements" / "parameters.json").write_text(json.dumps({"rows": rows}))
    (results / "videos").mkdir()
    (results / "videos" / "cartpole.gif").write_bytes(PIXEL)
    (results / "figures").mkdir()
    (results / "figures" / "figure5.svg").write_text(SVG)
    points = pd.DataFrame({"task": "pong", "algorithm": "vine", "n": 1, "policy iteration": [0, 1]})
    points.assign(mean=[-21.0, 3.0], low=None, high=None).to_csv(
        results / "figures" / "figure5.csv"
    )
    (results / "figures" / "figure5_reward.svg").write_text(SVG)
    (results / "tables").mkdir()
    frame = pd.DataFrame({"game": ["Pong"], "ours": ["20 | 21"]})
    for name, content in files("table1", Table("Table 1", frame, frame, ("A note.",))).items():
        (results / "tables" / name).write_bytes(content)
