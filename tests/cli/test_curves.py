from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from stored_runs import outcome, written

from trpo_repro.report.collection import collect
from trpo_repro.report.curves import draw
from trpo_repro.report.style import FORMATS, LOOKS, our_style, rendered
from trpo_repro.settings import ALGORITHM_CONFIGS

MAGIC = {"png": b"\x89PNG\r\n\x1a\n", "pdf": b"%PDF-", "svg": b"<?xml"}


def panels(results: Path) -> list[Axes]:
    return draw(collect([results]).runs).axes


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def thick(ax: Axes) -> list[Line2D]:
    return [line for line in ax.get_lines() if not line.get_label().startswith("_")]


@pytest.mark.parametrize("kind", FORMATS)
def test_the_same_runs_give_the_same_bytes(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed in range(3):
        written(tmp_path, np.linspace(0, 1, 5) * seed, f"seed={seed}")
    pictures = []
    for number, settings in enumerate([{}, {"font.size": 30, "lines.linewidth": 9}]):
        path = tmp_path / "new folder" / f"{number}.{kind}"
        with matplotlib.rc_context(settings):  # a user's own settings
            code, out, err = outcome("curves", str(tmp_path), "--output", str(path), capsys=capsys)
        assert (code, out, err) == (0, f"{path}\n", "")
        pictures.append(path.read_bytes())
    assert pictures[0].startswith(MAGIC[kind])
    assert pictures[0] == pictures[1]
    assert sorted(p.name for p in path.parent.iterdir()) == [f"0.{kind}", f"1.{kind}"]


def test_a_pdf_has_truetype_fonts_and_the_same_bytes_again(
    tmp_path: Path, shipped_style: dict[Any, Any]
) -> None:
    written(tmp_path, [0.0, 1.0])
    found = collect([tmp_path]).runs
    with our_style(), matplotlib.rc_context(shipped_style):
        first, second = (rendered(draw(found), "pdf") for _ in range(2))
    assert first == second
    assert b"/FontFile2" in first
    assert b"/Type3" not in first


def test_drawing_leaves_the_users_settings_alone() -> None:
    before = dict(matplotlib.rcParams)
    with our_style():
        pass
    assert dict(matplotlib.rcParams) == before


def test_one_panel_a_task_in_the_paper_s_order_with_names_and_units(tmp_path: Path) -> None:
    for task in ("walker", "cartpole", "gym", "hopper"):
        written(tmp_path, [0.0, 1.0], f"task={task}", steps_per_iter=1234567)
    found = panels(tmp_path)
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in found]
    assert [title.split()[0] for title in titles] == [
        "cartpole",
        "hopper",
        "walker",
        "gym-Hopper-v5",
    ]
    assert all("1,234,567 steps an iteration" in title for title in titles)
    assert {ax.get_xlabel() for ax in found} == {"policy iteration"}
    assert {ax.get_ylabel() for ax in found} == {"score (reward per step)"}


def test_the_mean_is_drawn_over_its_seeds(tmp_path: Path) -> None:
    curves = np.array([[0.0, 1.0, 4.0], [2.0, 3.0, 4.0], [4.0, 5.0, 4.0]])
    for seed, curve in enumerate(curves):
        written(tmp_path, curve, f"seed={seed}")
    (ax,) = panels(tmp_path)
    (mean,) = thick(ax)
    np.testing.assert_array_equal(mean.get_ydata(), curves.mean(axis=0))
    np.testing.assert_array_equal(mean.get_xdata(), [0, 1, 2])
    assert len(ax.get_lines()) == 4
    assert labels(ax) == ["single path (n = 3)"]
    (band,) = ax.collections
    edges = band.get_paths()[0].vertices
    assert edges[:, 1].min() >= 0.0
    assert edges[:, 1].max() <= 5.0


def test_two_seeds_have_no_band_and_one_has_no_thin_line(tmp_path: Path) -> None:
    for seed in range(2):
        written(tmp_path, [0.0, 1.0], f"seed={seed}")
    written(tmp_path, [0.0, 1.0], "algo=vine")
    (ax,) = panels(tmp_path)
    assert len(ax.collections) == 0
    assert len(ax.get_lines()) == 2 + 1 + 1
    assert labels(ax) == ["single path (n = 2)", "vine (n = 1)"]


def test_unfinished_seeds_are_shown_but_not_averaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, [1.0, 2.0, 3.0], "seed=0")
    written(tmp_path, [3.0, 4.0, 5.0], "seed=1")
    late = written(tmp_path, [9.0], "seed=2", state="running", iterations=3)
    (ax,) = panels(tmp_path)
    np.testing.assert_array_equal(thick(ax)[0].get_ydata(), [2.0, 3.0, 4.0])
    assert labels(ax) == ["single path (n = 2 of 3)"]
    assert [line.get_linestyle() for line in ax.get_lines()] == ["-", "-", ":", "-"]
    output = str(tmp_path / "x.png")
    code, out, err = outcome("curves", str(tmp_path), "--output", output, capsys=capsys)
    assert (code, out) == (0, f"{output}\n")
    assert err == f"warning: {late.path}: running with 1 of 3 iterations\n"


