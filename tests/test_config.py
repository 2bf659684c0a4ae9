from __future__ import annotations

import copy
import functools
import json
import math
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from trpo_repro import tasks as simulators
from trpo_repro.checking import suggestion
from trpo_repro.cli.compose import config_folder, groups
from trpo_repro.config import RunConfig, parse, plain, science_hash
from trpo_repro.errors import ConfigError
from trpo_repro.settings import (
    ALGORITHM_CONFIGS,
    ALGORITHM_TASKS,
    GAMES,
    TASK_CONFIGS,
    later_settings,
)

PAIRS = [(task, algo) for algo, tasks in ALGORITHM_TASKS.items() for task in tasks]
NOT_FOR_PIXELS = ("estimator.baseline", "estimator.normalise_observations")
NOT_SCIENCE = {
    "seed",
    "scale",
    "iterations",
    "results_dir",
    "threads",
    "device",
    "checkpoint_seconds",
    "tensorboard",
}


@functools.cache
def _composed(overrides: tuple[str, ...]) -> dict[str, Any]:
    with initialize_config_dir(version_base="1.3", config_dir=str(config_folder())):
        return OmegaConf.to_container(compose("config", overrides=list(overrides)), resolve=True)


def composed(*overrides: str) -> dict[str, Any]:
    """Return what Hydra makes of conf/ and `overrides`, not yet checked."""
    return copy.deepcopy(_composed(overrides))


def leaves(values: dict[str, Any], prefix: str = "") -> list[str]:
    """Return the full names of all settings but the table of sizes."""
    names = []
    for key, value in values.items():
        if isinstance(value, dict):
            names += leaves(value, f"{prefix}{key}.")
        else:
            names.append(prefix + key)
    return [name for name in names if not name.startswith("task.sizes.")]


