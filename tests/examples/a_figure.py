"""A figure: how far each algorithm's steps go, from stored rows alone.

In the project: `report/<name>.py`, a pure function from choices to a `Picture`; a line in
`cli/figures.py`, and one in `report/html/sections.py` for the report.
"""

import tempfile
from pathlib import Path

import pandas as pd
from stored_runs import written

from trpo_repro.report.choice import choices
from trpo_repro.report.collection import collect
from trpo_repro.report.layout import caption, legend_above, note, panels
from trpo_repro.report.picture import Picture, files
from trpo_repro.report.style import look, our_style


def draw(chosen):
    figure, axes = panels(len(chosen))
    frames = []
    for ax, (task, of_task) in zip(axes, chosen.items(), strict=True):
        for choice in (choice for choice in of_task if choice.shown):
            rows = pd.concat([run.rows for run in choice.group.complete])
            mean = rows.groupby("iteration")["score"].mean()
            ax.plot(mean, color=look(choice.group.algorithm).colour)
            frames.append(mean.reset_index().assign(task=task, algorithm=choice.group.algorithm))
        note(ax, task, text="")
    legend_above(figure, [frame["algorithm"].iloc[0] for frame in frames])
    caption(figure, "Mean over complete seeds.")
    return Picture(figure, pd.concat(frames))


with tempfile.TemporaryDirectory() as folder, our_style():
    for algorithm in ("single_path", "vine"):
        written(Path(folder), [1.0, 2.0], f"algo={algorithm}")
    picture = files("example", draw(choices(collect([Path(folder)]).runs)), about={})
assert {"example.svg", "example.csv", "example.json"} < picture.keys()
