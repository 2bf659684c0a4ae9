from __future__ import annotations

import os
from pathlib import Path

import pytest
from cli_helpers import trpo
from hydra import compose as hydras_compose
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from trpo_repro.cli import compose, multirun
from trpo_repro.cli.compose import run_config, sweep_runs
from trpo_repro.cli.launch import Ended
from trpo_repro.cli.overrides import in_grammar, parse_overrides
from trpo_repro.config import RunConfig, parse
from trpo_repro.errors import ConfigError


def problem(*overrides: str) -> str:
    """Return what `run_config` says against the overrides."""
    with pytest.raises(ConfigError) as caught:
        run_config(overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def sweep_problem(*overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        sweep_runs(overrides)
    return str(caught.value)


WRONG = [
    ("algo.stepsze=1", "unknown key 'algo.stepsze'; did you mean 'algo.stepsize'?"),
    ("sede=1", "did you mean 'seed'?"),
    ("task.frame_skip=4", "unknown key 'task.frame_skip'"),  # cart-pole has none
    ("+extra=1", "unknown key 'extra'"),
    ("++extra=1", "unknown key 'extra'"),
    ("+seed=1", "'seed' is there already; fix: take out the +"),
    ("seed@x=1", "'seed@x=1': 'seed' is no group, and takes no @"),
    ("foo/bar=1", "unknown key 'foo/bar'"),
    ("=1", "unknown key ''"),
    ("task=hoper", "unknown task 'hoper'; did you mean 'hopper'?"),
    ("task=null", "unknown task 'None'"),
    ("task=", "unknown task ''"),
    ("task=[hopper]", "unknown task"),
    ("task=../task/hopper", "unknown task"),
    ("algo=trpo", "unknown algorithm 'trpo'"),
    ("algo=single_pth", "did you mean 'single_path'?"),
    ("algo={name: single_path}", "unknown algorithm"),
    ("algo.name=[single_path]", "unknown algo"),
    ("algo.name=single_pth", "did you mean 'single_path'?"),
    ("seed=1.5", "seed must be a whole number, got 1.5"),
    ("seed=one", "seed must be a whole number, got 'one'"),
    ("seed=[1,2]", "seed must be a whole number"),
    ("seed=", "seed must be a whole number, got ''"),
    ("seed=" + "9" * 5000, "integer string conversion"),
    ("iterations=0", "iterations must be >= 1"),
    ("algo.stepsize=-1", "algo.stepsize must be > 0, got -1"),
    ("algo.stepsize=nan", "algo.stepsize must be finite, got nan"),
    ("algo.stepsize=1e999", "algo.stepsize must be finite, got inf"),
    ("algo.stepsize=-inf", "algo.stepsize must be finite"),
    ("algo.stepsize=null", "algo.stepsize must be a number, got None"),
    ("algo.stepsize=???", "algo.stepsize"),
    ("algo.stepsize=${nothing}", "nothing"),
    ("seed=${seed}", "Recursive"),
    ("scale=${nothing}", "nothing"),
    ("scale=huge", "scale must be one of paper, bench, smoke, got huge"),
    ("scale=null", "scale must be one of"),
    ("estimator={discount: 1}", "'estimator' is a group of settings"),
    ("policy=1", "'policy' is a group of settings"),
    ("task.sizes=3", "set steps_per_iter and iterations"),
    ("task.sizes.smoke.iterations=3", "set steps_per_iter and iterations"),
    ("policy.hidden_sizes={a: 1}", "policy.hidden_sizes"),
    ("policy.hidden_sizes=[1,x]", "policy.hidden_sizes[1] must be a whole number, got 'x'"),
    ("~seed", "'seed' cannot be deleted"),
    ("~task", "task"),
    ("seed", "key=value"),
    ("task=hopper,", "key=value"),
    ("seed=1,2", "add -m"),
    ("task=glob(*)", "add -m"),
    ("hydra.verbose=true", "does nothing in a single run"),
    ("hydra/launcher=basic", "does nothing in a single run"),
    ("hydra=x", "does nothing in a single run"),
    ("+hydra.foo=1", "does nothing in a single run"),
]


@pytest.mark.parametrize(("override", "wanted"), WRONG, ids=[o[:40] for o, _ in WRONG])
def test_wrong_override_is_one_line_that_says_what_is_wrong(override: str, wanted: str) -> None:
    assert wanted in problem(override)


@pytest.mark.parametrize(
    "words",
    [
        ["algo.stepsze=1"],
        ["algo.stepsize=nan"],
        ["seed=1.5"],
        ["task=hoper"],
        ["hydra.verbose=true"],
        ["seed=0", "--unknown-option"],
        ["-m", "seed=0,1", "hydra.lancher=x"],
        ["-m", "task=cartpole,hopper", "task.frame_skip=4"],
    ],
    ids=" ".join,
)
def test_wrong_command_line_exits_2_with_one_line_and_leaves_nothing(
    words: list[str], tmp_path: Path
) -> None:
    done = trpo("run", *words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("error: ")
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    assert os.listdir(tmp_path) == []


def test_overrides_reach_the_configuration() -> None:
    config = run_config(
        ["task=hopper", "seed=3", "algo.stepsize=0.03", "policy.hidden_sizes=[8,9]", "threads=2"]
    )
    assert (config.task.name, config.seed, config.algo.stepsize) == ("hopper", 3, 0.03)
    assert (config.policy.hidden_sizes, config.threads) == ((8, 9), 2)


@pytest.mark.parametrize(
    "words",
    [
        ["task=hopper", "algo=vine", "scale=paper", "threads=null", "seed=1", "seed=2"],
        ["task=hopper", "policy.hidden_sizes=[]", "algo.stepsize=1e-3", "++task.horizon=50"],
        ["algo=cem", "task=swimmer", "algo.name=cem", "task.timestep=1e-2", "device='cpu'"],
        [
            "algo.stepsize=${estimator.discount}",
            "estimator.discount=0.5",
            "scale=${oc.select:x,smoke}",
        ],
        ["task=pong", "task.reward_bound=null", "policy.channels=[1,2]", "tensorboard=true"],
        ["task=gym", "task.id='My-v0'", "steps_per_iter=7", "results_dir='a, b'"],
    ],
    ids=" ".join,
)
def test_settings_are_those_that_hydra_makes_of_all_words_at_once(words: list[str]) -> None:
    with initialize_config_dir(version_base="1.3", config_dir=str(compose.config_folder())):
        composed = OmegaConf.to_container(hydras_compose("config", words), resolve=True)
    assert isinstance(composed, dict)
    assert run_config(words) == parse({str(key): value for key, value in composed.items()})
    first, second = run_config(["seed=5", *words[:2]]), run_config(words)
    assert (first.seed, second) == (5, run_config(words))  # no run changes what others begin from


def test_files_are_put_together_once_for_all_runs_that_differ_in_values(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With Hydra for each of Figure 4's 265 runs, its status took 47 s on a slow machine."""
    calls = []
    counted = lambda *a, **k: calls.append(a) or hydras_compose(*a, **k)  # noqa: E731
    monkeypatch.setattr(compose, "compose", counted)
    compose._composed.cache_clear()
    assert len(sweep_runs(["task=hopper,walker", "seed=range(9)", "algo.stepsize=0.1,0.2"])) == 36
    assert len(calls) == 2


def test_size_override_wins_over_the_scale() -> None:
    config = run_config(["scale=smoke", "steps_per_iter=77"])
    assert (config.steps_per_iter, config.iterations) == (77, 2)


def test_path_with_anything_in_it_arrives_when_quoted() -> None:
    assert run_config(["results_dir='a b/ü=x,y'"]).results_dir == "a b/ü=x,y"
    assert run_config(['results_dir="a b"']).results_dir == "a b"


PLACES = ["a,b", "a=b", "é ü", "a b", " a", "a ", "2024", "1e3", "null", "true", "[a]", "{a: 1}"]
PLACES += ["it's", "'a'b", "'", "glob(*)", "range(1,2)", "~/x", "a\\", "a\\,b", "a#b;c&d", "文"]


@pytest.mark.parametrize("name", PLACES)
def test_folder_of_results_has_the_name_that_was_typed(name: str) -> None:
    for place in (name, f"pp/{name}"):
        word = f"results_dir={place}"
        wanted = os.path.expanduser(place)  # as a shell would, had it seen a path there
        assert run_config([word]).results_dir == wanted
        runs = sweep_runs([word, "seed=1,2"])
        assert [run.config.results_dir for run in runs] == [wanted, wanted]
        # What is shown of a run can be typed again, and Hydra's launchers read it alike.
        assert run_config(runs[0].overrides) == runs[0].config
        (override, _) = OverridesParser.create().parse_overrides(list(runs[0].overrides))
        assert override.value() == place


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0$"), min_size=1))
def test_any_name_of_a_folder_is_read_as_it_is_unless_it_is_in_quotes(name: str) -> None:
    (override,) = parse_overrides([f"results_dir={name}"])
    assert override.value() == name or name[0] == name[-1] in "'\""
    assert parse_overrides([str(override.input_line)])[0].value() == override.value()


def test_plain_name_of_a_folder_is_shown_as_it_was_typed() -> None:
    for word in ("results_dir=results/x-1", "results_dir='a b'", "results_dir=${oc.env:HOME}/a"):
        assert in_grammar([word, "seed=0"]) == [word, "seed=0"]


def test_environment_variables_can_be_interpolated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESULTS_FOR_TEST", "/some/where")
    assert run_config(["results_dir=${oc.env:RESULTS_FOR_TEST}"]).results_dir == "/some/where"


def test_the_same_run_from_different_words_is_the_same_run() -> None:
    spelt = run_config(["algo.stepsize=0.01", "task=cartpole", "seed=1"])
    assert spelt == run_config(["seed=1"])
    assert spelt.identity() == run_config(["algo.stepsize=1e-2"]).identity()


KEYS = ["seed", "task", "algo", "scale", "task.horizon", "algo.stepsize", "policy.hidden_sizes"]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@settings(max_examples=60, deadline=None, database=None, derandomize=True)
@given(override=st.builds("{}={}".format, st.sampled_from(KEYS) | TEXT, TEXT) | TEXT)
def test_any_text_gives_a_config_or_one_line(override: str) -> None:
    try:
        found: RunConfig | str = run_config([override])
    except ConfigError as error:
        found = str(error)
    assert isinstance(found, RunConfig) or "\n" not in found


def test_sweep_expands_choices_and_ranges_in_order() -> None:
    runs = sweep_runs(["task=cartpole,hopper", "seed=range(0,3)", "scale=smoke"])
    assert [run.overrides for run in runs] == [
        (f"task={task}", f"seed={seed}", "scale=smoke")
        for task in ("cartpole", "hopper")
        for seed in range(3)
    ]


def test_sweep_expands_choice_function_and_glob() -> None:
    assert [run.overrides for run in sweep_runs(["seed=choice(4,5)"])] == [("seed=4",), ("seed=5",)]
    tasks = [run.overrides[0] for run in sweep_runs(["task=glob(*er)"])]
    assert tasks == ["task=beam_rider", "task=hopper", "task=swimmer", "task=walker"]


def test_sweep_without_several_values_is_one_job() -> None:
    assert [run.overrides for run in sweep_runs(["seed=4"])] == [("seed=4",)]


def test_sweep_composes_every_job_once(monkeypatch: pytest.MonkeyPatch) -> None:
    composed = []
    compose_one = compose._checked
    monkeypatch.setattr(compose, "_checked", lambda o: composed.append(o) or compose_one(o))
    monkeypatch.setattr(multirun, "launch", lambda runs, *_, **__: [Ended(0, "") for _ in runs])
    assert multirun.run_all(["seed=0,1"], restart=False) == 0
    assert len(composed) == 2


def test_sweep_keeps_quotes() -> None:
    runs = sweep_runs(["results_dir='a b'", "seed=1,2"])
    assert [run.config.results_dir for run in runs] == ["a b", "a b"]


@pytest.mark.parametrize(
    ("overrides", "wanted"),
    [
        (["seed=0,1,x"], "seed must be a whole number, got 'x'"),
        (["algo.stepsize=0.1,0.01,-1"], "algo.stepsize must be > 0"),
        (["task=cartpole,hoper"], "unknown task 'hoper'"),
        (["task=cartpole,hopper", "task.timestep=0.01"], "unknown key 'task.timestep'"),
        (["algo=single_path,max_kl", "task=cartpole,walker"], "cannot run on task=walker"),
        (["algo.stepsize=interval(0,1)"], "cannot be swept"),
        (["seed=glob(*)"], "only task and algo can be globbed"),
    ],
)
def test_sweep_with_one_wrong_job_is_refused_as_a_whole(overrides: list[str], wanted: str) -> None:
    assert wanted in sweep_problem(*overrides)


def test_sweep_accepts_hydras_own_settings() -> None:
    runs = sweep_runs(["seed=0,1", "hydra.sweep.dir=elsewhere", "hydra/launcher=basic"])
    assert [run.overrides for run in runs] == [("seed=0",), ("seed=1",)]
