"""Where things stand on a figure of several panels: titles, notes, legend, caption."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from trpo_repro.report.style import GREY, LOOKS, look

PANEL = (3.4, 2.6)  # inches
LEGEND_ENTRY = 1.7  # inches
CHARACTERS = 18  # of a caption that fit an inch
NOTE_WIDTH = 60  # characters that fit above a panel
NOTE_LINE = 8.5  # points


def panels(count: int, *, below: float = 0.0, around: float = 0.5) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels: one to three in a row, four as a square.

    Args:
        count: How many.
        below: Inches that each panel needs below its axis.
        around: Inches that the figure needs above and below all panels.
    """
    columns = count if count <= 3 else 2 if count == 4 else 3
    rows = -(-count // columns)
    height = rows * (PANEL[1] + below) + around
    # Figure, not pyplot: no global state, and no window system is asked for.
    figure = Figure(figsize=(columns * PANEL[0], height))
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for ax in axes[count:]:
        ax.remove()
    return figure, axes[:count]


def caption(figure: Figure, text: str) -> None:
    """Write `text` small below everything, on as many lines as it takes."""
    width = CHARACTERS * figure.get_figwidth()
    text = textwrap.fill(text, int(width))
    figure.supxlabel(text, x=0.01, ha="left", fontsize=7, color=GREY)


def note(ax: Axes, title: str, *, text: str) -> None:
    """Write a panel's title and below it, small, what holds for this panel alone."""
    lines = textwrap.wrap(text, NOTE_WIDTH)
    ax.set_title(title, pad=6 + NOTE_LINE * len(lines), weight="bold")
    ax.annotate(
        "\n".join(lines),
        xy=(0, 1),
        xycoords="axes fraction",
        xytext=(0, 3),
        textcoords="offset points",
        va="bottom",
        fontsize=6.5,
        color=GREY,
    )


def counts(shares: Mapping[str, str]) -> str:
    """Return the numbers of seeds: the usual one, then those that differ by name."""
    usual, _ = Counter(shares.values()).most_common(1)[0]
    others = [f"{name}: {share}" for name, share in shares.items() if share != usual]
    return "; ".join([f"n = {usual}", *others])


def legend_above(figure: Figure, algorithms: Sequence[str], *, more: Sequence[Line2D] = ()) -> None:
    """Write one legend for all panels, algorithms in the order of `LOOKS`."""
    known = list(LOOKS)
    ranked = sorted(set(algorithms), key=lambda a: (known.index(a) if a in known else 99, a))
    looks = [look(algorithm) for algorithm in ranked]
    styles: list[dict[str, Any]] = [{"color": own.colour, "linestyle": own.dashes} for own in looks]
    lines = [Line2D([], [], label=o.label, **s) for o, s in zip(looks, styles, strict=True)]
    lines += more
    columns = min(len(lines), int(figure.get_figwidth() / LEGEND_ENTRY))
    figure.legend(handles=lines, loc="outside upper left", ncols=columns, handlelength=2.4)
