from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from stored_runs import outcome, trained

from trpo_repro.algorithms.common import iteration_streams
from trpo_repro.algorithms.single_path import SinglePath
from trpo_repro.bench import ceiling, process, sb3
from trpo_repro.bench.ceiling import Replayer, replays
from trpo_repro.bench.measurement import Measurement, against, alone, in_turn, seconds, short
from trpo_repro.bench.process import memory, start_up
from trpo_repro.bench.ranks import ranks_against_threads
from trpo_repro.bench.sampling import Setup, other_algorithms, policies, sampling
from trpo_repro.bench.update import products_against_gradient
from trpo_repro.cli import bench
from trpo_repro.cli.compose import run_config
from trpo_repro.errors import RunFailed
from trpo_repro.runner.build import build_algorithm
from trpo_repro.sampling.normaliser import Normaliser
from trpo_repro.tasks.locomotion import Locomotion
from trpo_repro.types import Trajectories

ROW = Measurement("x", 2.0, "s", 4.0, 0.5, (0.4, 0.6), 0.7, True, "how")


def played(task: str, steps: int = 1500) -> tuple[Locomotion, Trajectories]:
    """Return a simulator and a batch with its states."""
    config = run_config([f"task={task}", f"steps_per_iter={steps}", "threads=1"])
    algorithm = build_algorithm(config)
    assert isinstance(algorithm, SinglePath)
    arrays = algorithm.initial()
    trajectories = replace(algorithm.sampler, keep_states=True, forks=None).batch(
        arrays["theta"],
        Normaliser.from_arrays(arrays),
        streams=iteration_streams(0, 0),
        steps=steps,
        expected_length=100.0,
    )
    simulator = algorithm.sampler.simulator
    assert isinstance(simulator, Locomotion)
    return simulator, trajectories


@pytest.mark.parametrize("task", ["swimmer", "hopper", "walker"])
def test_the_ceiling_goes_through_every_step_of_the_same_trajectories(
    task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceiling, "PIECE", 7)
    monkeypatch.setattr(ceiling, "CALL", 50)
    simulator, trajectories = played(task)
    calls = replays(simulator, trajectories)
    skip = simulator.engine.frame_skip
    covered = np.concatenate(
        [(call.rows[:, None] + np.arange(call.controls.shape[1] // skip)).ravel() for call in calls]
    )
    np.testing.assert_array_equal(np.sort(covered), np.arange(len(trajectories.rewards)))
    assert trajectories.states is not None
    last = set((trajectories.starts + trajectories.lengths - 1).tolist())
    with closing(Replayer(simulator, calls, threads=2)) as replayer:
        for call, ends in zip(calls, replayer.ends(), strict=True):
            following = call.rows + call.controls.shape[1] // skip
            inside = np.array([row - 1 not in last for row in following])
            np.testing.assert_allclose(
                ends[inside, 1:], trajectories.states[following[inside], 1:], atol=1e-5
            )
            assert call.controls.shape[0] * call.controls.shape[1] // skip < 2 * 50


def test_replay_counts_control_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    simulator, trajectories = played("hopper")
    with closing(Replayer(simulator, replays(simulator, trajectories), threads=2)) as replayer:
        ticks = iter([10.0, 12.0])
        monkeypatch.setattr(ceiling.time, "perf_counter", lambda: next(ticks))
        assert replayer.speed() == len(trajectories.rewards) / 2.0


def test_longest_pieces_are_handed_out_first() -> None:
    lengths = [call.controls.shape[1] for call in replays(*played("hopper"))]
    assert lengths == sorted(lengths, reverse=True)


def test_timings_are_taken_in_turn_and_the_first_round_may_be_left_out() -> None:
    order: list[str] = []

    def action(name: str) -> float:
        order.append(name)
        return float(len(order))

    figures = in_turn({"a": lambda: action("a"), "b": lambda: action("b")}, 2, warm_up=True)
    assert order == ["a", "b"] * 3
    assert figures == {"a": [3.0, 5.0], "b": [4.0, 6.0]}


def test_seconds_are_those_of_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([1.0, 3.5])
    monkeypatch.setattr("trpo_repro.bench.measurement.time.perf_counter", lambda: next(ticks))
    assert seconds(lambda: None)() == 2.5


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    row = against("x", [10.0, 30.0, 20.0], references=[10.0, 60.0, 25.0], target=0.8, note="")
    assert (row.value, row.reference) == (20.0, 25.0)
    assert (row.ratio, row.spread) == (0.8, (0.5, 1.0))
    assert row.met
    assert not replace(row, target=0.81).met
    assert replace(row, target=0.8, at_most=True).met
    assert not replace(row, target=0.79, at_most=True).met


def test_a_figure_that_stands_alone() -> None:
    row = alone("x", [3.0, 1.0, 2.0], target=2.0, note="", unit="s")
    assert (row.value, row.reference, row.ratio, row.spread) == (2.0, None, 2.0, (1.0, 3.0))
    assert row.met
    assert row.at_most


def test_sizes_are_short() -> None:
    assert [short(steps) for steps in (1500, 50_000, 1_000_000)] == ["1.5K", "50K", "1M"]


@pytest.fixture(scope="module")
def setup(tmp_path_factory: pytest.TempPathFactory) -> Setup:
    results = tmp_path_factory.mktemp("results")
    trained(results, "task=swimmer", "iterations=1", "policy.hidden_sizes=[2]")  # does not fit
    trained(results, "task=hopper", "iterations=1")
    return Setup(run_config, results, rounds=1, paper_steps=600, bench_steps=600)


def test_trained_policies_are_found_where_they_fit(setup: Setup) -> None:
    found = {}
    for task in ("swimmer", "hopper"):
        algorithm = build_algorithm(run_config([f"task={task}", "scale=smoke"]))
        found[task] = dict(policies(algorithm, setup.results, task=task))
    assert list(found["swimmer"]) == ["untrained"]
    assert list(found["hopper"]) == ["untrained", "trained"]
    thetas = [arrays["theta"] for arrays in found["hopper"].values()]
    assert not np.array_equal(*thetas)


def names(rows: Sequence[Measurement]) -> list[str]:
    assert all(row.value > 0 for row in rows)
    assert all(row.spread[0] <= row.ratio <= row.spread[1] for row in rows)
    return [row.name for row in rows]


def test_sampling_and_whole_iterations_are_measured_with_both_policies(setup: Setup) -> None:
    rows = sampling(setup, "hopper", steps=600, targets={"sampling": 0.9, "end to end": 0.8})
    assert names(rows) == [
        "sampling, hopper 0.6K, untrained",
        "end to end, hopper 0.6K, untrained",
        "sampling, hopper 0.6K, trained",
        "end to end, hopper 0.6K, trained",
    ]
    assert all(row.note.startswith("episodes of ") for row in rows)
    assert [row.target for row in rows] == [0.9, 0.8] * 2


def test_other_algorithms_are_measured(setup: Setup) -> None:
    rows = other_algorithms(setup)
    assert [name.split(", ")[1] for name in names(rows)] == ["vine", "cem", "cma"]


def test_products_are_measured() -> None:
    rows = products_against_gradient(1000, 1)
    assert len(names(rows)) == 2
    assert all(row.at_most for row in rows)


def test_processes_are_measured() -> None:
    ours = np.ones(200_000_000)  # 1.6 GB that are no business of the run's
    (size,) = memory(1000)
    assert 0.05 < size.value < ours.nbytes / 1e9 - 0.2
    (first,) = start_up(1)
    assert 0.1 < first.value < 60


def test_a_run_that_fails_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    command = process._command
    monkeypatch.setattr(process, "_command", lambda *overrides: command("seed=-1"))
    with pytest.raises(RunFailed, match="exit code 2"):
        memory(1000)
    with pytest.raises(RunFailed, match="exit code 2"):
        start_up(1)


@pytest.mark.skipif(not sb3.available(), reason="SB3-contrib is not installed")
def test_sb3_is_measured_in_turn_with_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sb3, "ROUNDS", 1)
    rows = sb3.against_sb3(run_config, 1600)
    assert names(rows) == ["Hopper-v5 (RK4) / SB3-contrib, 1.6K", "our hopper / SB3-contrib, 1.6K"]
    assert rows[0].reference == rows[1].reference


def test_sb3_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sb3, "THEIRS", "raise SystemExit(1)")
    with pytest.raises(RunFailed, match="SB3-contrib"):
        sb3.against_sb3(run_config, 1600)


def test_without_sb3_its_row_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sb3, "available", lambda: False)
    code, out, _ = outcome("bench", "--only", "sb3", capsys=capsys)
    assert code == 0
    assert "sb3: not measured; pip install 'trpo-repro[bench]'" in out
    _, out, _ = outcome("bench", "--only", "sb3", "--json", capsys=capsys)
    found = json.loads(out)
    assert found["measurements"] == []
    assert len(found["skipped"]) == 1


