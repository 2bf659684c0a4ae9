"""One run from its folder's creation to its last row: it resumes, logs, saves and stops."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

from trpo_repro.config import RunConfig, plain
from trpo_repro.errors import CheckpointError, DiskError, TrpoError
from trpo_repro.memory import without_garbage_search
from trpo_repro.ranks import ALONE, Ranks
from trpo_repro.runner import tensorboard
from trpo_repro.runner.agreement import agreed_beginning
from trpo_repro.runner.checkpoint import Checkpoint, newest_checkpoint, save_checkpoint
from trpo_repro.runner.continuity import (
    check_same_science,
    machine_changes,
    told_by,
    with_history,
)
from trpo_repro.runner.progress import ProgressFile, cut_back
from trpo_repro.runner.provenance import provenance
from trpo_repro.runner.run_folder import (
    RunFolder,
    remove_temporaries,
    write_atomically,
    write_json,
)
from trpo_repro.runner.signals import Requests, StopRequested, stop_on_signals
from trpo_repro.runner.state import already_complete
from trpo_repro.runner.training import advice_against_divergence, train
from trpo_repro.types import Algorithm, Row


class Reporter(Protocol):
    """Shows a run to a person."""

    def start(self, folder: RunFolder, done: int, *, total: int) -> None:
        """Training begins, or goes on, at iteration `done` of `total`."""

    def row(self, row: Row) -> None:
        """An iteration has ended."""

    def note(self, message: str) -> None:
        """Something is worth knowing."""

    def warn(self, message: str) -> None:
        """Something is odd, and was dealt with."""

    def finish(self, message: str) -> None:
        """Training has stopped."""


def execute(
    config: RunConfig, reporter: Reporter, *, restart: bool = False, ranks: Ranks = ALONE
) -> None:
    """Run `config` until it is done, from wherever its folder stands.

    Args:
        config: What to run.
        reporter: Shows it.
        restart: Keep the run's old folder aside and begin anew.
        ranks: The processes that run it together. Rank 0 alone reads and writes the folder.

    Raises:
        TrpoError: The run failed, or its folder cannot be used; said by the class.
        StopRequested: A signal came; the run is saved and can be continued.
    """
    with stop_on_signals() as requests:
        try:
            with without_garbage_search():
                from trpo_repro.runner.build import build_algorithm

            # What can fail for want of something fails here, before anything is written.
            writer = tensorboard.writer_class() if config.tensorboard and not ranks.rank else None
            algorithm = build_algorithm(config, ranks)
        except Exception:
            requests.check()  # compiled modules turn a request amid their import into ImportError
            raise
        with ranks.connected():
            if ranks.rank:
                _follow(config, algorithm, ranks=ranks)
                return
            folder = RunFolder.of(config)
            if not restart and already_complete(config):
                reporter.note(f"already complete: {folder.path}")
                agreed_beginning(config, Checkpoint(config.iterations, 0, 0.0, {}), ranks=ranks)
                return
            if restart and (aside := folder.move_aside()):
                reporter.note(f"the old run is kept in {aside}")
            folder.create()
            with folder.locked():
                _Run(config, folder, algorithm, reporter, writer, ranks, requests).execute()


def _follow(config: RunConfig, algorithm: Algorithm, *, ranks: Ranks) -> None:
    """Do this rank's share of the iterations of rank 0, which says where they begin."""
    begin = agreed_beginning(config, None, ranks=ranks)
    advice = advice_against_divergence(config)
    for _ in train(algorithm, begin, iterations=config.iterations, ranks=ranks, advice=advice):
        pass


