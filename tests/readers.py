"""Everything that reads a stored file, for those who feed it damaged ones."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from trpo_repro.errors import CheckpointError, ConfigError
from trpo_repro.report.runs import read_progress, read_run
from trpo_repro.runner.checkpoint import load_arrays, newest_checkpoint
from trpo_repro.runner.continuity import MOVES_BITS, machine_changes, told_by, with_history
from trpo_repro.runner.evaluation import stored_config
from trpo_repro.runner.progress import cut_back
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.runner.state import state_of, steps_done

Reader = Callable[[Path], object]
MANIFEST = "00000002.json"


def _checkpoint(path: Path) -> object:
    """Read the checkpoint that `path` is the manifest of, in a folder of its own."""
    folder = path.parent / "checkpoint"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copy(path, folder)
    return newest_checkpoint(folder, identity="0123456789", seed=0)


def _history(path: Path) -> object:
    before, _ = told_by(path)
    now = {**dict.fromkeys(MOVES_BITS, "x"), "packages": {"torch": "1"}}
    return machine_changes(before, now), with_history(now, before, iterations=3)


READERS: dict[str, list[Reader]] = {
    MANIFEST: [read_json, _checkpoint],
    "policy.safetensors": [load_arrays],
    "config.json": [
        lambda p: stored_config(RunFolder(p.parent)),
        lambda p: read_run(p.parent),
        _history,
    ],
    "status.json": [
        lambda p: state_of(RunFolder(p.parent), 3),
        lambda p: steps_done(RunFolder(p.parent)),
    ],
    "progress.csv": [read_progress, lambda p: cut_back(p, 2)],
}


def outcome(read: Reader, path: Path) -> str:
    """Read; anything but a result or one of our own errors gets out of here."""
    try:
        read(path)
    except (ConfigError, CheckpointError):
        return "refused"
    return "read"


def original(folder: RunFolder, name: str) -> bytes:
    """Return a file as a run wrote it."""
    if name == MANIFEST:
        return sorted(folder.checkpoints.glob("*.json"))[-1].read_bytes()
    return (folder.path / name).read_bytes()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@st.composite
def damaged(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw bytes: random ones, or `content` cut, flipped, spliced, or with values replaced."""
    kind = draw(st.sampled_from(["random", "cut", "flip", "splice", "replace", "header"]))
    if kind == "random":
        return draw(st.binary(max_size=300))
    place = draw(st.integers(0, max(0, len(content) - 1)))
    if kind == "cut":
        return content[:place]
    if kind == "flip":
        flipped = bytearray(content)
        for at in draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
            flipped[at] ^= 1 << draw(st.integers(0, 7))
        return bytes(flipped)
    if kind == "splice":
        return content[:place] + draw(st.binary(max_size=30)) + content[place:]
    if kind == "header":
        text = json.dumps(draw(JSON)).encode()
        return struct.pack("<Q", len(text)) + text + draw(st.binary(max_size=40))
    return _with_other_values(draw, content)


def _with_other_values(draw: st.DrawFn, content: bytes) -> bytes:
    """Replace a value of a mapping, or a cell of a table."""
    try:
        values = json.loads(content)
    except ValueError:
        cells = content.split(b",")
        cells[draw(st.integers(0, len(cells) - 1))] = draw(st.text(max_size=9)).encode()
        return b",".join(cells)
    inner = values
    while True:
        key = draw(st.sampled_from(sorted(inner)))
        if not (isinstance(inner[key], dict) and inner[key] and draw(st.booleans())):
            inner[key] = draw(JSON)
            return json.dumps(values).encode()
        inner = inner[key]
