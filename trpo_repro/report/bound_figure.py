"""The picture of the bound: true η, the surrogate L and the lower bounds along a step."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from trpo_repro.report.layout import caption, note, panels
from trpo_repro.report.picture import Picture
from trpo_repro.report.style import GREY
from trpo_repro.theory.algorithm_1 import DELTA
from trpo_repro.theory.along_step import DISCOUNT, SIZE, AlongStep, along_step
from trpo_repro.theory.mdp import Array

POINTS = 401
CURVES: dict[str, tuple[str, str, Literal["-", "--", "-."]]] = {
    "true": ("true η", "#000000", "-"),
    "surrogate": ("surrogate L", "#0072B2", "--"),
    "mixture_bound": ("lower bound, Eq. 6", "#009E73", "-."),
    "variation_bound": ("lower bound, Eq. 8", "#D55E00", "-"),
    "kl_bound": ("lower bound, Eq. 9", "#CC79A7", "-"),
}


def draw(seed: int) -> Picture:
    """Return the picture on one MDP: the whole step, and its beginning, where bounds are useful."""
    whole = along_step(seed, np.linspace(0, 1, POINTS))
    beginning = along_step(seed, np.linspace(0, _useful(seed), POINTS))
    figure, (left, right) = panels(2, below=0.1, around=1.0)
    top = float(max(whole.true.max(), whole.surrogate.max()))
    _panel(left, whole, title="The whole step", limits=(-0.6 * top, 1.05 * top))
    hump = float(beginning.mixture_bound.max())
    _panel(right, beginning, title="Its beginning", limits=(-1.3 * hump, 3.2 * hump))
    _mark_best(right, beginning)
    _mark_trust_region(left, whole)
    lines = [Line2D([], [], label=a, color=b, linestyle=c) for a, b, c in CURVES.values()]
    figure.legend(handles=lines, loc="outside upper left", ncols=5, handlelength=2.0)
    states, actions = SIZE
    text = (
        f"A random MDP of {states} states and {actions} actions, γ = {DISCOUNT}. Mixtures of the "
        "uniform policy and the greedy one (Eq. 5). η less that of the uniform policy. Dots: where "
        f"a bound is greatest. Dotted: the trust region, maximum KL(old‖new) = {DELTA}."
    )
    caption(figure, text)
    return Picture(figure, pd.concat([_numbers("whole", whole), _numbers("beginning", beginning)]))


def _useful(seed: int) -> float:
    """Return an α a little beyond that at which Eq. (6) stops promising a gain."""
    trial = along_step(seed, np.logspace(-4, 0, 200))
    return 1.15 * float(trial.alpha[trial.mixture_bound > 0].max())


def _panel(ax: Axes, found: AlongStep, *, title: str, limits: tuple[float, float]) -> None:
    """Draw the curves within `limits`."""
    for name, (_, colour, dashes) in CURVES.items():
        curve: Array = getattr(found, name)
        ax.plot(found.alpha, curve, color=colour, linestyle=dashes)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.set_ylim(*limits)
    ax.set_xlim(0, float(found.alpha.max()))
    ax.set_xlabel("α of the mixture")
    ax.set_ylabel("discounted reward gained")
    note(ax, title, text="")


def _mark_best(ax: Axes, found: AlongStep) -> None:
    """Put a dot where each bound is greatest: the step that it would have us take."""
    for name in ("mixture_bound", "variation_bound", "kl_bound"):
        bound: Array = getattr(found, name)
        best = int(bound.argmax())
        ax.plot(found.alpha[best], bound[best], "o", color=CURVES[name][1], markersize=4)


def _mark_trust_region(ax: Axes, found: AlongStep) -> None:
    """Put a line at the step that a trust region allows."""
    edge = float(np.interp(DELTA, found.kl_max, found.alpha))
    ax.axvline(edge, color=GREY, linewidth=1.0, linestyle=":")
    ax.annotate(
        f"KL = {DELTA}", (edge, 1), xycoords=("data", "axes fraction"), xytext=(3, -2),
        textcoords="offset points", va="top", fontsize=6.5, color=GREY,
    )  # fmt: skip


def _numbers(panel: str, found: AlongStep) -> pd.DataFrame:
    """Return one row a point; infinity is left empty."""
    curves = {name: getattr(found, name) for name in ("alpha", *CURVES, "kl_max")}
    frame = pd.DataFrame(curves).replace([np.inf, -np.inf], np.nan)
    frame.insert(0, "panel", panel)
    return frame
