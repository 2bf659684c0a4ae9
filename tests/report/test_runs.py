from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from stored_runs import trained, written

from trpo_repro.errors import CheckpointError, ConfigError
from trpo_repro.report import provenance_table
from trpo_repro.report import runs as runs_module
from trpo_repro.report.collection import collect
from trpo_repro.report.runs import read_progress, read_run
from trpo_repro.runner import progress
from trpo_repro.runner.evaluation import stored_config
from trpo_repro.runner.run_folder import RunFolder


def test_the_columns_known_here_are_those_that_runs_write() -> None:
    assert progress.COLUMNS[: len(runs_module.COLUMNS)] == runs_module.COLUMNS


@pytest.mark.parametrize("algo", ["single_path", "cem"])  # cem leaves columns empty
def test_a_trained_run_is_read_as_it_was_written(algo: str, tmp_path: Path) -> None:
    folder = trained(tmp_path, f"algo={algo}", "seed=7")
    run = read_run(folder.path)
    assert (run.task, run.algorithm, run.seed, len(run.rows)) == ("cartpole", algo, 7, 2)
    assert folder.path.parts[-2] == run.identity
    assert run.complete
    assert run.problem == ""
    assert run.rows["iteration"].tolist() == [0, 1]
    assert (run.rows["score"] > 0).all()


def test_a_run_from_before_a_setting_is_the_same_run(tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0])
    config = json.loads(folder.config.read_text())
    assert config["algo"].pop("line_search") is True
    folder.config.write_text(json.dumps(config))
    run = read_run(folder.path)
    assert run.identity == folder.path.parts[-2]
    assert run.config["algo"]["line_search"] is True
    assert stored_config(folder).identity() == run.identity


def test_a_gymnasium_run_is_named_after_its_environment(tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0], "task=gym", "task.id=Walker2d-v5")
    run = read_run(folder.path)
    assert (run.task, run.identity) == folder.path.parts[-4::2]


def test_runs_come_in_order_and_once_however_they_are_named(tmp_path: Path) -> None:
    folders = [written(tmp_path, [1.0], f"seed={seed}") for seed in (10, 2)]
    found = collect([tmp_path, tmp_path / "runs", folders[0].path])
    assert [run.seed for run in found.runs] == [2, 10]
    assert found.complaints == []


def test_a_run_set_aside_counts_only_where_it_is_named(tmp_path: Path) -> None:
    aside = written(tmp_path, [1.0]).move_aside()
    assert aside is not None
    written(tmp_path, [1.0, 2.0])
    assert [len(run.rows) for run in collect([tmp_path]).runs] == [2]
    assert [len(run.rows) for run in collect([aside]).runs] == [1]


def test_a_copy_of_a_run_is_not_another_seed(tmp_path: Path) -> None:
    path = written(tmp_path, [1.0], seed=0).path
    shutil.copytree(path, path.with_name("seed1"))
    found = collect([tmp_path])
    assert [(run.seed, run.state, len(run.rows)) for run in found.runs] == [
        (0, "done", 1),
        (1, "unreadable", 0),  # which there should be
    ]
    (complaint,) = found.complaints
    assert "a copy of the run of seed 0" in complaint


@pytest.mark.parametrize("state", ["running", "interrupted", "failed"])
def test_an_unfinished_run_is_named_and_kept(state: str, tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0, 2.0], state=state, iterations=9)
    found = collect([tmp_path])
    assert found.complaints == [f"{folder.path}: {state} with 2 of 9 iterations"]
    assert len(found.runs[0].rows) == 2
    assert not found.runs[0].complete


def test_done_with_rows_missing_is_not_complete(tmp_path: Path) -> None:
    written(tmp_path, [1.0, 2.0], iterations=3)
    assert not collect([tmp_path]).runs[0].complete


