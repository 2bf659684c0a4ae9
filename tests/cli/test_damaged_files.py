"""Files beside the runs' own, damaged while they are shown (26): named, left out, and no more."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save
from stored_report import store
from stored_runs import outcome, played, written

READERS = {
    "runs/pong/*/*/seed0/evaluation-stochastic.json": ("tables", "claims"),
    "runs/cartpole/single_path/*/seed0/policy.safetensors": ("tables",),
    "random/trpo2015/pong.json": ("tables", "claims"),
    "measurements/standing.json": ("claims", "tables"),
    "measurements/variance.json": ("claims", "tables"),
    "measurements/parameters.json": ("claims", "tables"),
    "measurements/products.json": ("claims", "tables"),
    "theory/checks.csv": ("claims",),
    "theory/steps.csv": ("claims",),
    "theory/checks.md": (),
    "theory/steps.md": (),
    "theory/bound.svg": (),
    "tables/table1.md": (),
    "figures/figure5.csv": (),
    "figures/figure5_reward.svg": (),
    "videos/cartpole.gif": (),
}
"""Of the quick commands, those that read each kind of file; `report` reads them all."""


def truncated(path: Path) -> bytes:
    content = path.read_bytes()
    return content[: len(content) // 2]


def of_other_types(path: Path) -> bytes:
    """Return what can be parsed as before, with other things in it than there should be."""
    content = path.read_bytes()
    if path.suffix == ".json":
        kept = {k: v for k, v in json.loads(content).items() if k == "policy_sha256"}
        wrong = {"episodes": "many", "returns": [1, None], "return": 3, "rows": [[], {"task": 4}]}
        return json.dumps({**kept, **wrong}).encode()
    if path.suffix == ".safetensors":
        return save({**load(content), "theta": np.zeros((), np.float32)})
    if path.suffix == ".csv":
        return re.sub(rb"(?<=,)-?[0-9.]+", b"word", content)
    return b"{}\n"


def with_less_in_it(path: Path) -> bytes:
    """Return what can be parsed as before, with less in it than there should be."""
    content = path.read_bytes()
    if path.suffix == ".json":
        kept = {k: v for k, v in json.loads(content).items() if k == "policy_sha256"}
        return json.dumps(kept).encode()
    if path.suffix == ".safetensors":
        arrays = load(content)
        return save({**arrays, "theta": arrays["theta"][:-1]})
    return b"\n".join(content.splitlines()[:1]) if path.suffix in (".csv", ".md") else b""


DAMAGES = (truncated, of_other_types, with_less_in_it, lambda path: b"\xff\x00" * 9, lambda p: b"")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = tmp_path_factory.mktemp("sound") / "results"
    store(results)
    return results


@pytest.fixture
def results(sound: Path, tmp_path: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "results")


def shown(
    command: str, results: Path, *more: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, set[str], list[str]]:
    """Return the exit code, the names of what was written, and the lines on standard error."""
    output = results.parent / "out"
    shutil.rmtree(output, ignore_errors=True)
    place = output / "page.html" if command == "report" else output
    words = ("--results-dir", str(results), "--output", str(place), *more)
    code, _, err = outcome(command, *words, capsys=capsys)
    return code, {path.name for path in output.glob("*")}, err.splitlines()


def the_only(results: Path, pattern: str) -> Path:
    (path,) = results.glob(pattern)
    return path


@pytest.mark.parametrize("pattern", READERS)
def test_a_damaged_file_is_named_and_everything_else_is_made(
    pattern: str, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = the_only(results, pattern)
    content = path.read_bytes()
    for command in READERS[pattern]:
        path.write_bytes(content)
        _, wanted, before = shown(command, results, capsys=capsys)
        assert not any(path.name in line for line in before)
        for damage in DAMAGES:
            path.write_bytes(content)
            path.write_bytes(damage(path))
            code, made, err = shown(command, results, capsys=capsys)
            assert (code, made) == (0, wanted)
            (line,) = [line for line in err if str(path) in line]
            assert line.startswith(f"warning: {path}: not shown: ")
            assert "; fix: " in line
        assert shown(command, results, "--strict", capsys=capsys)[:2] == (3, wanted)


def test_figures_are_drawn_without_the_level_of_chance_that_is_damaged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    written(results, [-0.1, 0.1], "task=pong")
    path = played(results, "pong", [-20.0])
    path.write_bytes(truncated(path))
    code, made, err = shown("figures", results, "--strict", capsys=capsys)
    assert (code, "figure5.png" in made) == (3, True)
    assert f"warning: {path}: not shown: the file is not JSON; fix: " in "\n".join(err)


def test_figures_are_drawn_without_the_measurement_that_is_damaged(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    written(results, [1.0, 2.0])
    shutil.copytree(sound / "measurements", results / "measurements")
    _, whole, _ = shown("figures", results, capsys=capsys)
    path = results / "measurements" / "products.json"
    path.write_bytes(truncated(path))
    code, made, err = shown("figures", results, "--strict", capsys=capsys)
    assert {name.split(".")[0] for name in whole - made} == {"ablation_products"}
    assert (code, "ablation_variance.png" in made) == (3, True)
    assert f"warning: {path}: not shown: the file is not JSON; fix: " in "\n".join(err)


@pytest.mark.parametrize("damage", DAMAGES)
def test_the_report_is_made_of_what_is_left_and_names_every_damaged_file(
    damage: Callable[[Path], bytes], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [the_only(results, pattern) for pattern in READERS]
    for path in paths:
        path.write_bytes(damage(path))
    code, made, err = shown("report", results, "--strict", capsys=capsys)
    assert (code, made) == (3, {"page.html"})
    named = {line.split(": ")[1] for line in err if ": not shown: " in line}
    assert {path for path in paths if str(path) not in named} == set()


def test_sound_files_are_no_cause_of_complaint(
    sound: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("tables", "claims", "report"):
        _, _, err = outcome(command, "--results-dir", str(sound), capsys=capsys)
        assert "not shown" not in err.replace("CEM: no run is complete: not shown", "")
