"""The ways in which a command ends badly: one class per cause, each with its exit code.

Every message reads `what (where); fix: what to do`.
"""

from __future__ import annotations


class TrpoError(Exception):
    """Base of every error that is shown to the user as one line."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        """Compose the message.

        Args:
            what: What happened.
            where: The file, key or component that it happened to.
            fix: What the user can do about it.
        """
        self.what, self.where, self.fix = what, where, fix
        message = what
        if where:
            message += f" ({where})"
        if fix:
            message += f"; fix: {fix}"
        super().__init__(message)


class RunFailed(TrpoError):
    """The computation itself failed, or a run of a sweep did."""

    exit_code = 1


class ConfigError(TrpoError):
    """The command line or the configuration makes no sense."""

    exit_code = 2


class CheckpointError(TrpoError):
    """A checkpoint or another stored file cannot be used."""

    exit_code = 3


class MissingDependency(TrpoError):
    """A package, ROM or driver that the command needs is not there."""

    exit_code = 4


class DiskError(TrpoError):
    """The disk refused to read or write."""

    exit_code = 5


class FolderInUse(TrpoError):
    """Another process is writing the same run folder."""

    exit_code = 6


class SimulationDiverged(RunFailed):
    """A reward, observation or state is not a finite number."""
