"""A part of the page: what is said, its figures and its tables."""

from __future__ import annotations

from dataclasses import dataclass

from trpo_repro.report.html.plots import Line
from trpo_repro.report.html.tables import Shown


@dataclass(frozen=True)
class Plot:
    """One figure of the page.

    Attributes:
        name: Of the element.
        title: Its heading.
        image: The drawing as a data URI, for print and for browsers without JavaScript.
        panels: Plotly's HTML, one a panel; none where the drawing is all there is.
        folded: Whether it is opened by hand.
        more: Whether the drawing shows more than the panels, and is kept above them.
    """

    name: str
    title: str
    image: str
    panels: tuple[str, ...] = ()
    folded: bool = False
    more: bool = False

    @property
    def kept(self) -> bool:
        """Tell whether the drawing is always shown."""
        return self.more or not self.panels


@dataclass(frozen=True)
class Section:
    """One part of the page.

    Attributes:
        name: Of the element.
        title: Its heading.
        text: What is said first.
        plots: Its figures.
        tables: Its tables.
        algorithms: Those that its curves are of, to be switched on and off.
    """

    name: str
    title: str
    text: str = ""
    plots: tuple[Plot, ...] = ()
    tables: tuple[Shown, ...] = ()
    algorithms: tuple[Line, ...] = ()
