"""What a campaign of runs takes on many cores, from small iterations on one and two ranks."""

from __future__ import annotations

from pathlib import Path

import pytest
from stored_runs import outcome

from trpo_repro.bench.scaling import Cost, Kind, campaign_hours, kinds_of, measured, report
from trpo_repro.cli import bench
from trpo_repro.cli.compose import run_config
from trpo_repro.settings import VineConfig

COST = Cost(8.0, 4.0, 1.0, 2e6, 1e6, 4, 8.0, whole=True)


def test_more_ranks_share_sampling_up_to_its_groups_and_exchange_more() -> None:
    assert COST.seconds(1) == 8.0 + 4.0 + 1.0
    assert COST.seconds(2) == 4.0 + 2.0 + 1.0 + 1.0
    assert COST.seconds(3) == pytest.approx(4.0 + 4.0 / 3 + 1.0 + 4.0 / 3)  # two groups on one
    assert COST.parts(8)["sampling"] == COST.parts(4)["sampling"] == 2.0
    assert [COST.cell(ranks) for ranks in (1, 2, 4)] == ["13 m", "8 m", "5.5 e"]


def test_a_campaign_is_limited_by_the_cores_or_by_its_longest_run() -> None:
    kind = Kind("hopper single_path", (), 360, 1, 4)
    plan = campaign_hours({kind: 10}, {kind: COST}, cores=16)
    assert (plan.ranks, plan.limit, plan.hours) == (2, "cores", pytest.approx(10 * 2 * 0.8 / 16))
    few = campaign_hours({kind: 100}, {kind: COST}, cores=16)
    assert (few.ranks, few.limit, few.hours) == (1, "cores", pytest.approx(100 * 1.3 / 16))
    many = campaign_hours({kind: 10}, {kind: COST}, cores=1024)
    assert many.hours == pytest.approx(COST.seconds(4) / 10)
    assert many.limit == "the longest run, hopper single_path"


def test_smaller_iterations_of_vine_have_a_smaller_trunk() -> None:
    (kind,) = kinds_of([run_config(["task=pong", "algo=vine", "scale=paper"])])
    assert (kind.steps, kind.trunk_steps) == (400_000, 80_000)
    words = kind.in_iterations_of(40_000)
    config = run_config(words)
    assert isinstance(config.algo, VineConfig)
    assert (config.steps_per_iter, config.algo.trunk_steps) == (40_000, 8_000)


@pytest.mark.slow
def test_the_scaling_table_is_printed_before_it_is_written_into_a_folder_made_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "kinds_of", lambda configs: [])
    monkeypatch.setattr(bench, "report", lambda *_, **__: "the table\n")
    path = tmp_path / "new" / "scaling.md"
    code, out, err = outcome("bench", "--scaling", str(path), capsys=capsys)
    assert (code, out, err) == (0, f"the table\n{path}\n", "")
    assert path.read_text() == "the table\n"
    (tmp_path / "file").touch()
    code, out, err = outcome("bench", "--scaling", str(tmp_path / "file" / "x"), capsys=capsys)
    assert (code, out) == (2, "")  # before anything is measured: half an hour would be lost
    assert err.startswith("error: ")


@pytest.mark.parametrize("unused", [["--json"], ["--only", "games"]])
def test_what_the_scaling_table_has_no_use_for_is_refused(
    unused: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "scaling_table", lambda *_, **__: 0)
    code, out, err = outcome("bench", "--scaling", "file", *unused, capsys=capsys)
    assert (code, out) == (2, "")
    assert err == f"error: {unused[0]} does nothing with --scaling; fix: take one of them out\n"


def test_scaling_is_measured_on_one_rank_and_on_two() -> None:
    config = run_config(["task=cartpole", "algo=single_path", "scale=paper"])
    (kind,) = kinds_of([config, config])
    cost = measured(kind, 1000, rounds=1)
    assert kind.steps == 10_000
    assert cost.sampling > 0
    assert cost.received > 1000 * 7 * 4  # the batch itself, at least
    text = report({"both": {kind: 2}}, {kind: cost}, where="here", steps="")
    assert "| cartpole single_path | 10,000 |" in text
    assert "| both | 2 |" in text
    assert " e |" in text
    assert " m |" not in text  # measured in proportion