DAMAGE = {
    "half a line": lambda text: text[:-20],
    "no newline": lambda text: text[:-1],
    "a number that is none": lambda text: text.replace("\n2,", "\n2,x"),
    "a score that is none": lambda text: text.replace(",0.75,", ",,"),
    "episodes that are none": lambda text: re.sub(r"(\n2,[^,]*,)5,", r"\1,", text),
    "an infinite score": lambda text: text.replace(",0.75,", ",inf,"),
    "a row missing": lambda text: text.replace("\n2,", "\n3,"),
    "a cell too many": lambda text: text.replace("\n3,", ",\n3,"),
    "a row cut short": lambda text: re.sub("accepted,*\n3", "\n3", text),
    "bytes that are no text": lambda text: text.replace("\n2,", "\n\udcff2,"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_rows_before_the_damage_are_kept_and_the_damage_is_named(name: str, tmp_path: Path) -> None:
    folder = written(tmp_path, [0.25, 0.5, 0.75, 1.0])
    text = DAMAGE[name](folder.progress.read_text(encoding="utf-8"))
    folder.progress.write_bytes(text.encode("utf-8", "surrogateescape"))
    run = read_run(folder.path)
    wanted = [0.25, 0.5, 0.75][: 3 if name in ("half a line", "no newline") else 2]
    assert run.rows["score"].tolist() == wanted
    assert f"progress.csv is damaged after {len(wanted)} rows" in run.problem
    assert not run.complete


@pytest.mark.parametrize("content", [b"", b"\0\0", b"iteration,score\n0,1.0\n", b"a\nb\n"])
def test_a_file_with_other_columns_has_no_rows(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "progress.csv"
    path.write_bytes(content)
    rows, problem = read_progress(path)
    assert len(rows) == 0
    assert problem
    assert "\n" not in problem


def test_a_run_that_has_only_begun_has_no_rows(tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0], state="running")
    folder.progress.unlink()
    found = collect([tmp_path])
    assert len(found.runs[0].rows) == 0
    assert "running with 0 of 1 iterations" in found.complaints[0]


NOT_CONFIGURATIONS = [b"", b"{", b"[]", b"{}", b'{"task": 1}', b"[" * 100_000]


@pytest.mark.parametrize("content", NOT_CONFIGURATIONS, ids=lambda content: repr(content[:12]))
def test_a_run_whose_configuration_is_lost_is_named(content: bytes, tmp_path: Path) -> None:
    lost, kept = written(tmp_path, [1.0], "seed=0"), written(tmp_path, [1.0], "seed=1")
    lost.config.write_bytes(content)
    found = collect([tmp_path])
    assert [run.path for run in found.runs if run.complete] == [kept.path]
    assert [(r.path, r.seed) for r in found.runs if r.state == "unreadable"] == [(lost.path, 0)]
    (complaint,) = found.complaints
    assert complaint.startswith(f"{lost.path}: not shown: ")
    assert complaint.endswith("; fix: train again, with run --restart")
    kept.config.unlink()
    with pytest.raises(CheckpointError, match="none of 2 runs can be read"):
        collect([tmp_path])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task.horizon", "long"),
        ("policy.hidden_sizes", 30),
        ("algo.stepsize", [0.01]),
        ("estimator.lambda_", None),
        ("iterations", "1"),
        ("scale", 3),
        ("task.name", "chess"),
    ],
)
def test_a_configuration_of_other_types_is_lost_too(
    key: str, value: object, tmp_path: Path
) -> None:
    lost, _ = written(tmp_path, [1.0], "seed=0"), written(tmp_path, [1.0], "seed=1")
    content = json.loads(lost.config.read_text())
    *parents, last = key.split(".")
    inner = content[parents[0]] if parents else content
    inner[last] = value
    lost.config.write_text(json.dumps(content))
    found = collect([tmp_path])
    assert [run.complete for run in found.runs] == [False, True]
    (complaint,) = found.complaints
    assert complaint.startswith(f"{lost.path}: not shown: not the configuration of a run: ")
    assert last in complaint or "chess" in complaint


@pytest.mark.parametrize("value", [3, [], {"packages": ["torch"], "git_commit": {}, "cpu": None}])
def test_where_a_run_was_made_may_be_told_in_any_way(value: object, tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0])
    content = json.loads(folder.config.read_text())
    folder.config.write_text(json.dumps({**content, "provenance": value, "threads": "all"}))
    assert collect([tmp_path]).complaints == []
    made = provenance_table.table({"comparison": collect([tmp_path]).runs})
    assert made.numbers["complete"].tolist() == [1]


def test_a_lost_status_is_said(tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0])
    folder.status.write_text("?")
    assert "in an unknown state" in collect([tmp_path]).complaints[0]


def test_nothing_found_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no run is below"):
        collect([tmp_path])
    with pytest.raises(ConfigError, match="there is no folder"):
        collect([tmp_path / "nothing"])


def test_identity_ignores_what_the_hash_ignores(tmp_path: Path) -> None:
    first, other = written(tmp_path, [1.0], "seed=0"), written(tmp_path, [1.0], "seed=1")
    content = json.loads(other.config.read_text())
    content |= {"threads": 7, "iterations": 99, "something": "new"}
    other.config.write_text(json.dumps(content))
    assert read_run(first.path).identity == read_run(other.path).identity
    assert RunFolder(first.path).path.parts[-2] == read_run(first.path).identity
