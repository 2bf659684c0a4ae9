"""Curves that can be read off by pointing: the numbers of a picture as Plotly's own panels."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from matplotlib.colors import to_rgb
from plotly.io import to_html

from trpo_repro.report.style import BAND, look

DIGITS = 4  # of a plotted number
HEIGHT = 320  # pixels
DASHES = {"-": "solid", "--": "dash", "-.": "dashdot"}
MARGIN = {"l": 50, "r": 10, "t": 36, "b": 44}
CONFIG = {"responsive": True, "displaylogo": False, "displayModeBar": False}


@dataclass(frozen=True)
class Line:
    """How one line is drawn.

    Attributes:
        key: What it is switched by.
        label: Its name.
        colour: Hexadecimal.
        dashes: Matplotlib's word for its style.
    """

    key: str
    label: str
    colour: str
    dashes: str = "-"


@dataclass(frozen=True)
class Axes:
    """What a panel shows against what.

    Attributes:
        x: The abscissa's column and label.
        y: The ordinate's label.
    """

    x: str
    y: str = "score"


def algorithm_panels(name: str, numbers: pd.DataFrame, *, axes: Axes) -> list[str]:
    """Return one panel a task, as HTML.

    Args:
        name: Of the picture; panels' names begin with it.
        numbers: One row a point: `task`, `algorithm`, `n`, `axes.x`, `mean`, `low`, `high`; it
            may have `complete`, how many of the n are.
        axes: What is plotted.
    """
    return [
        panel(
            f"{name}-{task}",
            f"{task}{_unfinished(rows)}",
            rows=rows,
            axes=axes,
            lines=list(_lines(rows)),
            by="algorithm",
        )
        for task, rows in numbers.groupby("task", sort=False)
    ]


def _unfinished(rows: pd.DataFrame) -> str:
    """Return what a panel's title says if a line in it is of runs none of which is complete."""
    begun = "complete" in rows and bool((rows["complete"] == 0).any())
    return ", unfinished" if begun else ""


def _lines(rows: pd.DataFrame) -> Iterator[Line]:
    for algorithm in rows["algorithm"].unique():
        style = look(algorithm)
        yield Line(algorithm, style.label, style.colour, style.dashes)


def panel(
    name: str, title: str, *, rows: pd.DataFrame, axes: Axes, lines: list[Line], by: str
) -> str:
    """Return one panel as HTML, without the library.

    Args:
        name: The element's; equal input gives equal bytes.
        title: Above the axes.
        rows: One row a point.
        axes: What is plotted.
        lines: In the order in which they are drawn.
        by: The column that tells the lines apart.
    """
    figure = go.Figure()
    for line in lines:
        own = rows[rows[by] == line.key]
        for trace in _traces(own, axes.x, line=line):
            figure.add_trace(trace)
    figure.update_layout(
        title={"text": f"<b>{title}</b>", "x": 0, "xref": "paper", "font": {"size": 14}},
        height=HEIGHT,
        margin=MARGIN,
        hovermode="x unified",
        showlegend=by != "algorithm",
        legend={"orientation": "h", "y": -0.2},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        template="none",
        hoverlabel={"font": {"size": 11}},
    )
    figure.update_xaxes(title={"text": axes.x, "standoff": 6}, showgrid=False, zeroline=False)
    figure.update_yaxes(title={"text": axes.y}, zeroline=False, automargin=True)
    div = re.sub("[^A-Za-z0-9-]", "-", name)
    return str(to_html(figure, config=CONFIG, include_plotlyjs=False, full_html=False, div_id=div))


def _traces(rows: pd.DataFrame, x: str, *, line: Line) -> Iterator[go.Scatter]:
    """Yield the band, where there is one, and the line."""
    points = rows[x].to_numpy(np.float64)
    low, high, mean = (rows[column].to_numpy(np.float64) for column in ("low", "high", "mean"))
    if np.isfinite(low).all():
        red, green, blue = (round(255 * part) for part in to_rgb(line.colour))
        yield go.Scatter(
            x=_short([*points, *points[::-1]]),
            y=_short([*high, *low[::-1]]),
            fill="toself",
            fillcolor=f"rgba({red},{green},{blue},{BAND})",
            line={"width": 0},
            legendgroup=line.key,
            showlegend=False,
            hoverinfo="skip",
        )
    count = rows["n"].iloc[0]
    yield go.Scatter(
        x=_short(points),
        y=_short(mean),
        mode="lines" if len(points) > 1 else "markers",
        name=line.label,
        legendgroup=line.key,
        line={"color": line.colour, "width": 2, "dash": DASHES[line.dashes]},
        customdata=[[a, b] for a, b in zip(_short(low), _short(high), strict=True)],
        hovertemplate="%{y} [%{customdata[0]}, %{customdata[1]}], n = " + str(count),
    )


def _short(values: list[float] | np.ndarray) -> list[float | None]:
    """Return numbers of few digits; nothing for what is none."""
    return [float(f"{v:.{DIGITS}g}") if np.isfinite(v) else None for v in values]