def test_rows_survive_json() -> None:
    assert bench.from_json(json.loads(json.dumps(bench.as_json(ROW)))) == ROW


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the plan two rows that take no time."""
    other = dataclasses.replace(ROW, name="y", reference=None, at_most=False, unit="steps/s")
    monkeypatch.setattr(bench, "plan", lambda setup: {"one": lambda: [ROW], "two": lambda: [other]})


@pytest.mark.usefixtures("two")
def test_several_measurements_have_a_process_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = []

    def in_child(name: str, options: object) -> list[Measurement]:
        asked.append(name)
        return [ROW]

    monkeypatch.setattr(bench, "in_child", in_child)
    code, out, err = outcome("bench", "--json", capsys=capsys)
    assert (code, asked) == (0, ["one", "two"])
    assert err.splitlines() == [f"{ROW.name}: {ROW.ratio:.2f}, wanted ≤ {ROW.target:g}"] * 2
    assert [row["met"] for row in json.loads(out)["measurements"]] == [True, True]
    code, out, _ = outcome("bench", "--only", "two", capsys=capsys)
    assert (code, asked) == (0, ["one", "two"])
    assert "NO" in out
    assert "0.40-0.60" in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.usefixtures("two")
def test_an_unknown_measurement_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome("bench", "--only", "three", capsys=capsys)
    assert (code, out) == (2, "")
    assert "choose of: one, two" in err


def test_a_child_measures_and_a_failed_one_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Options:
        results_dir = str(tmp_path)
        quick = True

    with pytest.raises(RunFailed, match="measuring nothing failed"):
        bench.in_child("nothing", Options)  # type: ignore[arg-type]
    assert "no measurement is named 'nothing'" in capsys.readouterr().err


def test_every_measurement_of_the_issue_is_planned(tmp_path: Path) -> None:
    planned = bench.plan(bench.setup(tmp_path, quick=False))
    wanted = {"start", "memory", "products", "paper-hopper", "paper-walker", "sb3"}
    assert wanted | {f"bench-{task}" for task in ("swimmer", "hopper", "walker")} <= set(planned)
    # `--only` with a name means that one alone.
    assert all(sum(name in other for other in planned) == 1 for name in planned)


@pytest.mark.slow
def test_ranks_are_held_against_threads() -> None:
    rows = ranks_against_threads("cartpole", 1000, rounds=1)
    assert [row.name.split(",")[0] for row in rows[:2]] == [
        "2 ranks / 2 threads",
        "2 ranks / 1 thread",
    ]
    assert 0 < rows[2].value < 1  # MB
