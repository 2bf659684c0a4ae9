"""The examples that CONTRIBUTING.md names run, and are short."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = sorted(path for path in HERE.glob("a*_*.py"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_and_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 40
    runpy.run_path(str(path))


def test_contributing_names_every_example_and_fits_a_screen() -> None:
    text = (HERE.parents[1] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert len(EXAMPLES) == 4
    assert all(f"tests/examples/{path.name}" in text for path in EXAMPLES)
    assert len(text.splitlines()) <= 60
