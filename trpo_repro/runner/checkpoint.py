"""Checkpoints: safetensors for the arrays, a JSON manifest with their sha256, nothing executable.

The arrays are written first and the manifest last, each atomically: a checkpoint exists when its
manifest does. Two are kept, so that one that the disk damaged can be passed over.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load, save

from trpo_repro.errors import CheckpointError
from trpo_repro.runner.run_folder import (
    read_json,
    remove_temporaries,
    sync_folder,
    write_atomically,
    write_json,
)
from trpo_repro.types import Arrays

FORMAT = 1
KEPT = 2
SIZE_LIMIT = 1 << 30  # bytes of a policy or checkpoint that we agree to read
HEADER_LIMIT = 1 << 16  # bytes of a safetensors header; ours are below 2000


@dataclass(frozen=True)
class Checkpoint:
    """The state between two iterations.

    Attributes:
        iterations: Iterations done; the number of the next one.
        sim_steps: Simulated steps so far.
        wall_s: Seconds spent so far, all processes together.
        arrays: What the next iteration depends on.
    """

    iterations: int
    sim_steps: int
    wall_s: float
    arrays: Arrays


def save_checkpoint(folder: Path, checkpoint: Checkpoint, *, identity: str, seed: int) -> None:
    """Write `checkpoint`, of the run of this hash and seed; then drop all but the newest two."""
    content = save(checkpoint.arrays)
    stem = f"{checkpoint.iterations:08d}"
    write_atomically(folder / f"{stem}.safetensors", content)
    manifest = {
        "format": FORMAT,
        "identity": identity,
        "seed": seed,
        "iterations": checkpoint.iterations,
        "sim_steps": checkpoint.sim_steps,
        "wall_s": checkpoint.wall_s,
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    write_json(folder / f"{stem}.json", {**manifest, "seal": _seal(manifest)})
    for old in manifests(folder)[KEPT:]:
        old.unlink(missing_ok=True)
        old.with_suffix(".safetensors").unlink(missing_ok=True)
    sync_folder(folder)


def newest_checkpoint(
    folder: Path, *, identity: str, seed: int
) -> tuple[Checkpoint | None, list[str]]:
    """Return the newest usable checkpoint, and a warning for each damaged one passed over.

    Damaged files are renamed to `.corrupt`.

    Raises:
        CheckpointError: A checkpoint is of another configuration, seed or format, or all are
            damaged.
    """
    remove_strays(folder)
    found = manifests(folder)
    warnings: list[str] = []
    for manifest in found:
        try:
            return _load(manifest, identity, seed=seed), warnings
        except _Damaged as damage:
            warnings.append(f"{manifest.name} is damaged ({damage}); set aside as .corrupt")
            for path in (manifest, manifest.with_suffix(".safetensors")):
                if path.exists():
                    path.rename(path.with_name(path.name + ".corrupt"))
    if found or any(folder.glob("*.corrupt")):
        raise CheckpointError(
            "no checkpoint of this run can be read",
            where=str(folder),
            fix="--restart keeps the old folder aside and begins anew",
        )
    return None, warnings


def manifests(folder: Path) -> list[Path]:
    """Return the manifests of complete checkpoints, newest first."""
    return sorted(folder.glob("[0-9]*.json"), reverse=True)


def remove_strays(folder: Path) -> None:
    """Delete what a killed writer left: temporary files, arrays without a manifest."""
    remove_temporaries(folder)
    for path in folder.glob("*.safetensors"):
        if not path.with_suffix(".json").exists():
            path.unlink()


def load_arrays(path: Path, *, sha256: str | None = None) -> Arrays:
    """Read a safetensors file, which holds numbers and nothing that runs.

    Raises:
        CheckpointError: Too large, damaged, or not a safetensors file.
    """
    try:
        return _load_arrays(path, sha256)
    except _Damaged as damage:
        raise CheckpointError(str(damage), where=str(path)) from damage


class _Damaged(Exception):
    """The bytes on the disk are not those that were written."""


def _seal(manifest: Mapping[str, Any]) -> str:
    """Return the sha256 of the manifest's other fields: one flipped bit in a number must show."""
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _load(manifest: Path, identity: str, *, seed: int) -> Checkpoint:
    """Read one checkpoint."""
    try:
        content = read_json(manifest)
    except (CheckpointError, OSError) as error:
        raise _Damaged(str(error)) from error
    if content.pop("seal", None) != _seal(content):
        raise _Damaged("its manifest's sha256 is wrong")
    found = content.get("format")
    _check(
        found == FORMAT,
        f"the checkpoint's format is {found!r}, ours is {FORMAT}",
        manifest=manifest,
    )
    content.setdefault("seed", seed)  # until 2026-11-29 manifests did not tell
    kinds: dict[str, type[Any] | tuple[type[Any], ...]] = {
        "format": int,
        "identity": str,
        "seed": int,
        "iterations": int,
        "sim_steps": int,
        "wall_s": (int, float),
        "sha256": str,
    }
    if content.keys() != kinds.keys() or not all(
        isinstance(content[key], kind) for key, kind in kinds.items()
    ):
        raise _Damaged("its manifest has other fields than ours")
    _check(
        content["identity"] == identity,
        _of_another(content["identity"], identity),
        manifest=manifest,
    )
    _check(
        content["seed"] == seed,
        f"the checkpoint is of seed {content['seed']}, this run's is {seed}",
        manifest=manifest,
    )
    if f"{content['iterations']:08d}" != manifest.stem:
        raise _Damaged("its name is not its iteration")
    arrays = _load_arrays(manifest.with_suffix(".safetensors"), content["sha256"])
    return Checkpoint(content["iterations"], content["sim_steps"], content["wall_s"], arrays)


def _of_another(found: str, expected: str) -> str:
    """Say all that a manifest tells of another configuration's checkpoint: the settings' hash."""
    return (
        f"the checkpoint is of another configuration: its settings' hash is {found!r}, this run's "
        f"{expected!r}; the settings themselves are unknown here, config.json in the folder of "
        "that hash names them"
    )


def _check(fine: bool, what: str, *, manifest: Path) -> None:
    """Refuse a whole checkpoint that is not for this run."""
    if not fine:
        raise CheckpointError(
            what,
            where=str(manifest),
            fix="--restart keeps the old folder aside and begins anew",
        )


def _load_arrays(path: Path, sha256: str | None) -> Arrays:
    """Read arrays, checking size, sum and format in this order."""
    try:
        if os.path.getsize(path) > SIZE_LIMIT:
            raise _Damaged("the file is larger than any of ours")
        with open(path, "rb") as file:
            start = file.read(8)
            if int.from_bytes(start, "little") > HEADER_LIMIT:
                raise _Damaged("not a safetensors file, or one with a header larger than ours")
            content = start + file.read(SIZE_LIMIT)
    except FileNotFoundError as error:
        raise _Damaged(f"{path.name} is missing") from error
    except OSError as error:
        raise _Damaged(f"{path.name} cannot be read: {error.strerror}") from error
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise _Damaged("its sha256 is wrong")
    try:
        return load(content)
    except (SafetensorError, ValueError, KeyError) as error:
        raise _Damaged(f"not a safetensors file: {error}") from error
