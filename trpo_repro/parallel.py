"""Threads over chunks of work, with results that do not depend on how many there are."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, get_type_hints

from trpo_repro.errors import RunFailed
from trpo_repro.ranks import ALONE, Ranks

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

Item = TypeVar("Item")
Result = TypeVar("Result")


Joined = TypeVar("Joined", bound="Joinable[Any]")


class Joinable(Protocol[Joined]):
    """A dataclass of arrays, or of such dataclasses; those of several groups can be joined."""

    def __init__(self, **columns: Any) -> None:
        """Take the arrays by name."""

    @staticmethod
    def concatenate(parts: list[Joined]) -> Joined:
        """Join the parts, in order."""


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Workers:
    """A fixed set of Python threads, each of which works on one chunk at a time.

    NumPy, torch and MuJoCo release the interpreter lock while they compute. Chunks are cut
    without regard to the number of threads and results come back in order, so the number of
    threads moves no bit. torch itself is held to one thread: its own would compete for the
    same cores, and would let their number decide the order of sums.
    """

    def __init__(self, threads: int, ranks: Ranks = ALONE) -> None:
        """Start `threads` threads (none when 1: the caller's own is enough).

        Args:
            threads: Of this process.
            ranks: The processes that chunks are shared out to.
        """
        # Here, so that asking for `available_cores` does not cost torch's start.
        import torch
        from threadpoolctl import threadpool_limits

        torch.set_num_threads(1)
        # NumPy's own: its threads would fight ours, and their number would move bits.
        threadpool_limits(limits=1, user_api="blas")
        self.threads, self.ranks = threads, ranks
        # In every thread anew: OpenMP keeps the number for each of them, and its idle threads
        # would spin on the cores that the others work on.
        self._pool = (
            ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
            if threads > 1
            else None
        )

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
        """Return `[function(item) for item in items]`, computed side by side."""
        if self._pool is None:
            return [function(item) for item in items]
        return list(self._pool.map(function, items))

    def gather(
        self, function: Callable[[Item], NDArray[Any]], mine: Sequence[Item]
    ) -> list[NDArray[Any]]:
        """Return `function` of every rank's items, in order.

        Args:
            function: Gives an array.
            mine: What `ranks.share` left to this rank.
        """
        if self.ranks.alone:
            return self.map(function, mine)

        def part() -> dict[str, NDArray[Any]]:
            return {f"{n:08d}": array for n, array in enumerate(self.map(function, mine))}

        return [found[name] for found in self.ranks.gathered(part) for name in sorted(found)]

    def collect(
        self,
        kind: type[Joined],
        run: Callable[[Sequence[Item]], list[Joined]],
        *,
        tasks: Sequence[Item],
    ) -> Joined:
        """Return what `run` makes of all `tasks`, joined; each rank runs its share of them.

        Args:
            kind: A dataclass of arrays. Arrays of objects stay with the rank that made them.
            run: Tasks to their results.
            tasks: Of all ranks.
        """
        if self.ranks.alone:
            joined: Joined = kind.concatenate(run(tasks))
            return joined

        def part() -> dict[str, NDArray[Any]]:
            share = self.ranks.share(tasks)
            return columns(kind.concatenate(run(share))) if share else {}

        parts = [record(kind, found) for found in self.ranks.gathered(part) if found]
        everything: Joined = kind.concatenate(parts)
        return everything

    def sum(self, function: Callable[[Item], Tensor], mine: Sequence[Item]) -> Tensor:
        """Return the sum of `function` over every rank's items, added in order.

        Args:
            function: Gives a tensor; all of one shape.
            mine: What `ranks.share` left to this rank.
        """
        import torch

        if self.ranks.alone:
            return torch.stack(self.map(function, mine)).sum(dim=0)
        parts = self.gather(lambda item: function(item).cpu().numpy(), mine)
        return torch.stack([torch.from_numpy(part) for part in parts]).sum(dim=0)


def columns(joined: Any) -> dict[str, NDArray[Any]]:
    """Return a dataclass's arrays by name, `a.b` where it has others in it; none of objects."""
    found: dict[str, NDArray[Any]] = {}
    for name, value in vars(joined).items():
        if dataclasses.is_dataclass(value):
            found |= {f"{name}.{inner}": array for inner, array in columns(value).items()}
        elif value is not None and value.dtype != object:
            found[name] = value
    return found


def record(kind: type[Any], arrays: Mapping[str, NDArray[Any]]) -> Any:
    """Return the dataclass that `columns` took apart."""
    parts: dict[str, Any] = {name: array for name, array in arrays.items() if "." not in name}
    for name in {name.split(".")[0] for name in arrays if "." in name}:
        start = f"{name}."
        inner = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
        parts[name] = record(get_type_hints(kind)[name], inner)
    return kind(**parts)


class Forks(Generic[Item, Result]):
    """Copies of this process that compute `function(item)` for whatever items they are sent.

    For work in small steps: threads would hand Python's interpreter lock to and fro at each of
    them, which for two threads costs a third of the speed. A fork inherits `function` as it is, so
    only items and results are sent. It ends when this process does, however that ends.
    """

    @staticmethod
    def available() -> bool:
        """Tell whether the system forks safely: Linux does."""
        return sys.platform == "linux"

    def __init__(self, function: Callable[[Item], Result], count: int) -> None:
        """Fork `count` copies now, before this process starts threads of its own."""
        self._pool = ProcessPoolExecutor(
            count,
            mp_context=multiprocessing.get_context("fork"),
            initializer=_become_fork,
            initargs=(function, os.getpid()),
        )
        self._pool.submit(os.getpid).result()

    def map(self, items: Iterable[Item]) -> list[Result]:
        """Return `[function(item) for item in items]`, computed side by side.

        Raises:
            RunFailed: A copy died.
        """
        try:
            return list(self._pool.map(_call, items))
        except BrokenProcessPool as error:
            raise RunFailed(
                "a sampling process died", where="killed, or out of memory", fix="run it again"
            ) from error


_function: Callable[[Any], Any] | None = None


def _become_fork(function: Callable[[Any], Any], parent: int) -> None:
    """Prepare a fork: signals are its parent's business, and it does not outlive it.

    A SIGTERM that all of a job get is ignored as well, but one from the parent is from its pool,
    which ends the others so when a fork has died, and waits for them.
    """
    global _function
    _function = function
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # in the threads to come as well

    def watch() -> None:
        while os.getppid() == parent:
            received = signal.sigtimedwait({signal.SIGTERM}, 0.5)
            if received is not None and received.si_pid == parent:
                break
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _call(item: Any) -> Any:
    assert _function is not None
    return _function(item)
