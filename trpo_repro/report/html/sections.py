"""The sections of the page between the claims and the videos, in the order of their questions."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from trpo_repro.report import (
    ablation_figure,
    baseline_figure,
    figure4,
    figure5,
    measured_figure,
    paper_table,
    provenance_table,
    published,
    score_table,
    stepsizes,
)
from trpo_repro.report.ablations import ABLATIONS, FOLDER, Found, ablations
from trpo_repro.report.choice import choices
from trpo_repro.report.claims.evidence import Chosen
from trpo_repro.report.claims.sources import measured
from trpo_repro.report.collection import SCALES, Stored, suffix
from trpo_repro.report.games import is_game
from trpo_repro.report.html import plots, tables
from trpo_repro.report.html.pictures import DRAWINGS, POINTS
from trpo_repro.report.html.plots import Axes, Line
from trpo_repro.report.html.section import Plot, Section
from trpo_repro.report.html.tables import TABLES, Shown
from trpo_repro.report.picture import Picture
from trpo_repro.report.runs import StoredRun
from trpo_repro.report.style import LOOKS, look, our_style, rendered

PARTS = (FOLDER, published.FOLDER, baseline_figure.FOLDER)
"""Where the runs lie that are none of the comparison's, below the results."""
SVG = "image/svg+xml"
HEADLINES = (
    "{}: score against policy iterations",
    "The same against simulated steps",
    "The same against wall time",
)
COMPARISONS = {
    "bench": ("Figure 4", "At scale=bench: 50K steps an iteration, cart-pole 10K."),
    "paper": (
        "Figure 4 at the paper's sizes",
        "At scale=paper, the sizes of Table 2: a million steps an iteration, swimmer 50K.",
    ),
}
"""By scale: a section's title, and what it says first."""
FIGURE_5 = {"figure5": "Figure 5, as cost", "figure5_reward": "Figure 5, as reward"}
FURTHER = {"paper": "at the paper's sizes"}
"""What a part of a file's name says, where that is not the part itself."""


def sections(stored: Stored) -> list[Section]:
    """Return those that have anything to show.

    Raises:
        ConfigError: No run is stored.
    """
    results, runs = stored.results, stored.comparison.runs
    # Games have their own section: their scores are on no common scale.
    shown = [run for run in runs if not is_game(run)]
    at_scale = {
        scale: choices([run for run in shown if run.config.get("scale") == scale])
        for scale in SCALES
    }
    chosen = at_scale["bench"]
    parts = {"comparison": runs, **_other_parts(stored)}
    varied = ablations(chosen, parts.get(FOLDER, []))
    with our_style():
        found = [
            *(_figure4(of_scale, scale) for scale, of_scale in at_scale.items()),
            _atari(results),
            _parameters(results, chosen),
            _ablations(
                varied,
                measured(results),
                baseline=baseline_figure.draw(chosen, parts.get(baseline_figure.FOLDER, [])),
            ),
            _theory(results),
            _published(parts.get(published.FOLDER, [])),
            _provenance(parts),
        ]
    return [section for section in found if section.plots or section.tables]


def _figure4(chosen: Chosen, scale: str) -> Section:
    """Return the comparison: three pictures, the stepsizes, the scores; empty before any run."""
    name, (title, size) = "figure4" + suffix(scale), COMPARISONS[scale]
    if not any(choice.shown for of_task in chosen.values() for choice in of_task):
        return Section(name, title)
    drawn, numbers = list[Plot](), list[pd.DataFrame]()
    for headline, (key, abscissa) in zip(HEADLINES, figure4.ABSCISSAE.items(), strict=True):
        picture, own = figure4.draw(chosen, abscissa), key + suffix(scale)
        panels = tuple(plots.algorithm_panels(own, picture.numbers, axes=Axes(abscissa.label)))
        numbers.append(picture.numbers)
        folded = len(drawn) > 0
        drawn.append(Plot(own, headline.format(title), _image(picture), panels, folded))
    if sweep := stepsizes.draw(chosen):
        own = f"stepsizes{suffix(scale)}"
        drawn.append(Plot(own, "Stepsizes that were swept", _image(sweep), folded=True))
    found = [tables.shown(score_table.table(chosen))]
    if suffix(scale):  # the usual one's times are beside Table 2
        found.append(tables.shown(paper_table.times(chosen)))
    text = f"{size} Lines are means over complete seeds, bands their 95% bootstrap intervals."
    return Section(name, title, text, tuple(drawn), tuple(found), _algorithms(numbers))


