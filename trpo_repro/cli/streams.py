"""Standard output and standard error that stop no command, whoever reads them."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


def prepare() -> None:
    """Make printing safe: a stream or its reader may be gone, its encoding may lack characters."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller, as in `trpo-repro … >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            if isinstance(getattr(stream.buffer, "raw", stream.buffer), io.FileIO):
                setattr(sys, name, _patient(stream))


def _patient(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """Return a stream to the same file whose reader may leave."""
    return io.TextIOWrapper(
        io.BufferedWriter(_Unread(stream.fileno(), "wb", closefd=False)),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering or stream.write_through,
    )


class _Unread(io.FileIO):
    """A file that nobody may read to its end, as `head` does not.

    A command goes on all the same: to the files that it writes, and to its own exit code.
    """

    def write(self, content: ReadableBuffer, /) -> int:
        """Write `content`; after a failure everything goes nowhere.

        Raises:
            OSError: It failed, and not because the reader has left. This is raised once.
        """
        try:
            return super().write(content)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            if isinstance(error, BrokenPipeError):
                return memoryview(content).nbytes
            raise
