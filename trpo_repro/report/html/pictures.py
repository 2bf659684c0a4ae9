"""The stored pictures of the page: drawings, the points of the games' curves, videos."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pandas as pd

from trpo_repro.errors import CheckpointError
from trpo_repro.report.stored_files import Kind, read_table

VIDEO_TYPES = {".gif": "image/gif", ".webp": "image/webp", ".png": "image/png"}
BEGINS = {".gif": b"GIF8", ".webp": b"RIFF", ".png": b"\x89PNG"}
ENDS = {".gif": b";", ".webp": b"", ".png": b"IEND\xaeB`\x82"}
"""How a whole video's file begins and ends; that of WebP says how long it is."""
GAMES = "figures/figure5*"


def _drawing(path: Path) -> bytes:
    """Return an SVG file that is one, to its end.

    Raises:
        ParseError: It is not.
    """
    content = path.read_bytes()
    ElementTree.fromstring(content)
    return content


def _points(path: Path) -> pd.DataFrame:
    """Return the points of a picture of the games; none where it has none.

    Raises:
        CheckpointError, ValueError: It is damaged.
    """
    if path.read_bytes() == b"\n":
        return pd.DataFrame()
    numbers = ["n", "policy iteration", "mean"]
    table = read_table(path, words=["task", "algorithm"], numbers=numbers)
    table[["low", "high"]] = table[["low", "high"]].astype(float)
    return table


def _video(path: Path) -> bytes:
    """Return a video that is whole.

    Raises:
        CheckpointError: It is not.
    """
    content, kind = path.read_bytes(), path.suffix
    whole = content.startswith(BEGINS[kind]) and content.endswith(ENDS[kind])
    if kind == ".webp":
        whole &= int.from_bytes(content[4:8], "little") + 8 == len(content)
    if not whole:
        raise CheckpointError("it is no whole picture")
    return content


def _drawings(results: Path) -> list[Path]:
    bound = results / "theory" / "bound.svg"
    return [*sorted(results.glob(f"{GAMES}.svg")), *([bound] if bound.is_file() else [])]


def _draw_again(path: Path) -> str:
    if path.parent.name == "theory":
        return f"trpo-repro theory --output {path.parent}"
    return f"trpo-repro figures --results-dir {path.parents[1]}"


DRAWINGS = Kind(find=_drawings, read=_drawing, fix=_draw_again)
"""Drawings as SVG."""
POINTS = Kind(
    find=lambda results: sorted(results.glob(f"{GAMES}.csv")), read=_points, fix=_draw_again
)
"""The points of Figure 5, as `figures` wrote them."""
VIDEOS = Kind(
    find=lambda results: sorted(p for p in results.glob("videos/*") if p.suffix in VIDEO_TYPES),
    read=_video,
    fix=lambda path: f"trpo-repro video RUN --output {path}",
)
"""Moving pictures that need no player."""