def with_value(values: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return `values` with the setting `key` replaced (or added)."""
    result = copy.deepcopy(values)
    *path, last = key.split(".")
    inner = result
    for part in path:
        inner = inner[part]
    inner[last] = value
    return result


def without(values: dict[str, Any], key: str) -> dict[str, Any]:
    result = copy.deepcopy(values)
    *path, last = key.split(".")
    inner = result
    for part in path:
        inner = inner[part]
    del inner[last]
    return result


def problem(values: dict[str, Any]) -> str:
    """Return what `parse` says against `values`."""
    with pytest.raises(ConfigError) as caught:
        parse(values)
    message = str(caught.value)
    assert "\n" not in message
    return message


def changed(value: Any) -> Any:
    """Return another value of the same kind that every range in use allows."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, float):
        return value / 2 if value else 1e-9
    if isinstance(value, list):
        return [*value, 7]
    raise AssertionError(f"no rule for {value!r}")


WORDS = {
    "task.integrator": "euler",
    "task.protocol": "machado2018",
    "task.id": "Swimmer-v5",
    "task.horizon": 123,
    "estimator.baseline": "none",
    "algo.proposal": "uniform",
    "algo.play": "sampled",
    "threads": 3,
    "device": "cuda",
    "results_dir": "elsewhere",
}
"""Other values for the settings that `changed` cannot know."""


def changed_setting(values: dict[str, Any], key: str) -> dict[str, Any]:
    inner: Any = values
    for part in key.split("."):
        inner = inner[part]
    return with_value(values, key, WORDS[key] if key in WORDS else changed(inner))


@pytest.mark.parametrize(("task", "algo"), PAIRS)
def test_defaults_of_every_possible_pair_are_valid(task: str, algo: str) -> None:
    config = parse(composed(f"task={task}", f"algo={algo}"))
    assert (config.task.name, config.algo.name) == (task, algo)
    assert isinstance(config.task, TASK_CONFIGS[task])
    assert isinstance(config.algo, ALGORITHM_CONFIGS[algo])
    json.dumps(plain(config), allow_nan=False)


def test_files_of_conf_are_the_tasks_and_algorithms_of_the_code() -> None:
    assert groups() == {"task": sorted(TASK_CONFIGS), "algo": sorted(ALGORITHM_CONFIGS)}
    assert list(simulators.TASKS) == list(TASK_CONFIGS)
    assert simulators.GAMES == GAMES


def test_pairs_that_make_no_sense_are_refused_with_what_is_possible() -> None:
    impossible = [
        (task, algo)
        for algo in ALGORITHM_TASKS
        for task in TASK_CONFIGS
        if (task, algo) not in PAIRS
    ]
    for task, algo in impossible:
        message = problem(composed(f"task={task}", f"algo={algo}"))
        assert f"algo={algo} cannot run on task={task}" in message
        assert "|".join(ALGORITHM_TASKS[algo]) in message


@pytest.mark.parametrize("task", ["cartpole", "pong"])
def test_a_trunk_that_leaves_no_steps_for_branches_is_refused(task: str) -> None:
    """It would take them all the same, beyond the budget, and learn from a single state."""
    words = (f"task={task}", "algo=vine", "algo.trunk_steps=5000")
    parse(composed(*words, "steps_per_iter=5001"))
    message = problem(composed(*words, "steps_per_iter=5000"))
    assert "algo.trunk_steps must be < steps_per_iter, got 5000 of 5000" in message


@pytest.mark.parametrize("task", TASK_CONFIGS)
@pytest.mark.parametrize("scale", ["paper", "bench", "smoke"])
def test_sizes_come_from_the_tasks_table(task: str, scale: str) -> None:
    values = composed(f"task={task}", f"scale={scale}")
    config = parse(values)
    assert config.scale == scale
    sizes = values["task"]["sizes"][scale]
    assert config.iterations == sizes["iterations"]
    assert config.steps_per_iter == sizes["steps_per_iter"]


@pytest.mark.parametrize(
    ("task", "scale", "steps", "iterations"),
    [
        ("cartpole", "bench", 10_000, 50),
        ("cartpole", "paper", 10_000, 50),
        ("swimmer", "paper", 50_000, 200),
        ("hopper", "paper", 1_000_000, 200),
        ("walker", "paper", 1_000_000, 200),
        ("walker", "bench", 50_000, 200),
        ("hopper", "smoke", 1_000, 2),
        ("pong", "paper", 100_000, 500),
        ("qbert", "bench", 25_000, 100),
        ("enduro", "smoke", 256, 2),
    ],
)
def test_sizes_are_table_2s(task: str, scale: str, steps: int, iterations: int) -> None:
    config = parse(composed(f"task={task}", f"scale={scale}"))
    assert (config.steps_per_iter, config.iterations) == (steps, iterations)


@pytest.mark.parametrize("task", TASK_CONFIGS)
def test_every_setting_must_be_there(task: str) -> None:
    values = composed(f"task={task}")
    for key in leaves(values):
        message = problem(without(values, key))
        assert key.split(".")[0] in message
        if not key.endswith(".name"):
            assert message == f"missing key '{key}'"


@pytest.mark.parametrize(
    ("key", "neighbour"),
    [
        ("sed", "seed"),
        ("algo.stepsze", "algo.stepsize"),
        ("task.frameskip", "task.frame_skip"),
        ("policy.initial_sd", "policy.initial_std"),
        ("estimator.lambda", "estimator.lambda_"),
    ],
)
def test_unknown_key_is_refused_with_its_neighbour(key: str, neighbour: str) -> None:
    message = problem(with_value(composed("task=hopper"), key, 1))
    assert message == f"unknown key '{key}'; did you mean '{neighbour}'?"


def test_unknown_key_without_a_neighbour_is_refused() -> None:
    assert problem(with_value(composed(), "algo.qqqqqq", 1)) == "unknown key 'algo.qqqqqq'"


@pytest.mark.parametrize("group", ["task", "policy", "estimator", "algo"])
@pytest.mark.parametrize("value", [None, 3, "text", [1]])
def test_group_that_is_no_group_is_refused(group: str, value: Any) -> None:
    assert problem(with_value(composed(), group, value)).startswith(f"{group} must be a group")


@pytest.mark.parametrize("group", ["task", "algo"])
@pytest.mark.parametrize("name", [None, 3, [1], {"a": 1}, "nothing-like-it"])
def test_unknown_task_or_algorithm_is_refused(group: str, name: Any) -> None:
    assert problem(with_value(composed(), f"{group}.name", name)).startswith(f"unknown {group}")


def test_suggestions_name_a_neighbour_or_the_few_choices() -> None:
    assert suggestion("hoper", TASK_CONFIGS) == "; did you mean 'hopper'?"
    assert "cartpole, enduro, gym, hopper" in suggestion("xyz", TASK_CONFIGS)
    assert suggestion("xyz", [f"key{i}" for i in range(13)]) == "; see trpo-repro list"


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("seed", 1.5, "a whole number"),
        ("seed", True, "a whole number"),
        ("seed", "1", "a whole number"),
        ("seed", -1, ">= 0"),
        ("seed", 2**63, ">= 0"),
        ("iterations", 0, ">= 1"),
        ("iterations", 10**10, "<= 1e+09"),
        ("steps_per_iter", None, "a whole number"),
        ("algo.stepsize", -1, "> 0"),
        ("algo.stepsize", 0, "> 0"),
        ("algo.stepsize", math.nan, "finite"),
        ("algo.stepsize", math.inf, "finite"),
        ("algo.stepsize", 10**400, "finite"),
        ("algo.stepsize", True, "a number"),
        ("algo.stepsize", "0.1", "a number"),
        ("algo.fisher_fraction", 1.01, "<= 1"),
        ("algo.line_search_shrink", 1, "> 0 and < 1"),
        ("estimator.discount", 1.0000001, ">= 0 and <= 1"),
        ("estimator.baseline", "liner", "one of none, linear, mlp"),
        ("estimator.normalise_observations", 1, "true or false"),
        ("policy.hidden_sizes", 50, "a list"),
        ("policy.hidden_sizes", "50", "a list"),
        ("task.integrator", None, "text"),
        ("task.timestep", 0.2, "> 0 and <= 0.1"),
        ("results_dir", "", "empty"),
        ("results_dir", 5, "text"),
        ("threads", 0, ">= 1"),
        ("threads", 2000, "<= 1024"),
        ("device", "tpu", "one of cpu, cuda"),
        ("checkpoint_seconds", -0.1, ">= 0"),
        ("tensorboard", "yes", "true or false"),
    ],
)
def test_wrong_value_is_refused_with_the_key_and_what_it_wants(
    key: str, value: Any, wanted: str
) -> None:
    message = problem(with_value(composed("task=hopper"), key, value))
    assert message.startswith(key)
    assert wanted in message


