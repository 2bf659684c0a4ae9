"""`trpo-repro theory` from the outside."""

import json
from pathlib import Path

import pytest
from cli_helpers import trpo

from trpo_repro.cli import theory as theory_command
from trpo_repro.cli.main import main
from trpo_repro.theory import algorithm_1, bounds, worst_case

FILES = {
    *(f"bound.{kind}" for kind in ("png", "pdf", "svg", "csv", "json")),
    *("checks.csv", "checks.md", "steps.csv", "steps.md", "violations.csv"),
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the parts that do not depend on --mdps short."""
    monkeypatch.setattr(algorithm_1, "RACES", 2)
    monkeypatch.setattr(algorithm_1, "PATIENCE", 20)
    monkeypatch.setattr(worst_case, "SEARCH_STEPS", 5)


def theory(output: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as done:
        main(["theory", "--mdps", "10", "--output", str(output), *words])
    return int(done.value.code or 0)


@pytest.mark.usefixtures("small")
def test_it_writes_the_same_bytes_again(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert theory(tmp_path / "a") == theory(tmp_path / "b") == 0
    assert {path.name for path in (tmp_path / "a").iterdir()} == FILES
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    assert "Theorem 1" in capsys.readouterr().out


@pytest.mark.usefixtures("small")
def test_json_is_all_that_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert theory(tmp_path, "--json", "--seed", "1") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["seed"] == 1
    random = [row for row in found["checks"] if row["family"] == "random"]
    assert all(row["mdps"] == 10 for row in random)
    assert all(row["violations"] == 0 for row in found["checks"] if not row["misprint"])
    assert {row["claim"] for row in found["violations"]} == {"Lemma 3's middle term"}


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theory_command, "verify", None)
    (tmp_path / "file").touch()
    assert theory(tmp_path / "file" / "below") == 2
    assert "is not a folder" in capsys.readouterr().err


@pytest.mark.usefixtures("small")
def test_a_violation_is_listed_and_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "THEOREM_1", 0.4)
    assert theory(tmp_path) == 1
    assert "Theorem 1" in capsys.readouterr().err
    assert "worst case,Theorem 1,Eq. 8" in (tmp_path / "violations.csv").read_text()


@pytest.mark.usefixtures("small")
def test_everything_is_written_before_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theory_command, "_show", lambda *_: (_ for _ in ()).throw(OSError("full")))
    assert theory(tmp_path) == 5
    assert {path.name for path in tmp_path.iterdir()} == FILES


def test_help_has_examples(tmp_path: Path) -> None:
    assert "trpo-repro theory --json" in trpo("theory", "--help", cwd=tmp_path).stdout
