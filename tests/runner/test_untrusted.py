"""Files from strangers (fault 12): nothing in them runs, and none of them takes much memory."""

from __future__ import annotations

import json
import os
import pickle
import resource
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import readers
from cli_helpers import SilentReporter, command, config_in, environment
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trpo_repro.errors import CheckpointError
from trpo_repro.runner.evaluation import stored_config
from trpo_repro.runner.loop import execute
from trpo_repro.runner.run_folder import RunFolder

TINY = ("task=cartpole", "scale=smoke", "threads=1")
MEMORY = 400 << 20  # bytes that reading may add to what the imports took


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    config = config_in(tmp_path_factory.mktemp("trained"), TINY)
    execute(config, SilentReporter())
    return RunFolder.of(config)


class Canary:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def header(text: bytes) -> bytes:
    return struct.pack("<Q", len(text)) + text


NESTED = b'{"theta":{"dtype":"F32","shape":[' + b"1," * 30_000_000 + b"1],"
BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "policy with a header of 60 MB": ("policy.safetensors", lambda: header(NESTED)),
    "policy with many small entries": (
        "policy.safetensors",
        lambda: header(b"{" + b",".join(b'"%d":[]' % i for i in range(5_000_000)) + b"}"),
    ),
    "configuration of nested lists": ("config.json", lambda: b"[" * 50_000_000),
    "configuration of many keys": (
        "config.json",
        lambda: b"{" + b",".join(b'"%d":[]' % i for i in range(5_000_000)) + b"}",
    ),
    "status of one long number": ("status.json", lambda: b'{"a":' + b"9" * 50_000_000 + b"}"),
    "rows without end": ("progress.csv", lambda: b"1,2,3,4,5\n" * 10_000_000),
    "one row without end": ("progress.csv", lambda: b"1," * 50_000_000),
    "pickle for a policy": ("policy.safetensors", lambda: pickle.dumps(Canary(Path("canary")))),
    "YAML for a configuration": (
        "config.json",
        lambda: b"!!python/object/apply:os.system ['touch canary']",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["policy with a header of 60 MB", "configuration of many keys", "pickle for a policy"],
)
def test_crafted_file_ends_in_one_line_with_bounded_memory(
    name: str, trained: RunFolder, tmp_path: Path
) -> None:
    file, make = BOMBS[name]
    for source in (trained.config, trained.policy):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    (tmp_path / file).write_bytes(make())
    code, peak, err = measure(command("evaluate", str(tmp_path), "--episodes=2"), tmp_path)
    assert code == 3
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert peak < 700 << 20  # torch and all its libraries take half of it
    assert not (tmp_path / "canary").exists()


def measure(line: list[str], cwd: Path) -> tuple[int, int, str]:
    """Return exit code, peak resident bytes and standard error of a command."""
    script = (
        "import resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "usage = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "print(done.returncode, usage * 1024)\n"
        "sys.stderr.write(done.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *line],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    code, peak = done.stdout.split()
    return int(code), int(peak), done.stderr


def test_readers_keep_within_the_memory_that_they_are_given(
    trained: RunFolder, tmp_path: Path
) -> None:
    """In a fork under RLIMIT_AS, where more would be a MemoryError, which is none of our errors."""
    for name, (file, make) in BOMBS.items():
        path = tmp_path / file
        path.write_bytes(make())
        child = os.fork()
        if not child:
            os._exit(0 if read_within(path, MEMORY) else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0, name


def read_within(path: Path, memory: int) -> bool:
    """Read a file as our readers do under a limit on memory; tell whether it ended in order."""
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + memory, in_use + memory))
    try:
        for read in readers.READERS[path.name]:
            readers.outcome(read, path)
    except BaseException:
        return False
    return True


def test_environment_of_a_strangers_module_is_not_imported(
    trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "evil.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    monkeypatch.syspath_prepend(str(tmp_path))
    config = config_in(tmp_path, ["task=gym", "task.id=evil:Env-v0", "scale=smoke"])
    from trpo_repro.config import plain

    (tmp_path / "config.json").write_text(json.dumps(plain(config)))
    with pytest.raises(CheckpointError, match="would import the module 'evil'") as caught:
        stored_config(RunFolder(tmp_path))
    assert caught.value.exit_code == 3
    assert not (tmp_path / "canary").exists()
    monkeypatch.setitem(sys.modules, "evil", sys)  # what the user imported, the user trusts
    assert stored_config(RunFolder(tmp_path)) == config


@pytest.mark.parametrize("file", readers.READERS)
@settings(
    max_examples=150,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_any_bytes_are_read_or_refused(
    file: str, trained: RunFolder, tmp_path: Path, data: st.DataObject
) -> None:
    original = readers.original(trained, file)
    path = tmp_path / file
    path.write_bytes(data.draw(readers.damaged(original)))
    for read in readers.READERS[file]:
        readers.outcome(read, path)
