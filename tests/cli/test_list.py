from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from stored_runs import outcome

from trpo_repro.cli.comments import comments, headline
from trpo_repro.cli.compose import run_config
from trpo_repro.cli.list import parameter_count, settings
from trpo_repro.config import plain
from trpo_repro.runner.build import build_sampler
from trpo_repro.settings import ALGORITHM_CONFIGS, ALGORITHM_TASKS, TASK_CONFIGS
from trpo_repro.types import ActionSpace

PAIRS = [(task, algo) for algo, tasks in ALGORITHM_TASKS.items() for task in tasks]


def test_everything_that_can_be_chosen_is_shown_within_80_columns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, err = outcome("list", capsys=capsys)
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80
    for word in [*TASK_CONFIGS, *ALGORITHM_CONFIGS, "paper", "bench", "smoke"]:
        assert word in out
    (swimmer,) = [line for line in out.splitlines() if "links" in line]
    assert swimmer.split()[-5:] == ["9", "2", "1000", "364", "364"]
    (max_kl,) = [line for line in out.splitlines() if line.startswith("max_kl")]
    assert max_kl.split()[-1] == "cartpole"
    assert "1,000,000 × 200" in out


def test_a_task_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = outcome("list", capsys=capsys)
    table = out.split("\n\n")[0].splitlines()
    assert [line.split()[0] for line in table[2:]] == list(TASK_CONFIGS)


def test_output_without_a_terminal_is_plain(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = outcome("list", "task=hopper", capsys=capsys)
    assert "\x1b" not in out
    assert not any(line.endswith(" ") for line in out.splitlines())


@pytest.mark.parametrize("task", TASK_CONFIGS)
def test_the_number_of_parameters_is_the_policy_s_own(task: str) -> None:
    config = run_config([f"task={task}"])
    sampler = build_sampler(config)
    simulator = sampler.simulator
    counted = parameter_count(config, simulator.observation_size, actions=simulator.actions)
    assert counted == sampler.policy.parameter_count


def test_parameters_of_a_discrete_policy() -> None:
    config = run_config(["task=cartpole", "policy.hidden_sizes=[5]"])
    # (4 + 1) · 5 weights, then (5 + 1) logits for 3 + 2 categories
    assert parameter_count(config, 4, actions=ActionSpace("discrete", (3, 2))) == 25 + 30


@pytest.mark.parametrize(("task", "algo"), PAIRS)
def test_every_setting_has_its_value_and_its_meaning(
    task: str, algo: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (f"task={task}", f"algo={algo}", "seed=3")
    code, out, _ = outcome("list", *words, capsys=capsys)
    assert code == 0
    said = comments(task, algo)
    for key, value in settings(plain(run_config(words))):
        assert said[key], key
        assert f"{key}={value} " in out
    assert "seed=3 " in out


def test_what_is_shown_makes_the_same_run_again(capsys: pytest.CaptureFixture[str]) -> None:
    config = run_config(["task=walker", "algo=vine", "policy.hidden_sizes=[7,8]", "threads=2"])
    words = [f"{key}={value}" for key, value in settings(plain(config))]
    assert run_config(["task=walker", "algo=vine", *words]) == config


def test_where_the_run_is_stored_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = outcome("list", "task=hopper", "results_dir=there", capsys=capsys)
    identity = run_config(["task=hopper"]).identity()
    assert f"there/runs/hopper/single_path/{identity}/seed0" in out


def test_a_value_is_shown_as_it_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outcome("list", "results_dir='[bold]/[/x]'", capsys=capsys)
    assert code == 0
    assert "results_dir=[bold]/[/x] " in out


def test_wrong_override_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome("list", "task=hoper", capsys=capsys)
    assert (code, out) == (2, "")
    assert "did you mean 'hopper'?" in err


def test_headlines_are_there_for_every_choice() -> None:
    for group, name in itertools.chain(
        (("task", task) for task in TASK_CONFIGS), (("algo", algo) for algo in ALGORITHM_CONFIGS)
    ):
        assert headline(group, name)
        assert "@" not in headline(group, name)


def test_comments_stand_behind_a_setting_or_right_above_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {
        "config.yaml": "# head\n\nseed: 0 # root: of all\nplain: 1\n# far\n\nscale: x\n",
        "task/t.yaml": "# @package _global_\ntask:\n  # first\n  # second\n  id: a#b\n  n: 1 # n\n",
        "algo/a.yaml": "# about a\nname: a\nouter:\n  inner: 2 # in\nlast: 3 # end\n",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    monkeypatch.setattr("trpo_repro.cli.comments.config_folder", lambda: tmp_path)
    assert comments("t", "a") == {
        "seed": "root: of all",
        "task": "@package _global_",
        "task.id": "first second",
        "task.n": "n",
        "algo.name": "about a",
        "algo.outer.inner": "in",
        "algo.last": "end",
    }
