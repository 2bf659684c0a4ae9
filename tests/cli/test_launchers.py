"""The launchers of a cluster: what is said where one is missing, and what becomes of a lost job."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from trpo_repro.cli import compose
from trpo_repro.cli.compose import LAUNCHERS, config_folder, sweep_runs
from trpo_repro.errors import ConfigError, MissingDependency


@pytest.mark.parametrize("name", LAUNCHERS)
def test_launcher_without_its_plugin_names_the_extra(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compose.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=rf"trpo-repro\[{LAUNCHERS[name][0]}\]"):
        sweep_runs(["task=cartpole", f"hydra/launcher={name}"])


def test_every_launcher_file_belongs_to_a_known_launcher() -> None:
    names = {path.stem for path in (config_folder() / "hydra" / "launcher").glob("*.yaml")}
    assert names == set(LAUNCHERS) - {"joblib"}  # which the plugin's own settings suit


@pytest.mark.parametrize("name", ["submitit_local", "submitit_slurm"])
def test_launcher_files_know_what_the_plugin_knows(name: str) -> None:
    plugin = pytest.importorskip("hydra_plugins.hydra_submitit_launcher.config")
    kind = {"submitit_local": plugin.LocalQueueConf, "submitit_slurm": plugin.SlurmQueueConf}
    sweep_runs(["task=cartpole", f"hydra/launcher={name}", "hydra.launcher.timeout_min=5"])
    with pytest.raises(ConfigError, match="did you mean"):
        sweep_runs(["task=cartpole", f"hydra/launcher={name}", "hydra.launcher.timeout=5"])
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
