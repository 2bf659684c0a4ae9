"""`trpo-repro`: one command is run, and what a failure looks like.

Nothing heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from importlib import import_module

from trpo_repro.cli import streams
from trpo_repro.cli.arguments import parser
from trpo_repro.errors import DiskError, TrpoError
from trpo_repro.memory import without_garbage_search
from trpo_repro.runner.signals import CTRL_C, leave_on_signals

TRAINING = ("run", "sweep")
"""What may be asked to stop and be continued."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    # An interpreter that ends looks for garbage among all that torch has made.
    atexit.register(gc.freeze)
    try:
        words = sys.argv[1:] if arguments is None else list(arguments)
        command = next((word for word in words if not word.startswith("-")), "")
        with leave_on_signals() if command in TRAINING else nullcontext():
            code = _answer(words)
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be what went away
            sys.stdout.flush()
        # An interpreter that ends waits for its pools; their forks end when this process does.
        os._exit(CTRL_C)
    sys.exit(code)


def _answer(words: list[str]) -> int:
    """Do what the words say; return the exit code."""
    streams.prepare()
    top = parser()
    _complete(top)
    options = _parse(top, words)
    if options.command is None:
        top.print_help()
        return 0
    return _run(options)


def _run(options: argparse.Namespace) -> int:
    """Run the chosen command; return its exit code."""
    try:
        with without_garbage_search():
            module = import_module(f"trpo_repro.cli.{options.command}")
        command: Callable[[argparse.Namespace], int] = module.main
        code = command(options)
        sys.stdout.flush()
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        known = error if isinstance(error, TrpoError) else _unforeseen(error)
        print(f"error: {known}", file=sys.stderr)
        return known.exit_code
    return code


def _unforeseen(error: Exception) -> TrpoError:
    """Return the one line for an error that no code expected."""
    what = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(":")
    kind = DiskError if isinstance(error, OSError) else TrpoError
    return kind(what, fix="--debug shows where it comes from")


def _parse(top: argparse.ArgumentParser, words: list[str]) -> argparse.Namespace:
    """Parse the words, wherever the options stand among a command's overrides."""
    options, rest = top.parse_known_args(words)
    # argparse takes positional words only up to the next option: `run task=hopper -m seed=0,1`.
    if rest and "overrides" in options and not any(word.startswith("-") for word in rest):
        options.overrides += rest
    elif rest:
        top.prog = f"{top.prog} {options.command}"  # whose help tells
        top.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _complete(top: argparse.ArgumentParser) -> None:
    """Answer the shell's completion request, if this is one."""
    if "_ARGCOMPLETE" in os.environ:
        from trpo_repro.cli.completion import answer

        answer(top)
