"""All the runs that are stored below some folders, and which of them go together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from trpo_repro.errors import CheckpointError, ConfigError
from trpo_repro.report.runs import UNREADABLE, StoredRun, read_run, stand_in

SCALES = ("bench", "paper")
"""What pictures and tables are of: each has runs of one."""
PAPER_SCALE = "paper_scale"
"""Where runs at the paper's sizes lie that had the machine to themselves, below the results."""
AGAIN = "train again, with run --restart"
SET_ASIDE = re.compile(r"\.old\d+$")  # what `run --restart` leaves beside the new run


@dataclass(frozen=True)
class Collection:
    """What was found below some folders.

    Attributes:
        runs: The runs, in order of task, algorithm, identity and seed. An unreadable one beside
            others of the same settings is among them, without rows.
        unreadable: The folders of which nobody knows what they are, and why.
    """

    runs: list[StoredRun]
    unreadable: dict[Path, str]

    @property
    def complaints(self) -> list[str]:
        """Return one line for each run that is unreadable, unfinished or damaged."""
        lost = [f"{path}: not shown: {why}; fix: {AGAIN}" for path, why in self.unreadable.items()]
        known = [run for run in self.runs if run.path not in self.unreadable]
        return lost + [f"{run.path}: {run.problem}" for run in known if run.problem]

    @property
    def scales(self) -> list[str]:
        """Return those of `SCALES` that there are runs of."""
        there = {run.config.get("scale") for run in self.runs}
        return [scale for scale in SCALES if scale in there]

    def at(self, scale: str) -> Collection:
        """Return the runs of one scale.

        Raises:
            ConfigError: There is none.
        """
        runs = [run for run in self.runs if run.config.get("scale") == scale]
        if not runs:
            others = "name another: --scale" if self.scales else "train one, or see them by curves"
            raise ConfigError(f"no run is of scale={scale}", fix=others)
        return Collection(runs, self.unreadable)


def collect(paths: Sequence[Path]) -> Collection:
    """Read all runs in and below `paths`.

    Raises:
        ConfigError: A path is no folder, or no run is below any of them.
        CheckpointError: Runs there are, but none can be read.
    """
    folders = _run_folders(paths)
    found = _read(folders)
    if not found.runs:
        folder, why = next(iter(found.unreadable.items()))
        raise CheckpointError(
            f"none of {len(folders)} runs can be read; the first: {folder}: {why}", fix=AGAIN
        )
    return found


def _read(folders: Sequence[Path]) -> Collection:
    """Return the runs in `folders`, in order."""
    runs, unreadable = list[StoredRun](), dict[Path, str]()
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except CheckpointError as error:
            unreadable[folder] = error.what
        except OSError as error:
            unreadable[folder] = f"{Path(error.filename or folder).name}: {error.strerror}"
    runs += _stand_ins(runs, unreadable)
    runs.sort(key=lambda run: (run.task, run.algorithm, run.identity, run.seed))
    return Collection(runs, unreadable)


def _stand_ins(runs: Sequence[StoredRun], unreadable: Mapping[Path, str]) -> list[StoredRun]:
    """Return what stands for each unreadable `seed…` that lies beside runs that can be read."""
    beside = {run.path.parent: run for run in runs}
    return [
        stand_in(beside[folder.parent], int(name[1]), state=UNREADABLE, problem=f"not shown: {why}")
        for folder, why in unreadable.items()
        if folder.parent in beside and (name := re.fullmatch(r"seed(\d+)", folder.name))
    ]


def without_copies(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Return the runs, each once: of those that lie twice the longer, or else the later."""
    once = dict[tuple[object, ...], StoredRun]()
    for run in runs:
        key = (run.config.get("scale"), run.task, run.algorithm, run.identity, run.seed)
        if key not in once or len(run.rows) >= len(once[key].rows):
            once[key] = run
    return list(once.values())


def suffix(scale: str) -> str:
    """Return what the files of a scale's pictures and tables end in: the usual one's in nothing."""
    return "" if scale == SCALES[0] else f"_{scale}"


def comparison_folders(results: Path) -> list[Path]:
    """Return the folders below `results` that hold runs of the comparison."""
    folders = [results / "runs", results / PAPER_SCALE / "runs"]
    return [folder for folder in folders if folder.is_dir()]


class Stored:
    """The runs below the results: each is read when it is first asked for, and once."""

    def __init__(self, results: Path) -> None:
        """Take the results' folder."""
        self.results = results
        self._parts = dict[str, Collection]()

    @cached_property
    def comparison(self) -> Collection:
        """Return all runs of the paper's comparison, each once (`without_copies`).

        Raises:
            ConfigError: There is none.
            CheckpointError: Runs there are, but none can be read.
        """
        found = collect(comparison_folders(self.results) or [self.results / "runs"])
        return Collection(without_copies(found.runs), found.unreadable)

    def part(self, name: str) -> Collection:
        """Return all runs of another part, such as `ablations`; there may be none."""
        if name not in self._parts:
            folder = self.results / name / "runs"
            found = _run_folders_below([folder]) if folder.is_dir() else []
            self._parts[name] = _read(found)
        return self._parts[name]


def _run_folders(paths: Sequence[Path]) -> list[Path]:
    """Return every run folder in and below `paths`, once.

    Raises:
        ConfigError: A path is no folder, or no run is below any of them.
    """
    if lost := [path for path in paths if not path.is_dir()]:
        fix = "name run folders, or their parents"
        raise ConfigError(f"there is no folder {lost[0]}", fix=fix)
    found = _run_folders_below(paths)
    if not found:
        raise ConfigError(
            f"no run is below {', '.join(map(str, paths))}", fix="train one: trpo-repro run task=…"
        )
    return found


def _run_folders_below(folders: Sequence[Path]) -> list[Path]:
    found: dict[Path, Path] = {}
    for top in folders:
        files = [*top.rglob("config.json"), *top.rglob("progress.csv")]
        for folder in sorted({file.parent for file in files}):
            if folder == top or not SET_ASIDE.search(folder.name):
                found.setdefault(folder.resolve(), folder)
    return list(found.values())
