from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import trpo_repro

CHECKOUT = Path(trpo_repro.__file__).parent.parent
SOURCES = ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "trpo_repro")
SHIPPED = ("conf", "experiments")
FOR_MAKE_TEST = ("Makefile", "requirements.lock", "tests")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the sources, so that nothing is written beside them."""
    if not (CHECKOUT / "pyproject.toml").exists():
        pytest.skip("the package under test is installed: there is no source to build")
    pytest.importorskip("hatchling")
    source = tmp_path_factory.mktemp("source")
    leave = shutil.ignore_patterns("__pycache__")
    for name in [*SOURCES, *SHIPPED, *FOR_MAKE_TEST]:
        if (CHECKOUT / name).is_dir():
            shutil.copytree(CHECKOUT / name, source / name, ignore=leave)
        elif (CHECKOUT / name).exists():
            shutil.copy(CHECKOUT / name, source / name)
    return source


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-build-isolation", "--wheel-dir", str(base / "dist"), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = (base / "dist").glob("trpo_repro-*.whl")
    return built


@pytest.mark.slow
def test_source_archive_holds_what_its_make_test_needs(source: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)]
    subprocess.run(command, cwd=source, capture_output=True, timeout=300, check=True)
    (built,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for name in [*SOURCES, *SHIPPED, *FOR_MAKE_TEST]:
        files = (source / name).rglob("*") if (source / name).is_dir() else [source / name]
        for path in (p for p in files if p.is_file()):
            assert path.relative_to(source).as_posix() in names


@pytest.mark.slow
def test_wheel_holds_every_module_and_every_file_that_comes_with_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert "trpo_repro/conf/config.yaml" in names
    assert "trpo_repro/experiments/figure4.yaml" in names
    for path in (path for folder in SHIPPED for path in (CHECKOUT / folder).rglob("*.yaml")):
        assert f"trpo_repro/{path.relative_to(CHECKOUT).as_posix()}" in names
    for path in [
        *(CHECKOUT / "trpo_repro").rglob("*.py"),
        *(CHECKOUT / "trpo_repro").rglob("*.csv"),
    ]:
        assert path.relative_to(CHECKOUT).as_posix() in names
    assert "trpo_repro/report/paper/table2.csv" in names
    assert not [name for name in names if name.startswith(("tests/", "results/"))]


@pytest.mark.slow
def test_wheel_trains_in_an_empty_folder_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    library, empty = tmp_path / "library", tmp_path / "empty"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(library)
    empty.mkdir()
    env = {**os.environ, "PYTHONPATH": str(library)}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", *words],
            cwd=empty,
            env=env,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    where = run("-c", "import trpo_repro; print(trpo_repro.__file__)")
    assert Path(where.stdout.strip()) == library / "trpo_repro" / "__init__.py"
    done = run("-m", "trpo_repro", "run", "task=cartpole", "scale=smoke")
    assert (done.returncode, done.stderr) == (0, "")
    assert "done: results/runs/cartpole/" in done.stdout
    assert [path.name for path in empty.iterdir()] == ["results"]
    planned = run("-m", "trpo_repro", "sweep", "single_path", "--dry-run")
    assert (planned.returncode, planned.stderr) == (0, "")
    assert "of which to do:" in planned.stdout
    wrong = run("-m", "trpo_repro", "run", "task=hoper")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "did you mean 'hopper'?" in wrong.stderr
