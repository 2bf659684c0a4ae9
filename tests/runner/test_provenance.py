"""Where a result says that it comes from."""

import subprocess

import pytest
import torch

import trpo_repro
from trpo_repro.runner.provenance import device_name, git_commit


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Return a repository of one commit that the package seems to lie in."""
    for name in ("trpo_repro/__init__.py", "conf/config.yaml", "results/rows.csv"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("first\n")
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    monkeypatch.setattr(trpo_repro, "__file__", str(tmp_path / "trpo_repro/__init__.py"))
    return tmp_path


def test_edited_code_and_settings_are_marked_and_new_results_are_not(checkout):
    clean = git_commit()
    assert clean is not None
    assert len(clean) == 12
    (checkout / "results/rows.csv").write_text("second\n")
    assert git_commit() == clean
    (checkout / "conf/config.yaml").write_text("second\n")
    assert git_commit() == clean + "+"
    (checkout / "conf/config.yaml").write_text("first\n")
    (checkout / "trpo_repro/__init__.py").write_text("second\n")
    assert git_commit() == clean + "+"


def test_device_is_told_with_the_name_of_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    assert device_name("cpu") == "cpu"
    assert device_name("cuda") == "cuda, a GPU"


def test_code_outside_a_checkout_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(trpo_repro, "__file__", str(tmp_path / "__init__.py"))
    assert git_commit() is None