@pytest.mark.parametrize(
    ("key", "value", "wanted"),
    [
        ("algo.initial_penalty", 0, "> 0"),
        ("algo.dual_stepsize", 1, "> 0 and < 1"),  # the penalty would fall to zero
        ("algo.max_iterations", 0, ">= 1"),
    ],
)
def test_wrong_value_for_the_kl_penalty_is_refused(key: str, value: Any, wanted: str) -> None:
    message = problem(with_value(composed("algo=kl_penalty"), key, value))
    assert message.startswith(key)
    assert wanted in message


def test_wrong_entry_of_a_list_is_named() -> None:
    message = problem(with_value(composed("task=hopper"), "policy.hidden_sizes", [50, 0]))
    assert message == "policy.hidden_sizes[1] must be >= 1 and <= 100000, got 0"


def test_whole_numbers_are_numbers() -> None:
    config = parse(with_value(composed(), "algo.stepsize", 1))
    assert config.algo.stepsize == 1.0
    assert isinstance(config.algo.stepsize, float)
    assert config.identity() == parse(with_value(composed(), "algo.stepsize", 1.0)).identity()


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(
        [0, 1, -1, 0.5, 1e308, math.nan, math.inf, 2**63, 10**400, "", "cpu", "euler"]
    )
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@pytest.mark.parametrize(("task", "algo"), [(task, "single_path") for task in TASK_CONFIGS])
@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(data=st.data())
def test_any_value_gives_a_config_or_an_error_that_names_the_key(
    task: str, algo: str, data: st.DataObject
) -> None:
    values = composed(f"task={task}", f"algo={algo}")
    key = data.draw(st.sampled_from(leaves(values)))
    value = data.draw(ANYTHING)
    try:
        config: RunConfig | str = parse(with_value(values, key, value))
    except ConfigError as error:
        config = str(error)
    if isinstance(config, str):
        # A wrong name changes which keys there are: the group is what the message can name.
        assert (key.split(".")[0] if key.endswith(".name") else key) in config
        assert "\n" not in config
        return
    accepted = plain(config)
    for part in key.split("."):
        accepted = accepted[part]
    # A whole number too large for a float is the nearest float.
    assert accepted == (float(value) if isinstance(accepted, float) else value)
    json.dumps(accepted, allow_nan=False)


