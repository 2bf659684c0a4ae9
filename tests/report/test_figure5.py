"""Table 1 and Figure 5 from stored runs, whole or in part, one protocol at a time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from stored_runs import evaluated, outcome, played, written

from trpo_repro.report import figure5, table1
from trpo_repro.report.collection import collect
from trpo_repro.report.evaluations import RANDOM_GAMES
from trpo_repro.report.games import paper_scores
from trpo_repro.report.statistics import mean_interval
from trpo_repro.report.stored_files import complaints

GAMES = ["beam_rider", "breakout", "enduro", "pong", "qbert", "seaquest", "space_invaders"]


def cells(results: Path, protocol: str = "trpo2015") -> pd.DataFrame:
    made = table1.table(collect([results]).runs, results, protocol=protocol)
    return made.numbers[made.numbers["source"] == "ours"].set_index(["row", "game"])


def test_the_paper_s_rows_are_the_paper_s() -> None:
    paper = paper_scores()
    assert list(paper.columns) == GAMES
    assert len(paper) == 6
    assert paper.loc["TRPO - vine", "qbert"] == "7732.5"
    assert paper.loc["TRPO - single path", "pong"] == "20.9"


def test_a_cell_is_the_mean_of_the_evaluation_s_games(tmp_path: Path) -> None:
    own = written(tmp_path, [-0.1] * 12, "task=pong")
    returns = [20.0, 18.0, 21.0, 19.5]
    evaluated(own, returns=returns)
    cell = cells(tmp_path).loc[("TRPO - single path, ours", "pong")]
    assert cell["mean"] == pytest.approx(np.mean(returns))
    assert [cell["low"], cell["high"]] == pytest.approx(list(mean_interval(np.array(returns))))
    assert (cell["games"], cell["seeds"], cell["scale"]) == (4, 1, "bench")
    assert cell["sim_steps"] == 12_000
    shown = table1.table(collect([tmp_path]).runs, tmp_path).shown.set_index("")
    assert shown.loc["TRPO - single path, ours", "pong"] == (
        "19.6 [17.6, 21.6]*; 4 games; bench, 0.012M steps"
    )


def test_runs_are_named_from_the_results_folder_wherever_the_command_is_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = written(tmp_path / "results", [-0.1] * 12, "task=pong")
    monkeypatch.chdir(tmp_path)
    made = []
    for name in ("results", str(tmp_path / "results"), "./results/"):
        assert outcome("tables", "--results-dir", name, capsys=capsys)[0] == 0
        made.append((tmp_path / "results" / "tables" / "table1.csv").read_bytes())
    assert made[0] == made[1] == made[2]
    named = pd.read_csv(tmp_path / "results" / "tables" / "table1.csv")["runs"].dropna().tolist()
    assert named == [own.path.relative_to(tmp_path / "results").as_posix()]


def test_seeds_count_as_one_number_each(tmp_path: Path) -> None:
    for seed, level in enumerate((10.0, 14.0, 18.0)):
        own = written(tmp_path, [0.0] * 3, "task=qbert", f"seed={seed}", "algo=vine")
        evaluated(own, returns=[level - 1, level + 1])
    cell = cells(tmp_path).loc[("TRPO - vine, ours", "qbert")]
    assert cell["mean"] == pytest.approx(14)
    wanted = mean_interval(np.array([10.0, 14.0, 18.0]))
    assert [cell["low"], cell["high"]] == pytest.approx(list(wanted))
    assert (cell["games"], cell["seeds"]) == (6, 3)


def test_without_an_evaluation_the_last_batches_stand_and_are_called_so(tmp_path: Path) -> None:
    written(tmp_path, [0.0] * 5 + [0.1] * 10, "task=enduro")
    cell = cells(tmp_path).loc[("TRPO - single path, ours", "enduro")]
    assert (cell["mean"], cell["games"]) == (pytest.approx(20), 0)
    shown = table1.table(collect([tmp_path]).runs, tmp_path).shown.set_index("")
    assert "training" in shown.loc["TRPO - single path, ours", "enduro"]


@pytest.mark.parametrize("change", ["the run went on", "no policy is stored", "of old"])
def test_an_evaluation_of_another_policy_is_not_shown_but_complained_of(
    change: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = written(tmp_path, [0.1] * 12, "task=pong")
    path = evaluated(own, returns=[-3.0, -4.0])
    assert cells(tmp_path)["games"].tolist() == [2]
    if change == "the run went on":
        own.policy.write_bytes(b"a later one")
    elif change == "no policy is stored":
        own.policy.unlink()
    else:  # what was written before it said whose it is
        path.write_text(json.dumps({"episodes": 2, "returns": [-3.0, -4.0]}))
    cell = cells(tmp_path).loc[("TRPO - single path, ours", "pong")]
    assert (cell["mean"], cell["games"]) == (pytest.approx(20), 0)
    code, _, err = outcome("tables", "--results-dir", str(tmp_path), capsys=capsys)
    assert code == 0
    (line,) = [line for line in err.splitlines() if path.name in line]
    assert line.startswith(f"warning: {path}: not shown: ")
    assert line.endswith(
        "no policy.safetensors lies beside it, so that nobody can tell whose it is"
        if change == "no policy is stored"
        else f"; fix: trpo-repro evaluate {own.path}"
    )
    path.write_text("{")
    _, _, err = outcome("claims", "--results-dir", str(tmp_path), capsys=capsys)
    assert path.name in err


def test_an_unfinished_run_of_the_paper_s_scale_says_how_far_it_is(tmp_path: Path) -> None:
    written(tmp_path, [0.0] * 3, "task=pong")
    long = written(tmp_path, [0.1] * 7, "task=pong", "scale=paper", state="running", iterations=500)
    evaluated(long, returns=[1.0, 2.0])
    shown = table1.table(collect([tmp_path]).runs, tmp_path).shown.set_index("")
    assert shown.loc["TRPO - single path, ours", "pong"].endswith(
        "; 2 games; paper, 0.007M steps, 7 of 500 its"
    )


def test_two_protocols_are_two_tables(tmp_path: Path) -> None:
    written(tmp_path, [0.1] * 12, "task=pong", "task.protocol=machado2018")
    written(tmp_path, [0.2] * 2, "task=pong")
    ours = cells(tmp_path).loc[("TRPO - single path, ours", "pong")]
    theirs = cells(tmp_path, "machado2018").loc[("TRPO - single path, ours", "pong")]
    assert (ours["mean"], theirs["mean"]) == (pytest.approx(40), pytest.approx(20))
    later = table1.table(collect([tmp_path]).runs, tmp_path, protocol="machado2018")
    assert not later.shown[""].str.contains("paper").any()


def test_random_play_is_read_and_a_damaged_file_named(tmp_path: Path) -> None:
    path = played(tmp_path, "pong", [-20, -21, -19])
    assert table1.random_cells(tmp_path, "trpo2015")["pong"].mean == -20
    assert complaints(tmp_path, [RANDOM_GAMES]) == []
    returns = ('"episodes": 0, "returns": []', '"episodes": 2, "returns": [1, "x"]', '"returns": 3')
    more = ('"episodes": 2, "returns": [1.0]', '"episodes": 1, "returns": [true]')
    for damage in (*(f"{{{found}}}" for found in (*returns, *more)), "{}", "["):
        path.write_text(damage)
        assert table1.random_cells(tmp_path, "trpo2015") == {}
        (complaint,) = complaints(tmp_path, [RANDOM_GAMES])
        assert complaint.startswith(f"{path}: not shown: ")
        assert "; fix: trpo-repro random task=pong task.protocol=trpo2015" in complaint


def picture(results: Path, name: str, protocol: str = "trpo2015") -> tuple[Figure, pd.DataFrame]:
    chosen = figure5.of_protocol(collect([results]).runs, protocol)
    chance = {"pong": -20.2, "enduro": 0.1}
    made = figure5.draw(chosen, name, scale="bench", protocol=protocol, chance=chance)
    return made.figure, made.numbers


def test_figure_5_has_a_panel_of_cost_for_each_game_with_rows(tmp_path: Path) -> None:
    written(tmp_path, [-0.1, 0.0, 0.1], "task=pong")
    written(tmp_path, [0.5, 0.6], "task=qbert", "algo=vine", state="running", iterations=9)
    figure, numbers = picture(tmp_path, "figure5")
    assert [ax.get_title() for ax in figure.axes] == ["pong", "qbert"]
    said = " ".join(figure.get_supxlabel().split())
    assert said.endswith(
        "No run is stored of beam_rider, breakout, enduro, seaquest, space_invaders."
    )
    pong = numbers[numbers["task"] == "pong"]
    assert pong["mean"].tolist() == pytest.approx([20, 0, -20])
    _, rewards = picture(tmp_path, "figure5_reward")
    assert rewards["mean"].tolist() == pytest.approx((-numbers["mean"]).tolist())
    texts = {ax.get_title(): ax.texts[0].get_text() for ax in figure.axes}
    heights = {ax.get_title(): [line.get_ydata()[0] for line in ax.lines] for ax in figure.axes}
    assert heights["pong"] == pytest.approx([20, 20.2])  # the curve's begin, and chance
    assert heights["qbert"] == pytest.approx([-100])  # no play by chance to compare with
    assert "2 of 9 iterations" in texts["qbert"]


def test_figure_5_of_all_games_has_seven_panels(tmp_path: Path) -> None:
    for game in GAMES:
        written(tmp_path, [0.0, 0.1], f"task={game}")
    figure, _ = picture(tmp_path, "figure5")
    assert [ax.get_title() for ax in figure.axes] == GAMES
    assert "No run" not in figure.get_supxlabel()


def test_figure_5_of_runs_without_a_row_yet_says_so_in_each_panel(tmp_path: Path) -> None:
    written(tmp_path, [], "task=pong", state="running", iterations=9)
    figure, numbers = picture(tmp_path, "figure5")
    assert [ax.get_title() for ax in figure.axes] == GAMES
    assert {ax.texts[0].get_text() for ax in figure.axes} == {"no run stored"}
    assert not any(ax.lines for ax in figure.axes)  # nothing to compare with chance
    assert numbers.empty


def test_protocols_never_share_a_picture(tmp_path: Path) -> None:
    written(tmp_path, [0.1] * 3, "task=pong")
    written(tmp_path, [0.2] * 3, "task=pong", "task.protocol=machado2018")
    for protocol, level in (("trpo2015", 20), ("machado2018", 40)):
        _, numbers = picture(tmp_path, "figure5_reward", protocol)
        assert numbers["mean"].tolist() == pytest.approx([level] * 3)


def test_both_commands_work_with_games_alone_and_say_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, [0.1] * 3, "task=pong")
    written(tmp_path, [0.1] * 3, "task=pong", "task.protocol=machado2018")
    code, out, err = outcome("figures", "--results-dir", str(tmp_path), capsys=capsys)
    assert code == 0
    assert {p.name for p in (tmp_path / "figures").glob("*.png")} == {
        "figure5.png",
        "figure5_reward.png",
        "figure5_machado2018.png",
        "figure5_reward_machado2018.png",
    }
    assert "enduro: no run of single path" in err
    code, out, err = outcome("tables", "--results-dir", str(tmp_path), capsys=capsys)
    assert code == 0
    assert "| TRPO - single path, paper | 1425.2 |" in out
    assert (tmp_path / "tables" / "table1_machado2018.md").is_file()
    assert "Table 1, TRPO - vine, ours: nothing of beam_rider" in err
