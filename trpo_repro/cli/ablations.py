"""What `figures` and `tables` write besides the comparison: ablations, and others' results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trpo_repro.cli.output import write_files
from trpo_repro.report import ablation_figure, published, table
from trpo_repro.report.ablations import FOLDER, Found, stored_ablations
from trpo_repro.report.choice import choices
from trpo_repro.report.collection import collect
from trpo_repro.report.picture import files
from trpo_repro.report.style import our_style

SCALE = "bench"
"""Ablations are run at no other."""


def write_pictures(results: Path, output: Path, scales: Sequence[str]) -> None:
    """Draw each ablation that is stored, if its scale is among `scales`."""
    with our_style():
        contents = [
            files(f"ablation_{name}", picture, {"scale": SCALE, "runs": f"{FOLDER}/runs"})
            for name, picture in ablation_figure.draw(_found(results, scales)).items()
        ]
    for content in contents:
        write_files(output, content)


def write_tables(results: Path, output: Path, scales: Sequence[str]) -> None:
    """Write one table of all ablations, and Gymnasium's robots beside the published."""
    if found := _found(results, scales):
        write_files(output, table.files("ablations", ablation_figure.table(found)))
    gym = results / published.FOLDER / "runs"
    if SCALE in scales and gym.is_dir():
        write_files(output, table.files("gym_v5", published.table(collect([gym]).runs)))


def _found(results: Path, scales: Sequence[str]) -> Found:
    """Return the ablations of the comparison's tasks."""
    if SCALE not in scales or not (results / FOLDER).is_dir():
        return {}
    runs = collect([results / "runs"]).runs
    return stored_ablations(
        results, choices([run for run in runs if run.config.get("scale") == SCALE])
    )
