from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from stored_runs import written

from trpo_repro.errors import ConfigError
from trpo_repro.report import figure4, stepsizes
from trpo_repro.report.choice import Choice, choices
from trpo_repro.report.collection import collect
from trpo_repro.report.picture import Picture
from trpo_repro.report.style import LOOKS

STEPSIZES = (0.03, 0.1, 0.3)


def chosen(results: Path) -> dict[str, list[Choice]]:
    return choices(collect([results]).runs)


def drawn(results: Path, name: str = "figure4") -> Picture:
    return figure4.draw(chosen(results), figure4.ABSCISSAE[name])


def note_of(ax: Axes) -> str:
    return " ".join(ax.texts[0].get_text().replace("\N{NO-BREAK SPACE}", " ").split())


@pytest.fixture
def hopper(tmp_path: Path) -> Path:
    """Four seeds of single path, one failed; a sweep of the natural gradient; CEM."""
    for seed in range(4):
        state = "failed" if seed == 3 else "done"
        written(
            tmp_path, [0.0, 1.0 + seed], "task=hopper", f"seed={seed}", state=state, iterations=2
        )
    for stepsize in STEPSIZES:
        overrides = ("task=hopper", "algo=natural_gradient", f"algo.stepsize={stepsize}")
        for seed in range(3):
            written(tmp_path, [0.0, stepsize * seed], *overrides, f"seed={seed}")
    for seed in range(3):
        written(tmp_path, [0.0, 1.0], "task=hopper", "algo=cem", f"seed={seed}", mean_scores=[3, 4])
    return tmp_path


def test_one_panel_a_task_in_the_paper_s_order_and_one_legend(tmp_path: Path) -> None:
    for task in ("walker", "gym", "cartpole", "hopper", "swimmer"):
        written(tmp_path, [0.0, 1.0], f"task={task}")
    picture = drawn(tmp_path)
    axes = picture.figure.axes
    titles = [ax.get_title(loc="left") or ax.get_title() for ax in axes]
    assert titles == ["cartpole", "swimmer", "hopper", "walker"]
    assert [ax.get_legend() for ax in axes] == [None] * 4
    (legend,) = picture.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["single path", "standing still"]
    standing = [[line.get_ydata()[0] for line in ax.get_lines()[:-1]] for ax in axes]
    assert standing == [[], [], [1.0], [1.0]]
    assert picture.complaints == ("gym-Hopper-v5: not one of Figure 4's tasks",)


def test_the_means_are_those_of_complete_seeds_and_the_best_stepsize(hopper: Path) -> None:
    picture = drawn(hopper)
    last = picture.numbers[picture.numbers["policy iteration"] == 1].set_index("algorithm")
    assert last["mean"].to_dict() == pytest.approx(
        {"single_path": 2.0, "natural_gradient": 0.3, "cem": 4.0}
    )
    assert last["n"].tolist() == [3, 3, 3]
    assert last.loc["natural_gradient", "stepsize"] == 0.3
    (ax,) = picture.figure.axes
    colours = [to_hex(line.get_color()) for line in ax.get_lines()[1:]]  # behind "standing still"
    assert colours == [LOOKS[a].colour.lower() for a in last.index]
    assert len(ax.collections) == 3  # a band each


def test_every_panel_says_its_n_and_its_stepsize(hopper: Path) -> None:
    written(hopper, [9.0], "task=hopper", "algo=cma", state="running", iterations=2)
    picture = drawn(hopper)
    assert note_of(picture.figure.axes[0]) == (
        "n = 3; single path: 3 of 4, 1 failed. natural gradient: stepsize 0.3. "
        "CMA-ES: 0 of 1 complete, not shown"
    )
    assert picture.complaints == ("hopper, CMA-ES: no run is complete: not shown",)
    assert "cma" not in set(picture.numbers["algorithm"])
    caption = picture.figure.get_supxlabel()
    assert "the score of the search's mean" in " ".join(caption.split())