def _atari(results: Path) -> Section:
    """Return what `trpo-repro figures` and `tables` wrote of Figure 5 and Table 1."""
    drawn, numbers = list[Plot](), list[pd.DataFrame]()
    for path in sorted((results / "figures").glob("figure5*.svg")):
        if (image := DRAWINGS.load(path)) is None:
            continue
        kind = max((name for name in figure5.AXES if path.stem.startswith(name)), key=len)
        parts, panels = path.stem.removeprefix(kind).split("_"), list[str]()
        if (points := POINTS.load(path.with_suffix(".csv"))) is not None and len(points):
            numbers.append(points)
            axes = Axes("policy iteration", figure5.AXES[kind][1])
            panels = plots.algorithm_panels(path.stem, points, axes=axes)
        title = ", ".join([FIGURE_5[kind], *(FURTHER.get(part, part) for part in parts if part)])
        drawn.append(Plot(path.stem, title, data_uri(image, SVG), tuple(panels)))
    found = _stored(results, "tables/table1")
    title, algorithms = "Atari: Figure 5 and Table 1", _algorithms(numbers)
    return Section("atari", title, "", tuple(drawn), found, algorithms)


def _parameters(results: Path, chosen: Chosen) -> Section:
    """Return Tables 2 and 3, and the times."""
    ours = tables.shown(paper_table.parameters(chosen)), tables.shown(paper_table.times(chosen))
    return Section(
        "parameters",
        "Tables 2 and 3",
        "",
        (),
        (*ours[:1], *_stored(results, "tables/table3"), ours[1]),
    )


def _ablations(found: Found, ratios: pd.DataFrame, *, baseline: Picture | None) -> Section:
    """Return each ablation that was run or measured, and the natural gradient without baseline."""
    labels = {ablation.name: ablation for ablation in ABLATIONS}
    drawn = []
    for name, picture in ablation_figure.draw(found).items():
        ablation, panels = labels[name], []
        for task, members in found[name].items():
            shades, frame = ablation_figure.colours(members), ablation_figure.curves(members)
            lines = [Line(value, value, shades[value]) for value in frame["value"].unique()]
            panels.append(
                plots.panel(
                    f"{name}-{task}",
                    task,
                    rows=frame,
                    axes=Axes("policy iteration"),
                    lines=lines,
                    by="value",
                )
            )
        title = f"{heading(ablation.label)}, {look(ablation.algorithm).label}"
        drawn.append(Plot(f"ablation-{name}", title, _image(picture), tuple(panels), more=True))
    for name, picture in measured_figure.draw(ratios).items():
        title = heading(measured_figure.MEASURED[name].title)
        drawn.append(Plot(f"ablation-{name}", title, _image(picture)))
    if baseline:
        title = "The natural gradient with a baseline and without any"
        drawn.append(Plot("baseline", title, _image(baseline)))
    table = ablation_figure.table(found, ratios)
    shown = (tables.shown(table),) if len(table.shown) else ()
    return Section("ablations", "Ablations", "", tuple(drawn), shown)


def _theory(results: Path) -> Section:
    """Return what `trpo-repro theory` wrote."""
    drawn: tuple[Plot, ...] = ()
    if image := DRAWINGS.load(results / "theory" / "bound.svg"):
        title = "True η, L and the lower bounds along a step"
        drawn = (Plot("bound", title, data_uri(image, SVG)),)
    found = _stored(results, "theory/checks", "theory/steps")
    return Section("theory", "Theory", "", drawn, found)


def _published(runs: Sequence[StoredRun]) -> Section:
    table = tables.shown(published.table(runs))
    return Section("published", "Against others", "", (), (table,))


def _provenance(parts: Mapping[str, Sequence[StoredRun]]) -> Section:
    found = [provenance_table.table(parts)]
    if len((failed := provenance_table.failures(parts)).shown):
        found.append(failed)
    return Section("provenance", "Provenance", "", (), tuple(map(tables.shown, found)))


def _other_parts(stored: Stored) -> dict[str, list[StoredRun]]:
    """Return the runs that are none of the comparison's."""
    return {name: runs for name in PARTS if (runs := stored.part(name).runs)}


def _stored(results: Path, *names: str) -> tuple[Shown, ...]:
    """Return those tables with rows that were written to the results."""
    found = [TABLES.load(results / f"{name}.md") for name in names]
    return tuple(table for table in found if table and table.rows)


def _algorithms(numbers: Sequence[pd.DataFrame]) -> tuple[Line, ...]:
    """Return the algorithms that are drawn, in the order of the figures' legends."""
    drawn = {algorithm for frame in numbers for algorithm in frame["algorithm"]}
    ranked = [*(a for a in LOOKS if a in drawn), *sorted(drawn - LOOKS.keys())]
    found = [(algorithm, look(algorithm)) for algorithm in ranked]
    return tuple(Line(key, own.label, own.colour, own.dashes) for key, own in found)


def heading(label: str) -> str:
    """Return an axis' label as a title; a Greek letter stays the one that it is."""
    return label[0].upper() + label[1:] if label[0].isascii() else label


def _image(picture: Picture) -> str:
    figure: Figure = picture.figure
    return data_uri(rendered(figure, "svg"), SVG)


def data_uri(content: bytes, kind: str) -> str:
    """Return `content` as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
