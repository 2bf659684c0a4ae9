"""The words of the command: help, options, errors."""

from __future__ import annotations

import errno
import importlib.metadata
import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import environment, trpo
from stored_runs import outcome

from trpo_repro.cli import arguments
from trpo_repro.cli import main as main_module


@pytest.mark.parametrize("words", [[], ["--help"]])
def test_help_shows_three_examples(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = outcome(*words, capsys=capsys)
    assert (code, err) == (0, "")
    examples = [line for line in out.splitlines() if line.startswith("  trpo-repro run ")]
    assert len(examples) == 3


def test_examples_of_the_help_are_valid(capsys: pytest.CaptureFixture[str]) -> None:
    from trpo_repro.cli.compose import run_config, sweep_runs

    for line in arguments.EXAMPLES.splitlines():
        if line.startswith("  trpo-repro run"):
            words = line.split("  ")[1].split()[2:]
            if words[0] == "-m":
                assert len(sweep_runs(words[1:])) > 1
            else:
                run_config(words)


@pytest.mark.parametrize("words", [[], ["--help"], ["run", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = """
import sys
from trpo_repro.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    heavy = {"torch", "hydra", "omegaconf", "numpy", "mujoco", "gymnasium", "pandas", "rich"}
    print(sorted(heavy & set(sys.modules)), file=sys.stderr)
    sys.exit(end.code)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout
    assert done.stderr == "[]\n"


@pytest.mark.parametrize(
    "words",
    [["rnu"], ["run", "--rstart"], ["run", "seed=1", "-x"], ["--nothing"], ["evaluate"]],
    ids=" ".join,
)
def test_wrong_words_are_one_line_that_points_to_the_help(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = outcome(*words, capsys=capsys)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert "--help" in err


def test_options_may_stand_anywhere_among_the_overrides() -> None:
    for words in (
        ["run", "-m", "seed=0,1", "task=hopper"],
        ["run", "seed=0,1", "-m", "task=hopper"],
        ["run", "seed=0,1", "task=hopper", "-m"],
    ):
        options = main_module._parse(arguments.parser(), words)
        assert options.overrides == ["seed=0,1", "task=hopper"]
        assert options.multirun


@pytest.mark.parametrize("words", [["--debug", "run"], ["run", "--debug"]], ids=" ".join)
def test_traceback_is_shown_with_debug_and_only_then(words: list[str], tmp_path: Path) -> None:
    done = trpo(*words, "seed=x", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" in done.stderr
    assert "ConfigError" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")


def test_unforeseen_error_is_one_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from trpo_repro.cli import run

    for error, code in [
        (ValueError("two\nlines"), 1),
        (MemoryError(), 1),
        (OSError(errno.EIO, "bad disk", "file"), 5),
    ]:

        def fail(options: object, error: Exception = error) -> int:
            raise error

        monkeypatch.setattr(run, "main", fail)
        found, out, err = outcome("run", capsys=capsys)
        assert (found, out) == (code, "")
        assert err.startswith(f"error: {type(error).__name__}")
        assert ":;" not in err
        assert err.endswith("fix: --debug shows where it comes from\n")
        assert err.count("\n") == 1
        found, _, err = outcome("run", "--debug", capsys=capsys)
        assert found == code
        assert err.startswith("Traceback")


def test_command_is_installed_under_its_name() -> None:
    scripts = importlib.metadata.entry_points(group="console_scripts")
    found = [script.value for script in scripts if script.name == "trpo-repro"]
    assert found == ["trpo_repro.cli.main:main"]