@pytest.mark.parametrize("task", TASK_CONFIGS)
def test_identity_depends_on_the_science_and_on_nothing_else(task: str) -> None:
    for algo in ALGORITHM_TASKS:
        if (task, algo) not in PAIRS:
            continue
        values = composed(f"task={task}", f"algo={algo}")
        identity = parse(values).identity()
        for key in leaves(values):
            if key.endswith(".name") or (task in GAMES and key in NOT_FOR_PIXELS):
                continue
            if key == "scale":
                other = parse(with_value(values, "scale", "paper")).identity()  # the sizes stay
            else:
                other = parse(changed_setting(values, key)).identity()
            assert (other == identity) == (key in NOT_SCIENCE), key


def test_pixels_are_damped_more() -> None:
    for algo in ("single_path", "natural_gradient", "empirical_fim"):
        assert parse(composed("task=pong", f"algo={algo}")).algo.damping == 0.1
        assert parse(composed("task=hopper", f"algo={algo}")).algo.damping == 1e-3
    assert parse(composed("task=pong", "algo.damping=0.5")).algo.damping == 0.5


def test_identities_of_runs_for_the_record_stay() -> None:
    known = {
        "hopper": "56e5b0e501",
        "walker": "e79e791b99",
        "swimmer": "e15eca5be4",
        "cartpole": "1e805ae20b",
    }
    assert {task: parse(composed(f"task={task}")).identity() for task in known} == known


def test_a_setting_that_came_later_is_in_no_hash_until_it_is_changed() -> None:
    config = parse(composed("task=hopper"))
    before = config.science()
    del before["algo"]["line_search"]
    assert science_hash(before) == science_hash(config.science()) == config.identity()
    without_it = parse(composed("task=hopper", "algo.line_search=false"))
    assert without_it.identity() != config.identity()
    assert science_hash(without_it.science()) == without_it.identity()
    assert later_settings("vine") == {"line_search": True}
    standardised = {"standardise_advantages": True}
    assert later_settings("natural_gradient") == standardised
    assert later_settings("single_path") == {"line_search": True, **standardised}
    assert later_settings("cem") == later_settings("nonsense") == {}


@pytest.mark.parametrize("task", GAMES)
def test_what_cannot_be_done_with_pixels_is_refused(task: str) -> None:
    for baseline in ("linear", "mlp"):
        message = problem(composed(f"task={task}", f"estimator.baseline={baseline}"))
        assert message.startswith(f"estimator.baseline={baseline} cannot be fitted to pixels")
    message = problem(composed(f"task={task}", "estimator.normalise_observations=true"))
    assert message.startswith("estimator.normalise_observations is for numbers")


def test_identity_tells_tasks_and_algorithms_apart() -> None:
    pairs = {(t, a): parse(composed(f"task={t}", f"algo={a}")).identity() for t, a in PAIRS}
    assert len(set(pairs.values())) == len(pairs)


def test_identity_is_ten_hexadecimal_digits_and_the_same_in_every_process() -> None:
    identity = parse(composed("task=hopper")).identity()
    assert len(identity) == 10
    assert int(identity, 16) >= 0
    science = parse(composed("task=hopper")).science()
    assert set(science) == {"steps_per_iter", "task", "policy", "estimator", "algo"}


def test_label_of_a_gymnasium_task_is_one_folder() -> None:
    values = with_value(composed("task=gym"), "task.id", "module:ALE/Pong-v5")
    assert parse(values).task_label() == "gym-module-ALE-Pong-v5"
    assert parse(composed("task=hopper")).task_label() == "hopper"
