"""What `figures` and `tables` write besides the comparison: ablations, and others' results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trpo_repro.cli.output import write_files
from trpo_repro.report import ablation_figure, baseline_figure, published, table
from trpo_repro.report.ablations import FOLDER, stored_ablations
from trpo_repro.report.choice import choices
from trpo_repro.report.claims.evidence import Chosen
from trpo_repro.report.collection import collect, comparison
from trpo_repro.report.picture import files
from trpo_repro.report.style import our_style

SCALE = "bench"
"""These are run at no other."""


def write_pictures(results: Path, output: Path, scales: Sequence[str]) -> None:
    """Draw each ablation that is stored, and the natural gradient without a baseline."""
    if SCALE not in scales:
        return
    chosen, contents = _chosen(results), list[dict[str, bytes]]()
    with our_style():
        for name, picture in ablation_figure.draw(stored_ablations(results, chosen)).items():
            about = {"scale": SCALE, "runs": f"{FOLDER}/runs"}
            contents.append(files(f"ablation_{name}", picture, about))
        raw = results / baseline_figure.FOLDER / "runs"
        if raw.is_dir() and (drawn := baseline_figure.draw(chosen, collect([raw]).runs)):
            about = {"scale": SCALE, "runs": f"{baseline_figure.FOLDER}/runs"}
            contents.append(files("baseline", drawn, about))
    for content in contents:
        write_files(output, content)


def write_tables(results: Path, output: Path, scales: Sequence[str]) -> None:
    """Write one table of all ablations, and Gymnasium's robots beside the published."""
    if SCALE not in scales:
        return
    if found := stored_ablations(results, _chosen(results)):
        write_files(output, table.files("ablations", ablation_figure.table(found)))
    gym = results / published.FOLDER / "runs"
    if gym.is_dir():
        write_files(output, table.files("gym_v5", published.table(collect([gym]).runs)))


def _chosen(results: Path) -> Chosen:
    """Return the comparison's settings, which are the ablations' defaults."""
    return choices([run for run in comparison(results).runs if run.config.get("scale") == SCALE])