def test_where_no_seed_is_complete_all_are_averaged_as_far_as_they_go(tmp_path: Path) -> None:
    for seed, scores in enumerate([[1.0, 2.0, 9.0], [3.0, 4.0], []]):
        written(tmp_path, scores, f"seed={seed}", state="running", iterations=5)
    (ax,) = panels(tmp_path)
    np.testing.assert_array_equal(thick(ax)[0].get_ydata(), [2.0, 3.0])
    assert labels(ax) == ["single path (n = 2 of 3)"]


def test_a_game_s_panel_has_one_protocol_and_the_game_s_own_points(tmp_path: Path) -> None:
    written(tmp_path, [-0.1, 0.1], "task=pong", "task.protocol=machado2018")  # of 200 steps
    written(tmp_path, [-0.05, 0.05], "task=pong")
    written(tmp_path, [1.0, 2.0], "task=hopper")
    hopper, paper, later = panels(tmp_path)
    assert paper.get_title() == "pong, trpo2015  (25,000 steps an iteration)"
    assert later.get_title() == "pong, machado2018\n(25,000 steps an iteration)"  # or it is cut
    np.testing.assert_allclose(thick(paper)[0].get_ydata(), [-10.0, 10.0])
    np.testing.assert_allclose(thick(later)[0].get_ydata(), [-20.0, 20.0])
    assert labels(paper) == labels(later) == ["single path (n = 1)"]
    for ax, wanted in ((hopper, "score (reward per step)"), (paper, "game score (its own points)")):
        assert ax.get_ylabel() == wanted


def test_a_search_is_drawn_by_the_score_of_its_mean(tmp_path: Path) -> None:
    written(tmp_path, [1.0, 1.0], "algo=cem", mean_scores=[2.0, 3.0])
    (ax,) = panels(tmp_path)
    np.testing.assert_array_equal(thick(ax)[0].get_ydata(), [2.0, 3.0])
    assert "the search mean's own score" in ax.get_figure().get_supxlabel()


def test_settings_of_one_algorithm_are_told_apart_by_what_differs(tmp_path: Path) -> None:
    sizes = (0.003, 0.01, 0.03, 0.1, 0.3)
    for stepsize in reversed(sizes):
        written(tmp_path, [0.0, 1.0], f"algo.stepsize={stepsize}")
    (ax,) = panels(tmp_path)
    assert labels(ax) == [f"single path, algo.stepsize={size} (n = 1)" for size in sizes]
    assert len({line.get_color() for line in thick(ax)}) == 5
    written(tmp_path, [0.0, 1.0], "algo=cem")
    (ax,) = panels(tmp_path)
    ours = [line for line in thick(ax) if "single path" in line.get_label()]
    assert {line.get_color() for line in ours} == {LOOKS["single_path"].colour}
    assert ours[0].get_linestyle() != ours[1].get_linestyle()


def test_a_run_without_a_row_has_no_panel(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, [], "task=hopper", state="running", iterations=9)
    words = ("curves", str(tmp_path), "--output", str(tmp_path / "x.png"))
    code, _, err = outcome(*words, capsys=capsys)
    assert code == 2
    assert "no run has come to its first row" in err
    written(tmp_path, [1.0])
    assert outcome(*words, capsys=capsys)[0] == 0


def test_every_algorithm_has_a_colour_of_its_own() -> None:
    assert set(ALGORITHM_CONFIGS) <= set(LOOKS)
    colours = [to_hex(look.colour) for look in LOOKS.values()]
    assert len(set(colours)) == len(colours)


def test_damaged_runs_are_named_and_the_figure_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, [1.0, 2.0], "seed=0")
    written(tmp_path, [1.0, 2.0], "seed=1").config.write_text("{")
    cut = written(tmp_path, [1.0, 2.0], "seed=2")
    cut.progress.write_bytes(cut.progress.read_bytes()[:-5])
    code, _, err = outcome(
        "curves", str(tmp_path), "--output", str(tmp_path / "x.svg"), capsys=capsys
    )
    assert code == 0
    lines = err.splitlines()
    assert len(lines) == 2
    assert "seed1: not shown: the file is not JSON" in lines[0]
    assert "seed2: done with 1 of 2 iterations; progress.csv is damaged after 1 rows" in lines[1]


def test_wrong_usage_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def problem(*words: str) -> tuple[int, str]:
        code, out, err = outcome("curves", *words, capsys=capsys)
        assert out == ""
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return code, err

    assert problem(str(tmp_path))[0] == 2
    assert problem(str(tmp_path / "nothing"))[0] == 2
    folder = written(tmp_path, [1.0])
    code, err = problem(str(tmp_path), "--output", "x.gif")
    assert code == 2
    assert ".png" in err
    in_a_file = str(folder.config / "x.png")
    assert problem(str(tmp_path), "--output", in_a_file)[0] == 2
    folder.config.write_text("")
    assert problem(str(tmp_path))[0] == 3
