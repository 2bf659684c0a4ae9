from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save, save_file
from scipy import stats
from stored_runs import trained, written

from trpo_repro.report import paper_table, score_table
from trpo_repro.report.choice import choices
from trpo_repro.report.collection import collect
from trpo_repro.report.policies import POLICIES
from trpo_repro.report.stored_files import complaints
from trpo_repro.report.table import Table, markdown

SCORES = {"single_path": [3.0, 2.0, 4.0, 2.5], "cem": [1.0, 2.0, 2.2, 9.0]}


@pytest.fixture
def compared(tmp_path: Path) -> Table:
    for algo, finals in SCORES.items():
        for seed, final in enumerate(finals):
            written(tmp_path, [final] * 10, f"algo={algo}", f"seed={seed}")
    written(tmp_path, [9.0], "algo=vine", state="failed", iterations=10)
    written(tmp_path, [8.0] * 10, "algo=cem", "seed=4", state="failed", iterations=11)
    return score_table.table(choices(collect([tmp_path]).runs))


def test_scores_are_those_of_scipy(compared: Table) -> None:
    rows = compared.numbers.set_index("algorithm")
    cem = rows.loc["cem"]
    ours, others = (np.array(SCORES[name]) for name in ("single_path", "cem"))
    assert cem["mean"] == pytest.approx(others.mean())
    between = stats.t.interval(0.95, 3, loc=others.mean(), scale=stats.sem(others))
    assert (cem["mean_low"], cem["mean_high"]) == pytest.approx(between)
    assert cem["iqm"] == pytest.approx(2.1)  # the middle two of four
    assert (cem["lowest"], cem["highest"]) == (1.0, 9.0)
    wanted = stats.mannwhitneyu(ours, others).statistic / 16
    assert cem["improvement"] == pytest.approx(wanted)
    assert cem["improvement_low"] <= wanted <= cem["improvement_high"]
    assert np.isnan(rows.loc["single_path", "improvement"])
    assert cem["sim_steps"] == np.mean([10 * (1000 + seed) for seed in range(4)])


def test_failed_and_missing_seeds_have_their_place(compared: Table) -> None:
    rows = compared.numbers.set_index("algorithm")
    assert rows.loc["cem", ["n", "seeds", "failed"]].tolist() == [4, 5, 1]
    assert rows.loc["vine", ["n", "seeds", "failed"]].tolist() == [0, 1, 1]
    assert np.isnan(rows.loc["vine", "mean"])
    text = markdown(compared)
    assert "| 4 of 5, 1 failed |" in text
    assert "| vine | 0 of 1, 1 failed | – | – |" in text


def test_markdown_is_a_table_whose_rows_have_equal_cells(compared: Table) -> None:
    rows = [line for line in markdown(compared).splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 3
    assert len({row.count("|") for row in rows}) == 1


PAPER_TABLE_2 = {  # from the paper, App. E
    "state_space_dim": ("10", "12", "20"),
    "total_num_policy_params": ("364", "4806", "8206"),
    "sim_steps_per_iter": ("50000", "1000000", "1000000"),
    "vine_q_values_per_batch": ("500", "2500", "2500"),
    "vine_computation_minutes": ("2", "14", "40"),
    "sp_computation_minutes": ("5", "35", "100"),
}


def test_table_2_is_the_paper_s() -> None:
    paper = paper_table.paper_table()
    assert len(paper) == 17
    for name, wanted in PAPER_TABLE_2.items():
        assert tuple(paper.loc[name, ["swimmer", "hopper", "walker"]]) == wanted
    assert paper["source"].str.contains("Table 2").all()


def test_our_parameters_stand_beside_the_paper_s(tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0] * 10, "task=swimmer", steps_per_iter=777)
    theta = np.zeros(9 * 30 + 30 + 30 * 2 + 2 + 2, np.float32)
    save_file({"theta": theta, "observation_mean": np.zeros(9)}, str(folder.policy))
    written(
        tmp_path, [1.0] * 10, "task=swimmer", "algo=vine", "algo.trunk_steps=9", steps_per_iter=777
    )
    table = paper_table.parameters(choices(collect([tmp_path]).runs))
    ours = table.numbers.set_index("parameter")["swimmer, ours"]
    wanted = {
        "state_space_dim": "9",
        "control_space_dim": "2",
        "total_num_policy_params": "364",
        "sim_steps_per_iter": "777",
        "policy_iter": "10",
        "stepsize_kl": "0.01",
        "hidden_layer_size": "30",
        "discount": "0.99",
        "vine_rollouts_per_state": "4",
        "vine_q_values_per_batch": "",
        "sp_num_path": "5",
        "sp_path_len": "1000",
        "sp_computation_minutes": "0.333",  # ten iterations of two seconds
    }
    assert {name: ours[name] for name in wanted} == wanted
    assert table.numbers.set_index("parameter")["swimmer, paper"]["sp_num_path"] == "50"


@pytest.mark.parametrize(("task", "seen", "actions"), [("cartpole", 4, 1), ("hopper", 11, 3)])
def test_sizes_are_those_of_a_trained_policy(
    task: str, seen: int, actions: int, tmp_path: Path
) -> None:
    sizes = POLICIES.load(trained(tmp_path, f"task={task}").policy)
    assert sizes is not None
    assert (sizes["state_space_dim"], sizes["control_space_dim"]) == (seen, actions)


def linear(theta: object, seen: object = 4) -> bytes:
    """Return a policy whose arrays have these shapes."""
    return save({"theta": np.zeros(theta), "observation_mean": np.zeros(seen)})


BROKEN = [b"", b"\x80\x04never unpickled", b"{}", linear(6)[:-1], linear(()), linear(7), linear(4)]


@pytest.mark.parametrize("content", [*BROKEN, linear((6, 1)), linear(6, ()), linear(6, 5)])
def test_a_policy_that_cannot_be_read_has_no_sizes(content: bytes, tmp_path: Path) -> None:
    folder = written(tmp_path, [1.0])
    assert POLICIES.load(folder.policy) is None
    folder.policy.write_bytes(linear(6))
    assert complaints(tmp_path, [POLICIES]) == []
    folder.policy.write_bytes(content)
    assert POLICIES.load(folder.policy) is None
    (complaint,) = complaints(tmp_path, [POLICIES])
    assert complaint.startswith(f"{folder.policy}: not shown: ")
    assert complaint.endswith("; fix: train again, with run --restart")


def test_times_name_the_machine_and_the_paper_s(tmp_path: Path) -> None:
    for seed in (0, 1):  # 2 and 3 seconds an iteration
        written(tmp_path, [1.0] * 60, "task=hopper", f"seed={seed}")
    other = written(tmp_path, [1.0] * 60, "task=hopper", "algo=cem")
    content = json.loads(other.config.read_text())
    del content["provenance"]
    other.config.write_text(json.dumps(content))
    table = paper_table.times(choices(collect([tmp_path]).runs))
    rows = table.numbers.set_index("algorithm")
    ours = rows.loc["single path"]
    assert (ours["n"], ours["minutes"], ours["minutes_undisturbed"]) == (2, 2.5, 2.5)
    assert (ours["paper_minutes"], ours["paper_steps_per_iter"]) == ("35", "1000000")
    assert ours["machine"] == "a processor, threads: 1"
    assert rows["paper_minutes"].isna().tolist() == [False, True]
    assert rows.loc["CEM", "machine"] == "unknown, threads: unknown"