@pytest.mark.parametrize(
    ("name", "column", "ends"),
    [
        ("figure4_steps", "simulated steps (millions)", (0.001001, 0.004004)),
        ("figure4_time", "wall time (minutes)", (3 / 60, 12 / 60)),
    ],
)
def test_an_iteration_stands_at_the_median_of_its_seeds(
    name: str, column: str, ends: tuple[float, float], tmp_path: Path
) -> None:
    """Seed k takes 1000 + k steps and 2 + k seconds an iteration; its score is its time."""
    for seed in (0, 2):
        written(tmp_path, np.arange(1.0, 5.0) * (2 + seed), f"seed={seed}")
    numbers = drawn(tmp_path, name).numbers
    assert numbers[column].iloc[[0, -1]].tolist() == pytest.approx(ends)
    if name == "figure4_time":  # both seeds score their seconds, so the mean does
        np.testing.assert_allclose(numbers["mean"], numbers[column] * 60)


def test_an_iteration_that_took_far_too_long_is_named(tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0] * 9)
    text = folder.progress.read_text(encoding="utf-8")
    folder.progress.write_text(text.replace(",18.0,accepted", ",518.0,accepted"))
    (complaint,) = drawn(tmp_path, "figure4_time").complaints
    assert complaint.endswith("single path: seed 0: iteration 8 took 502 s, the median is 2.0 s")
    assert drawn(tmp_path).complaints == ()


def test_runs_of_several_lengths_are_drawn_up_to_the_shortest(tmp_path: Path) -> None:
    written(tmp_path, [1.0, 2.0, 3.0])
    written(tmp_path, [3.0, 4.0], "seed=1")
    picture = drawn(tmp_path)
    assert picture.numbers["mean"].tolist() == [2.0, 3.0]
    (complaint,) = picture.complaints
    assert complaint.endswith("runs of 2 to 3 iterations, drawn up to the shortest")


def test_a_run_without_times_is_left_out_of_the_times_and_named(tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0])
    written(tmp_path, [1.0], "algo=vine")
    text = folder.progress.read_text(encoding="utf-8")
    folder.progress.write_text(text.replace(",2.0,accepted", ",,accepted"))
    picture = drawn(tmp_path, "figure4_time")
    assert set(picture.numbers["algorithm"]) == {"vine"}
    assert picture.complaints == ("cartpole, single path: rows without wall_s: not shown",)


def test_nothing_complete_is_an_error(tmp_path: Path) -> None:
    written(tmp_path, [1.0], state="running", iterations=2)
    with pytest.raises(ConfigError, match="no run of Figure 4's tasks is complete"):
        drawn(tmp_path)


def test_the_sweep_has_a_panel_for_each_task_that_was_swept(hopper: Path) -> None:
    written(hopper, [1.0], "task=cartpole")
    broken = ("algo=natural_gradient", "algo.stepsize=0.9", "task=hopper")
    written(hopper, [1.0], *broken, state="failed", iterations=2)
    picture = stepsizes.draw(chosen(hopper))
    assert picture is not None
    (ax,) = picture.figure.axes
    assert ax.get_xscale() == "log"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.03", "0.1", "0.3", "0.9"]
    assert note_of(ax) == "natural gradient: n = 3; at 0.9: 0 of 1, 1 failed"
    rows = picture.numbers
    assert rows.groupby("stepsize")["n"].first().to_dict() == {0.03: 3, 0.1: 3, 0.3: 3, 0.9: 0}
    assert rows.groupby("stepsize")["mean"].first()[0.1] == pytest.approx(0.05)  # of 0, 0.05, 0.1
    assert set(rows[rows["best"]]["stepsize"]) == {0.3}


def test_no_sweep_has_no_picture(tmp_path: Path) -> None:
    written(tmp_path, [1.0])
    assert stepsizes.draw(chosen(tmp_path)) is None