@dataclass
class _Run:
    """One process's work on one run folder.

    Attributes:
        latest: The state after the last whole iteration.
        saved: The iterations of the newest checkpoint; -1 without one, for even the beginning is a
            state that a request to stop has to save.
        progress: The rows.
        before: What `config.json` said.
        provenance: Where the run is now.
    """

    config: RunConfig
    folder: RunFolder
    algorithm: Algorithm
    reporter: Reporter
    tensorboard: Callable[..., Any] | None
    ranks: Ranks
    requests: Requests
    latest: Checkpoint = field(init=False)
    saved: int = field(init=False)
    progress: ProgressFile = field(init=False)
    before: dict[str, Any] = field(init=False)
    provenance: dict[str, Any] = field(init=False)

    def execute(self) -> None:
        """Resume or begin, train, save."""
        self.latest = self._resume()
        agreed_beginning(self.config, self.latest, ranks=self.ranks)
        self._write_config()
        self._status("running")
        with closing(ProgressFile(self.folder.progress)) as self.progress:
            self.reporter.start(self.folder, self.latest.iterations, total=self.config.iterations)
            self._work()
        self.reporter.finish(f"done: {self.folder.path}")

    def _work(self) -> None:
        """Train to the end, to the request to stop, or to the failure, and save what there is."""
        try:
            self._train()
            self._save()
            self._status("done")
        except StopRequested:
            self._save()
            self._status("interrupted")
            done, total = self.latest.iterations, self.config.iterations
            self.reporter.finish(f"interrupted after {done} of {total} iterations; saved")
            raise
        except Exception as error:
            self._fail(error)
            raise

    def _resume(self) -> Checkpoint:
        """Return the newest checkpoint, or the beginning; cut the rows back to it."""
        self.before, warnings = told_by(self.folder.config)
        warnings += told_by(self.folder.status)[1]
        check_same_science(self.before, self.config, folder=self.folder)
        remove_temporaries(self.folder.path)
        found, damage = newest_checkpoint(
            self.folder.checkpoints, identity=self.config.identity(), seed=self.config.seed
        )
        warnings += damage
        self.provenance = provenance(self.config)
        if found:
            warnings += machine_changes(self.before, self.provenance)
        if found is None and self.folder.policy.exists():
            raise CheckpointError(
                "this run has a policy but no checkpoint to go on from",
                where=str(self.folder.path),
                fix="--restart keeps the folder aside and begins anew",
            )
        self.saved = found.iterations if found else -1
        begin = found or Checkpoint(0, 0, 0.0, self.algorithm.initial())
        warnings += cut_back(self.folder.progress, begin.iterations)
        for warning in warnings:
            self.reporter.warn(warning)
        return begin

    def _train(self) -> None:
        """Take iterations as they come: write the row, note the state, save now and then."""
        with self._board() as board:
            last_save = time.perf_counter()
            iterations, advice = self.config.iterations, advice_against_divergence(self.config)
            training = train(
                self.algorithm, self.latest, iterations=iterations, ranks=self.ranks, advice=advice
            )
            for row, state in training:
                with self.requests.after():
                    self.progress.append(row)
                    self.latest = state
                self.reporter.row(row)
                tensorboard.write_row(board, row)
                self.requests.check()
                if time.perf_counter() - last_save >= self.config.checkpoint_seconds:
                    self._save()
                    self._status("running")
                    last_save = time.perf_counter()

    def _save(self) -> None:
        """Save the state after the last whole iteration: rows first, then what counts on them."""
        if self.latest.iterations > self.saved:
            self.progress.sync()
            save_checkpoint(
                self.folder.checkpoints,
                self.latest,
                identity=self.config.identity(),
                seed=self.config.seed,
            )
            self.saved = self.latest.iterations
        self._write_policy()

    def _write_policy(self) -> None:
        """Write what acting needs, and nothing else."""
        from safetensors.numpy import save

        arrays = self.algorithm.policy(self.latest.arrays)
        write_atomically(self.folder.policy, save(arrays))

    def _fail(self, error: Exception) -> None:
        """Keep the last good state and say why there is no further one."""
        reason = str(error) if isinstance(error, TrpoError) else f"{type(error).__name__}: {error}"
        with suppress(DiskError):  # if the disk refuses this too, `error` is still what is said
            if not isinstance(error, DiskError):
                self._save()
            what = {"iteration": self.latest.iterations, "error": reason}
            write_json(self.folder.failure, what)
            self._status("failed", error=reason)
        self.reporter.finish(f"failed in iteration {self.latest.iterations}")

    def _write_config(self) -> None:
        """Write the resolved configuration and where it runs and ran before."""
        history = with_history(self.provenance, self.before, iterations=self.latest.iterations)
        write_json(self.folder.config, {**plain(self.config), "provenance": history})
        self.folder.failure.unlink(missing_ok=True)

    def _status(self, state: str, **more: Any) -> None:
        """Write where the run stands."""
        content = {
            "state": state,
            "iterations_done": self.latest.iterations,
            "iterations": self.config.iterations,
            "sim_steps": self.latest.sim_steps,
            "updated": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            **more,
        }
        write_json(self.folder.status, content)

    def _board(self) -> AbstractContextManager[Any]:
        """Return TensorBoard's writer, or nothing where it is not asked for."""
        if self.tensorboard is None:
            return nullcontext()
        # The steps from here on, should an earlier process have written some, are void.
        return closing(self.tensorboard(self.folder.tensorboard, purge_step=self.latest.iterations))
