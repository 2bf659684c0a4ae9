"""Hydra's launchers: what is said of wrong words and missing plugins, and of a lost job."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from trpo_repro.cli import launchers
from trpo_repro.cli.compose import config_folder
from trpo_repro.cli.launchers import LAUNCHERS, hydras_own
from trpo_repro.cli.main import main
from trpo_repro.errors import ConfigError, MissingDependency


@pytest.mark.parametrize("name", LAUNCHERS)
def test_launcher_without_its_plugin_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launchers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=rf"trpo-repro\[{LAUNCHERS[name][0]}\]"):
        hydras_own(["task=cartpole", f"hydra/launcher={name}"])


WRONG = [
    ("hydra.foo=1", "unknown key 'hydra.foo'"),
    ("+hydra.foo=1", "unknown key 'hydra.foo'"),
    ("hydra=x", "unknown key 'hydra'"),
    ("hydra.lancher.n_jobs=1", "unknown key 'hydra.lancher.n_jobs'"),
    ("hydra.sweeper.params={seed: '1,2'}", "unknown key"),
    ("hydra.job.num=x", "hydra.job.num"),
    ("hydra/launcher=nothing", "hydra/launcher"),
    ("hydra/launcher=basic,joblib", "names several values"),
    ("~hydra/launcher", "cannot be deleted"),
]


@pytest.mark.parametrize(("word", "wanted"), WRONG, ids=[word for word, _ in WRONG])
def test_wrong_word_for_hydra_is_one_line(word: str, wanted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        hydras_own(["seed=0", word])
    assert wanted in str(caught.value)
    assert "\n" not in str(caught.value)


def test_hydras_own_words_are_told_from_a_runs() -> None:
    words = ["seed=0,1", "hydra.sweep.dir=elsewhere", "hydra/launcher=basic"]
    assert hydras_own(words) == words[1:]
    assert hydras_own(["seed=0,1"]) == []


@pytest.mark.parametrize(
    "command", [["sweep", "ablations"], ["sweep", "ablations", "--dry-run"], ["run", "-m"]], ids=str
)
def test_sweeps_check_hydras_words_before_anything_is_on_the_disk(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(launchers.importlib.util, "find_spec", lambda name: None)
    for word, code in (("hydra/launcher=ray", 4), ("+hydra.foo=1", 2), ("hydra.foo=1", 2)):
        with pytest.raises(SystemExit) as caught:
            main([*command, word])
        assert caught.value.code == code
        out, err = capsys.readouterr()
        assert (out, err.count("\n")) == ("", 1)
        assert os.listdir(tmp_path) == []
    assert "unknown key 'hydra.foo'" in err


def test_every_launcher_file_belongs_to_a_known_launcher() -> None:
    names = {path.stem for path in (config_folder() / "hydra" / "launcher").glob("*.yaml")}
    assert names == set(LAUNCHERS) - {"joblib"}  # which the plugin's own settings suit


@pytest.mark.parametrize("name", ["submitit_local", "submitit_slurm"])
def test_launcher_files_know_what_the_plugin_knows(name: str) -> None:
    plugin = pytest.importorskip("hydra_plugins.hydra_submitit_launcher.config")
    kind = {"submitit_local": plugin.LocalQueueConf, "submitit_slurm": plugin.SlurmQueueConf}
    hydras_own(["task=cartpole", f"hydra/launcher={name}", "hydra.launcher.timeout_min=5"])
    with pytest.raises(ConfigError, match="did you mean"):
        hydras_own(["task=cartpole", f"hydra/launcher={name}", "hydra.launcher.timeout=5"])
    import yaml

    path = config_folder() / "hydra" / "launcher" / f"{name}.yaml"
    ours = yaml.safe_load(Path(path).read_text())
    assert set(ours) <= {*kind[name].__dataclass_fields__}
    assert ours["_target_"] == kind[name]._target_


def test_lost_job_is_told_and_a_finished_one_returns() -> None:
    jobs = pytest.importorskip("trpo_repro.cli.submitit_jobs")

    def lost_job() -> None:
        raise jobs.UncompletedJobError("Job 7_1 has state CANCELLED\nand left no result")

    lost = SimpleNamespace(job_id="7_1", results=lost_job)
    done = SimpleNamespace(job_id="7_0", results=lambda: [SimpleNamespace(return_value=3)])
    assert jobs._returned(done, str.upper) == 3
    assert jobs._returned(lost, str.upper) == "JOB 7_1 WAS LOST: AND LEFT NO RESULT"


def test_null_settings_are_left_to_the_cluster(tmp_path: Path) -> None:
    jobs = pytest.importorskip("trpo_repro.cli.submitit_jobs")
    settings = {"submitit_folder": str(tmp_path / "%j"), "timeout_min": 3, "partition": None}
    executor = jobs._executor("local", settings)
    assert executor.parameters["timeout_min"] == 3
    assert "partition" not in str(executor.parameters)
