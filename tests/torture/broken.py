"""A pytest plugin that takes away the guard named by `BROKEN_GUARD`, before anything is tested."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from trpo_repro import seeding

GENERATOR = np.random.default_rng(0)


def no_rng_derivation() -> None:
    # Before whoever takes `stream` by its name is imported.
    seeding.stream = lambda seed, *path: GENERATOR


def no_fsync() -> None:
    def written(path: Path, content: bytes) -> None:
        temporary = path.with_name(f".tmp-{path.name}")
        temporary.write_bytes(content)
        os.replace(temporary, path)

    _write_with(written)


def no_rename() -> None:
    from trpo_repro.runner import run_folder

    def written(path: Path, content: bytes) -> None:
        opened = getattr(run_folder, "open", open)
        with opened(path, "wb", buffering=0) as file:
            run_folder.write_all(file, content)

    _write_with(written)


def _write_with(written: Callable[[Path, bytes], None]) -> None:
    from trpo_repro.runner import checkpoint, loop, run_folder

    for module in (checkpoint, loop, run_folder):
        module.write_atomically = written  # type: ignore[attr-defined]


def no_lock() -> None:
    import fcntl

    fcntl.flock = lambda *args: None


def no_second_look_at_the_lock() -> None:
    os.path.samestat = lambda *args: True  # type: ignore[assignment]


def no_checksum() -> None:
    from trpo_repro.runner import checkpoint

    load = checkpoint._load_arrays
    checkpoint._load_arrays = lambda path, sha256: load(path, None)


def no_seal() -> None:
    from trpo_repro.runner import checkpoint

    checkpoint._seal = lambda manifest: "sealed"


def no_header_limit() -> None:
    from trpo_repro.runner import checkpoint, run_folder

    checkpoint.HEADER_LIMIT = run_folder.JSON_LIMIT = 1 << 62


def no_row_cut() -> None:
    from trpo_repro.runner import loop, progress

    def left(path: Path, rows: int) -> list[str]:
        if not path.exists():
            path.write_text(progress.HEADER)
        return []

    loop.cut_back = left


def no_finite_check() -> None:
    from trpo_repro.sampling import record

    record.require_finite = lambda *args: None  # type: ignore[assignment]


def no_trust_region() -> None:
    from trpo_repro.optim import trust_region

    search = trust_region.searched_step

    def unbounded(*args: Any, **kwargs: Any) -> Any:
        return search(*args, **{**kwargs, "max_divergence": float("inf")})

    trust_region.searched_step = unbounded


def no_check_for_lost_requests() -> None:
    from trpo_repro.runner import signals

    signals.Requests.check = lambda self: None  # type: ignore[method-assign]


def no_end_at_the_second_signal() -> None:
    from trpo_repro.runner import signals

    signals.os = SimpleNamespace(**{**vars(os), "_exit": lambda code: None})  # type: ignore[assignment]


def no_comparison_of_settings() -> None:
    from trpo_repro.runner import loop

    loop.check_same_science = lambda *args: None


def no_comparison_of_machines() -> None:
    from trpo_repro.runner import loop

    loop.machine_changes = lambda *args: []


def no_guard_of_imports() -> None:
    from trpo_repro.runner import evaluation

    evaluation._refuse_imports = lambda *args: None


def no_range_check() -> None:
    from trpo_repro import checking

    checking.Range.problem = lambda self, value: None  # type: ignore[method-assign]


if guard := os.environ.get("BROKEN_GUARD"):
    globals()[guard]()
