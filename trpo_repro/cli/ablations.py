"""What `figures` and `tables` write besides the comparison: ablations, and others' results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from trpo_repro.cli.output import write_files
from trpo_repro.report import (
    ablation_figure,
    baseline_figure,
    measured_figure,
    published,
    stored_files,
    table,
)
from trpo_repro.report.ablations import FOLDER, ablations
from trpo_repro.report.choice import choices
from trpo_repro.report.claims.evidence import Chosen
from trpo_repro.report.claims.sources import MEASURED, measured
from trpo_repro.report.collection import Stored
from trpo_repro.report.picture import files
from trpo_repro.report.style import our_style

SCALE = "bench"
"""These are run at no other."""


def write_pictures(stored: Stored, output: Path, *, scales: Sequence[str]) -> list[str]:
    """Draw each ablation that is stored, and the natural gradient without a baseline.

    Returns:
        What is wrong with the runs and files behind them, a line each.
    """
    if SCALE not in scales:
        return []
    chosen, contents = _chosen(stored), list[dict[str, bytes]]()
    varied, raw = stored.part(FOLDER), stored.part(baseline_figure.FOLDER)
    with our_style():
        for name, picture in ablation_figure.draw(ablations(chosen, varied.runs)).items():
            about = {"scale": SCALE, "runs": f"{FOLDER}/runs"}
            contents.append(files(f"ablation_{name}", picture, about=about))
        for name, picture in measured_figure.draw(measured(stored.results)).items():
            about = {"measurement": f"measurements/{name}.json"}
            contents.append(files(f"ablation_{name}", picture, about=about))
        if raw.runs and (drawn := baseline_figure.draw(chosen, raw.runs)):
            about = {"scale": SCALE, "runs": f"{baseline_figure.FOLDER}/runs"}
            contents.append(files("baseline", drawn, about=about))
    for content in contents:
        write_files(output, content)
    return varied.complaints + raw.complaints + stored_files.complaints(stored.results, [MEASURED])


def write_tables(stored: Stored, output: Path, *, scales: Sequence[str]) -> list[str]:
    """Write one table of all ablations, and Gymnasium's robots beside the published.

    Returns:
        What is wrong with the runs and files behind them, a line each.
    """
    if SCALE not in scales:
        return []
    varied, gym = stored.part(FOLDER), stored.part(published.FOLDER)
    varied_table = ablation_figure.table(
        ablations(_chosen(stored), varied.runs), measured(stored.results)
    )
    if len(varied_table.shown):
        write_files(output, table.files("ablations", varied_table))
    if gym.runs:
        write_files(output, table.files("gym_v5", published.table(gym.runs)))
    return varied.complaints + gym.complaints + stored_files.complaints(stored.results, [MEASURED])


def _chosen(stored: Stored) -> Chosen:
    """Return the comparison's settings, which are the ablations' defaults."""
    return choices([run for run in stored.comparison.runs if run.config.get("scale") == SCALE])
