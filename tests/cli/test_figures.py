from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest
from cli_helpers import environment
from stored_runs import outcome, written

from trpo_repro.report.collection import PAPER_SCALE
from trpo_repro.report.style import FORMATS

PICTURES = ("figure4", "figure4_steps", "figure4_time", "stepsizes")
TABLES = ("scores", "parameters", "times")


def store(results: Path) -> None:
    """Write a sweep of two stepsizes, one seed of which failed, and single path."""
    for seed in range(3):
        written(results, [0.0, 1.0, 2.0 + seed], f"seed={seed}")
    for stepsize, score in ((0.1, 5.0), (0.3, 4.0)):
        overrides = ("algo=natural_gradient", f"algo.stepsize={stepsize}")
        written(results, [0.0, 0.0, score], *overrides)
        written(results, [7.0], *overrides, "seed=1", state="failed", iterations=3)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_same_results_give_the_same_bytes_wherever_they_lie(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = {}
    for where, settings in (("here", {}), ("there", {"font.size": 30})):  # a user's own settings
        monkeypatch.chdir(tmp_path)
        results = Path(where) / "results"
        store(results)
        for command, names, endings in (
            ("figures", PICTURES, [*FORMATS, "csv", "json"]),
            ("tables", TABLES, ["csv", "md"]),
        ):
            with matplotlib.rc_context(settings):
                code, out, err = outcome(command, "--results-dir", str(results), capsys=capsys)
            folder = results / command
            assert code == 0
            wanted = [str(folder / f"{name}.{ending}") for name in names for ending in endings]
            assert out.splitlines() == wanted
            assert [line.rpartition(": ")[2] for line in err.splitlines()] == [
                "failed with 1 of 3 iterations"
            ] * 2
            assert sorted(contents(folder)) == sorted(Path(path).name for path in wanted)
            made[where, command] = contents(folder)
    assert made["here", "figures"] == made["there", "figures"]
    assert made["here", "tables"] == made["there", "tables"]


def test_the_sidecar_names_every_run_and_what_became_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path)
    lost = written(tmp_path, [1.0], "seed=9")
    lost.config.write_text("{")
    options = ("--results-dir", str(tmp_path), "--output", str(tmp_path / "out"))
    _, _, err = outcome("figures", *options, capsys=capsys)
    assert "seed9: not shown: the file is not JSON" in err
    about = json.loads((tmp_path / "out" / "figure4.json").read_text())
    assert about["unreadable"] == [lost.path.relative_to(tmp_path).as_posix()]
    natural = about["tasks"]["cartpole"]["natural_gradient"]
    assert (natural["stepsize"], natural["n"], natural["seeds"], natural["failed"]) == (
        0.1,
        1,
        2,
        1,
    )
    assert natural["why"] == "best final score of 2 stepsizes"
    assert [group["stepsize"] for group in natural["not_shown"]] == [0.3]
    first, second = natural["runs"]
    assert (tmp_path / first["run"] / "progress.csv").exists()
    assert (first["seed"], first["git_commit"], first["complete"]) == (0, "abc123", True)
    assert (second["state"], second["iterations"], second["complete"]) == ("failed", 1, False)


def test_two_scales_never_meet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(tmp_path, [1.0], scale="bench")
    written(tmp_path, [5.0], "seed=1", scale="paper", steps_per_iter=20000)
    written(tmp_path, [9.0], "seed=2", scale="smoke", steps_per_iter=1000)
    for scale, suffix, wanted in (("bench", "", "1"), ("paper", "_paper", "5")):
        words = ("--results-dir", str(tmp_path), "--scale", scale)
        _, out, _ = outcome("tables", *words, capsys=capsys)
        assert all(f"{suffix}." in line for line in out.splitlines())
        lines = (tmp_path / "tables" / f"scores{suffix}.csv").read_text().splitlines()
        assert [line.split(",")[8] for line in lines[1:]] == [wanted]
        _, _, err = outcome("figures", *words, capsys=capsys)
        none = "warning: no stepsizes were swept: no picture of them\n"
        assert err == (none if scale == "bench" else "")  # nobody sweeps them at the paper's sizes
        about = json.loads((tmp_path / "figures" / f"figure4{suffix}.json").read_text())
        (run,) = about["tasks"]["cartpole"]["single_path"]["runs"]
        assert run["seed"] == {"bench": 0, "paper": 1}[scale]


