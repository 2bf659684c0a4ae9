"""The rules of the games' claims, on runs that were made up so that the answer is known."""

from __future__ import annotations

from pathlib import Path

import pytest
from found_claims import evaluate, found, judgements
from stored_runs import measured, outcome, played, written

from trpo_repro.report.claims.verdict import Verdict


def test_games_are_judged_at_the_paper_s_scale_alone(tmp_path: Path) -> None:
    for seed in range(3):
        folder = written(tmp_path, [0.0] * 12, "task=pong", "scale=paper", seed=seed)
        evaluate(folder, 20.0)
    folder = written(tmp_path, [0.0] * 12, "task=qbert")
    evaluate(folder, 1900.0)
    finding = found(tmp_path, "C12")
    assert judgements(finding)["pong"] == "met"
    assert (finding.counts[3].value, finding.counts[3].between) == (20.0, (20.0, 20.0))
    for seed in range(3):  # chance scores -20.4, the paper 20.9: four fifths of the way are 12.64
        folder = written(tmp_path, [0.0] * 12, "task=pong", "scale=paper", seed=seed)
        evaluate(folder, 12.6)
    assert judgements(found(tmp_path, "C12"))["pong"] == "not met"
    assert judgements(finding)["qbert"] == "not at this scale"
    assert finding.verdict == Verdict.UNTESTED
    assert finding.remark.endswith("qbert 1900.")


def test_a_game_s_evaluation_of_an_earlier_policy_is_no_evidence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = written(tmp_path, [0.0] * 12, "task=pong", "scale=paper")
    evaluate(folder, 20.0)
    folder.policy.write_bytes(b"a later one")
    assert judgements(found(tmp_path, "C12"))["pong"] == "not at this scale"
    _, _, err = outcome("claims", "--results-dir", str(tmp_path), capsys=capsys)
    assert err.startswith(f"warning: {folder.path}/evaluation-stochastic.json: not shown: ")


def test_random_play_is_judged_by_whether_its_interval_holds_the_paper_s(tmp_path: Path) -> None:
    for game, mean in (("pong", -20.3), ("qbert", 100.0)):
        played(tmp_path, game, [mean - 1.0, mean + 1.0] * 50)  # the interval reaches 0.2 each way
    played(tmp_path, "enduro", [0.0] * 99)
    found_here = judgements(found(tmp_path, "C14"))
    assert (found_here["pong"], found_here["qbert"]) == ("met", "not met")
    assert found_here["breakout, random"] == found_here["enduro, random"] == "missing"
    (pong,) = [count for count in found(tmp_path, "C14").counts if count.name == "pong"]
    assert pong.value == pytest.approx(-20.3)
    assert pong.between == pytest.approx((-20.4994, -20.1006), abs=1e-4)


def test_another_random_player_is_told_of_and_not_counted(tmp_path: Path) -> None:
    played(tmp_path, "pong", [-21.0, -19.8] * 50)
    before = found(tmp_path, "C14")
    rows = [("score", "pong", -20.6, -20.7, -20.5), ("score", "qbert", 150.0, 140.0, 160.0)]
    measured(tmp_path, "chance", *rows, ("score", "tennis", 0.0, 0.0, 0.0))
    after = found(tmp_path, "C14")
    assert after.counts == before.counts
    assert after.remark.startswith(before.remark)
    wanted = "Table 1's in 1 of 2 games: pong -20.6 (-20.4), qbert 150 (157)."
    assert after.remark.endswith(wanted)


def test_hours_are_extrapolated_from_the_speed_of_runs(tmp_path: Path) -> None:
    written(tmp_path, [0.0] * 12, "task=pong")  # 500 steps a second
    counts = found(tmp_path, "C18").counts
    assert counts[0].value == pytest.approx(500 * 100_000 / 500 / 3600)
    assert counts[0].judgement == "met"
    assert counts[1].name == "a game with vine"


def test_hours_of_runs_at_the_paper_size_are_told_beside(tmp_path: Path) -> None:
    written(tmp_path, [0.0] * 12, "task=pong")
    assert "own size" not in found(tmp_path, "C18").remark
    written(tmp_path, [0.0] * 12, "task=pong", "scale=paper", state="interrupted", iterations=500)
    remark = found(tmp_path, "C18").remark
    assert remark.endswith("as far as they are: pong 27.8 (single path).")
