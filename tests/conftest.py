"""Signals as an interactive shell leaves them, for processes under test; pictures drawn quickly."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import psutil
import pytest


def pytest_configure() -> None:
    for number in (signal.SIGHUP, signal.SIGINT):
        if signal.getsignal(number) == signal.SIG_IGN:  # nohup, a script's `&`
            default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, default)


@pytest.hookimpl(optionalhook=True)  # pytest-xdist's, for `-n auto`
def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than cores: one that waits for a command under test needs none."""
    return (psutil.cpu_count(logical=False) or 1) + 1


@pytest.fixture(scope="session", autouse=True)
def shipped_style() -> Iterator[dict[Any, Any]]:
    """Give the style of pictures as it is, and leave out nearly half of a picture's time.

    That is the subset of a TrueType font that a PDF embeds; glyphs alone look the same.
    """
    from trpo_repro.report.style import SETTINGS

    shipped = dict(SETTINGS)
    SETTINGS["pdf.fonttype"] = 3
    yield shipped
    SETTINGS.update(shipped)
