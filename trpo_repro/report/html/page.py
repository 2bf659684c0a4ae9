"""The page put together: sections in the order in which a reader asks."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pandas as pd
from jinja2 import Environment, StrictUndefined
from plotly.offline import get_plotlyjs

from trpo_repro.report.claims.evidence import gather
from trpo_repro.report.claims.ledger import Entry, ledger, numbers, quantity
from trpo_repro.report.claims.verdict import Verdict, sentence
from trpo_repro.report.collection import Stored
from trpo_repro.report.html.pictures import VIDEO_TYPES, VIDEOS
from trpo_repro.report.html.sections import data_uri, sections
from trpo_repro.report.html.tables import unbroken

FEW = 7
"""So many counts of a claim have their numbers shown at once."""


def page(stored: Stored) -> bytes:
    """Return the page of everything that is stored.

    Raises:
        ConfigError: No run is stored there.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    environment.filters["unbroken"] = unbroken
    template = environment.from_string(_asset("page.html.jinja"))
    entries = ledger(gather(stored))
    return template.render(
        entries=entries,
        tally=[(v, n) for v in Verdict if (n := sum(e.verdict is v for e in entries))],
        details={entry.name: _details(entry) for entry in entries},
        sentence=sentence,
        numbers=numbers,
        few=FEW,
        sections=sections(stored),
        videos=_videos(stored.results),
        style=_asset("page.css"),
        script=_asset("page.js"),
        library=get_plotlyjs(),
    ).encode()


def _details(entry: Entry) -> pd.DataFrame:
    """Return every count of a claim, as text."""
    rows = [
        {
            "count": count.name,
            "found": quantity(count),
            "n": count.n,
            "judged": str(count.judgement),
            "runs": ", ".join(sorted({run.rsplit("/", 1)[0] for run in count.runs})),
        }
        for count in entry.finding.counts
    ]
    return pd.DataFrame(rows)


def _videos(results: Path) -> list[tuple[str, str]]:
    """Return (name, data URI) of every video."""
    return [
        (path.stem, data_uri(content, VIDEO_TYPES[path.suffix]))
        for path in VIDEOS.find(results)
        if (content := VIDEOS.load(path))
    ]


def _asset(name: str) -> str:
    return (resources.files("trpo_repro.report.html") / name).read_text(encoding="utf-8")
