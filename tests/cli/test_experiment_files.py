"""Where an experiment's file is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest
from stored_runs import outcome

from trpo_repro.cli.completion import complete_experiment
from trpo_repro.cli.experiments import experiment, shipped


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that has an `experiments/` of its own."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "mine.yaml").write_text("cells: [{task: cartpole}]")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "experiments"


def test_an_unrelated_folder_here_does_not_hide_what_is_shipped(here: Path) -> None:
    assert experiment("figure4") == shipped("experiments") / "figure4.yaml"
    assert experiment("mine").resolve() == here / "mine.yaml"
    assert {"figure4", "mine"} <= set(complete_experiment())
    (here / "figure4.yaml").write_text("cells: []")
    assert experiment("figure4").resolve() == here / "figure4.yaml"
    assert experiment("experiments/mine.yaml") == Path("experiments/mine.yaml")


@pytest.mark.usefixtures("here")
def test_an_unknown_experiment_is_told_with_what_there_is_and_where_one_looked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = outcome("sweep", "figure", "--dry-run", capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith("error: unknown experiment 'figure'; did you mean 'figure4'? (")
    assert str(shipped("experiments")) in err
    code, _, err = outcome("status", "nothing/x.yaml", capsys=capsys)
    assert code == 2
    assert err.startswith("error: there is no such experiment file (nothing/x.yaml)")
    assert err.count("\n") == 1
