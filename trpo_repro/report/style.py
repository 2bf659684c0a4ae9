"""How figures look: one place, so that an algorithm has the same colour in all of them.

Colours are Okabe & Ito's, which colour-blind readers can tell apart, less their yellow, which white
paper swallows; line styles back them up in black and white.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from trpo_repro.errors import ConfigError


@dataclass(frozen=True)
class Look:
    """How an algorithm is drawn.

    Attributes:
        label: Its name in a legend.
        colour: Hexadecimal.
        dashes: Its line style.
    """

    label: str
    colour: str
    dashes: str = "-"


LOOKS = {
    "single_path": Look("single path", "#0072B2"),
    "vine": Look("vine", "#D55E00"),
    "natural_gradient": Look("natural gradient", "#009E73"),
    "empirical_fim": Look("empirical FIM", "#56B4E9"),
    "max_kl": Look("max KL", "#CC79A7"),
    "cem": Look("CEM", "#E69F00", "--"),
    "cma": Look("CMA-ES", "#000000", "--"),
    "policy_gradient": Look("policy gradient", "#7F7F7F", "-."),
    "kl_penalty": Look("KL penalty", "#8C6D00", "-."),
}
FORMATS = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": None},
    "svg": {"Date": None, "Creator": None},
}
"""What can be written, and the metadata that would change from day to day, taken out."""
SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.labelsize": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "figure.constrained_layout.use": True,
    "figure.titlesize": 10,
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same everywhere
    "font.size": 8,
    "grid.color": "#E5E5E5",
    "grid.linewidth": 0.6,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.solid_capstyle": "round",
    "pdf.fonttype": 42,  # fonts that a printer can embed
    "savefig.dpi": 200,
    "svg.hashsalt": "trpo-repro",
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
}
GREY = "#555555"
MARK: dict[str, Any] = {"color": GREY, "linewidth": 1.0, "linestyle": ":"}
"""A level to compare curves with."""
BAND = 0.18  # opacity
THIN: dict[str, Any] = {"linewidth": 0.6, "alpha": 0.45}
"""How a single seed is drawn."""
DOTTED: dict[str, Any] = {"linewidth": 1.0, "alpha": 0.8, "linestyle": ":"}
"""How a seed that is not done is drawn."""


@contextmanager
def our_style() -> Iterator[None]:
    """Draw in this project's style, whatever a user's own matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(SETTINGS)
        yield


def look(algorithm: str) -> Look:
    """Return how `algorithm` is drawn."""
    return LOOKS.get(algorithm, Look(algorithm, "#7F7F7F"))


def picture_format(path: Path) -> str:
    """Return the format that `path` ends in.

    Raises:
        ConfigError: It is none that we write.
    """
    suffix = path.suffix.removeprefix(".").lower()
    if suffix not in FORMATS:
        raise ConfigError(
            f"cannot draw a picture named {path.name!r}", fix=f"end it in .{', .'.join(FORMATS)}"
        )
    return suffix


def rendered(figure: Figure, kind: str) -> bytes:
    """Return `figure` as a file of `kind`: equal figures give equal bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=FORMATS[kind])
    return buffer.getvalue()