def test_each_scale_that_is_stored_has_its_own_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path)
    written(tmp_path / PAPER_SCALE, [5.0], scale="paper")  # the same settings as store()'s seed 0
    written(
        tmp_path / PAPER_SCALE, [6.0], "algo=vine", scale="paper", state="running", iterations=9
    )
    for command, names in (("figures", PICTURES), ("tables", TABLES)):
        code, out, err = outcome(command, "--results-dir", str(tmp_path), capsys=capsys)
        assert code == 0
        there = {Path(line).stem for line in out.splitlines()}
        assert there == {*names, *(f"{name}_paper" for name in names if name != "stepsizes")}
        assert sum(PAPER_SCALE in line for line in err.splitlines()) == 1  # the running one, once
    shown = json.loads((tmp_path / "figures" / "figure4_paper.json").read_text())["tasks"]
    runs = shown["cartpole"]["single_path"]["runs"]
    assert [run["run"].split("/")[0] for run in runs] == [PAPER_SCALE]
    usual = json.loads((tmp_path / "figures" / "figure4.json").read_text())["tasks"]
    assert len(usual["cartpole"]["single_path"]["runs"]) == 3


def test_one_robot_s_runs_already_stand_beside_the_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store(tmp_path)
    written(tmp_path / "gym_v5", [1.0] * 12, "task=gym", "task.id=Swimmer-v5")
    code, out, _ = outcome("tables", "--results-dir", str(tmp_path), capsys=capsys)
    assert code == 0
    assert out.splitlines()[-1] == str(tmp_path / "tables" / "gym_v5.md")
    (ours,) = [
        line.split(" | ")
        for line in (tmp_path / "tables" / "gym_v5.md").read_text().splitlines()
        if "trpo-repro" in line
    ]
    assert ours[-3:] == ["200", "–", "– |"]


def test_an_unfinished_run_of_the_paper_s_scale_spoils_no_other_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unfinished = written(tmp_path, [5.0], scale="paper", state="running", iterations=9)
    words = ("--results-dir", str(tmp_path))
    code, out, err = outcome("figures", *words, capsys=capsys)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("error: no stored run is complete; fix: ")
    store(tmp_path / "other")
    unfinished.path.parent.rename(tmp_path / "other" / "runs" / "unfinished")
    words = ("--results-dir", str(tmp_path / "other"))
    for command, names in (("figures", PICTURES), ("tables", TABLES)):
        code, out, err = outcome(command, *words, capsys=capsys)
        assert code == 0
        assert {Path(line).stem for line in out.splitlines()} >= set(names)
        assert "running with 1 of 9 iterations" in err


@pytest.mark.parametrize("command", ["figures", "tables"])
def test_wrong_usage_is_one_line(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def problem(*words: str) -> int:
        code, out, err = outcome(command, "--results-dir", str(tmp_path), *words, capsys=capsys)
        assert out == ""
        wrong = [line for line in err.splitlines() if not line.startswith("warning: ")]
        assert [line[:7] for line in wrong] == ["error: "]
        return code

    assert problem() == 2
    folder = written(tmp_path, [1.0])
    assert problem("--scale", "paper") == 2
    assert problem("--scale", "smoke") == 2
    assert problem("--output", str(folder.config / "x")) == 2


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from trpo_repro.cli.main import main\n"
        "try: main(['figures', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted({'matplotlib', 'pandas', 'scipy', 'numpy', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
