"""Results with something in them for every section of the report, and every kind of file."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np
import pandas as pd
from safetensors.numpy import save_file
from stored_runs import evaluated, measured, played, written

from trpo_repro.report.table import Table, files

PIXEL = base64.b64decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7")
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">
<rect width="9" height="9"/></svg>"""


def store(results: Path) -> None:
    """Write a comparison, an ablation, Gymnasium, games, a failed run, a video, tables, numbers."""
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
    sizes = [("parameters", "swimmer", 364.0), ("parameters", "atari", 33500.0)]
    measured(results, "parameters", *((*row, row[2], row[2]) for row in sizes))
    measured(results, "standing", ("score", "hopper", 1.0, 1.0, 1.0))
    measured(results, "variance", ("with / without", "hopper", 0.5, 0.4, 0.6))
    measured(results, "products", ("products / gradient", "50 states", 1.1, 1.0, 1.2))
    arrays = {"theta": np.zeros(6, np.float32), "observation_mean": np.zeros(4)}
    (single_path,) = results.glob("runs/cartpole/single_path/*/seed0")
    save_file(arrays, single_path / "policy.safetensors")
    evaluated(written(results, [-0.1, 0.1], "task=pong"), returns=[20.0, 21.0] * 50)
    played(results, "pong", [-20.0, -21.0] * 50)
    _theory(results / "theory")
    (results / "videos").mkdir()
    (results / "videos" / "cartpole.gif").write_bytes(PIXEL)
    (results / "figures").mkdir()
    points = pd.DataFrame({"task": "pong", "algorithm": "vine", "n": 1, "policy iteration": [0, 1]})
    for name, means in (
        ("figure5", [21.0, -3.0]),
        ("figure5_paper", [21.0, -3.0]),
        ("figure5_reward", [-21.0, 3.0]),
    ):
        path = results / "figures" / f"{name}.svg"
        path.write_text(SVG)
        points.assign(mean=means, low=None, high=None).to_csv(path.with_suffix(".csv"))
    (results / "tables").mkdir()
    frame = pd.DataFrame({"game": ["Pong"], "ours": ["20 | 21"]})
    for name, content in files("table1", Table("Table 1", frame, frame, ("A note.",))).items():
        (results / "tables" / name).write_bytes(content)


def _theory(folder: Path) -> None:
    """Write the theory's tables and picture."""
    folder.mkdir()
    rows = [("Theorem 1 by KL", "Eq. 9", 0), ("Lemma 2", "Eq. 28", 0), ("Algorithm 1", "Eq. 10", 0)]
    checks = pd.DataFrame(rows, columns=["claim", "equation", "violations"]).assign(mdps=100)
    both = pd.concat([checks.assign(family=name) for name in ("random", "worst case")])
    steps = pd.DataFrame({"discount": [0.9, 0.99], "mdps": 20, "steps_ratio_median": [11.0, 9.0]})
    for name, frame in (("checks", both), ("steps", steps)):
        for file, content in files(
            name, Table(name, frame, frame.astype(str), ("A note.",))
        ).items():
            (folder / file).write_bytes(content)
    (folder / "bound.svg").write_text(SVG)
