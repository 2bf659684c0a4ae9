"""One run in several processes, on one machine or many: who computes what, and what is exchanged.

`torchrun` starts the processes, torch.distributed connects them. Each rank simulates its share of
the groups of a batch and works on its share of the chunks of an update; the shares' results are
gathered by all and put together in the order in which one process would have made them. So sums
are added in the same order whatever the number of ranks, and that number moves no bit.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from trpo_repro import errors
from trpo_repro.errors import ConfigError, RunFailed, TrpoError

Item = TypeVar("Item")
Arrays = Mapping[str, NDArray[Any]]

ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
PATIENCE = 5.0  # seconds in which a rank that stops in good order has said so
SPINS = 1000  # looks at an exchange before the processor is left to others
PAUSE = 0.0005  # seconds between looks from then on


class Ranks:
    """The processes that share a run; by itself, the only one.

    Attributes:
        rank: This process's number, from 0.
        count: How many there are.
        local: How many of them are on this machine.
        silent: Whether another rank tells the user of the failure that ended this one.
        received: Bytes that came from other ranks.
        exchanging_s: Seconds spent exchanging, once all ranks were ready.
        waiting_s: Seconds spent until they were: those of the slowest rank.
    """

    def __init__(self, rank: int = 0, count: int = 1, *, local: int = 1) -> None:
        """Describe the process; `connected` makes the connection."""
        self.rank, self.count, self.local = rank, count, local
        self.silent = False
        self.received, self.exchanging_s, self.waiting_s = 0, 0.0, 0.0
        self._store: Any = None

    @staticmethod
    def of_environment() -> Ranks:
        """Return what torchrun's variables say; without them, one process."""
        if not all(name in os.environ for name in ENVIRONMENT):
            return Ranks()
        rank, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        return Ranks(rank, count, local=int(os.environ.get("LOCAL_WORLD_SIZE", "1")))

    @property
    def alone(self) -> bool:
        """Tell whether there is no other process."""
        return self.count == 1

    def must_be_alone(self) -> None:
        """Refuse to start a sweep once for every process."""
        if not self.alone:
            raise ConfigError(
                f"torchrun starts one run in several processes, not {self.count} sweeps",
                fix="take torchrun away, and choose a launcher: hydra/launcher=…",
            )

    def share(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the part of `items` that falls to this rank: neighbours, as many as others'."""
        total = len(items)
        return items[total * self.rank // self.count : total * (self.rank + 1) // self.count]

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Be in touch with the other ranks.

        Raises:
            TrpoError: Here or on another rank; those of another rank come as their own class.
        """
        if self.alone:
            yield
            return
        import torch.distributed as dist
        from torch.distributed.rendezvous import rendezvous

        # Not before: a process must fork its samplers while it has no other threads.
        self._store, rank, count = next(iter(rendezvous("env://")))
        dist.init_process_group("gloo", store=self._store, rank=rank, world_size=count)
        try:
            yield
        except Exception as error:
            self._announce(_told(error))
            raise
        except BaseException as stop:  # a signal, to all ranks or because one of them died
            self._announce("")
            if dead := self._missing():
                raise self._death(dead) from stop
            raise
        finally:
            self._read_no_more()
        dist.destroy_process_group()

    def gathered(self, compute: Callable[[], Arrays]) -> list[dict[str, NDArray[Any]]]:
        """Return what `compute` gives on each rank, in the order of the ranks.

        Raises:
            TrpoError: `compute` raised it, here or elsewhere; or a rank is gone.
        """
        if self.alone:
            return [dict(compute())]
        from safetensors.numpy import load, save

        failure: TrpoError | None = None
        try:
            content = save({k: np.asarray(v, order="C") for k, v in compute().items()})
        except TrpoError as error:
            failure, content = error, _told(error).encode()
        parts, failed = self._exchange(content, failure is not None)
        if failure is not None:
            raise failure
        for part, bad in zip(parts, failed, strict=True):
            if bad:
                raise self._learned(part.decode())
        return [load(part) for part in parts]

    def from_first(self, arrays: Arrays) -> dict[str, NDArray[Any]]:
        """Return rank 0's `arrays` on every rank."""
        if self.alone:
            return dict(arrays)
        return self.gathered(lambda: {} if self.rank else arrays)[0]

    def _exchange(self, content: bytes, failed: bool) -> tuple[list[bytes], list[bool]]:
        """Return every rank's `content`, and whether it says that the rank failed."""
        import torch
        import torch.distributed as dist

        began = time.perf_counter()
        header = torch.tensor([len(content), failed])
        headers = [torch.empty_like(header) for _ in range(self.count)]
        self._finish(dist.all_gather(headers, header, async_op=True))
        ready = time.perf_counter()
        lengths = [int(h[0]) for h in headers]
        mine = torch.zeros(max(lengths), dtype=torch.uint8)
        if content:
            mine[: len(content)] = torch.frombuffer(bytearray(content), dtype=torch.uint8)
        parts = [torch.empty_like(mine) for _ in range(self.count)]
        self._finish(dist.all_gather(parts, mine, async_op=True))
        found = [part[:n].numpy().tobytes() for part, n in zip(parts, lengths, strict=True)]
        self.received += sum(lengths) - len(content)
        self.waiting_s += ready - began
        self.exchanging_s += time.perf_counter() - ready
        return found, [bool(h[1]) for h in headers]

    def _finish(self, work: Any) -> None:
        """Wait for an exchange in a way that lets signals through."""
        looks = 0
        try:
            while not work.is_completed():
                looks += 1
                time.sleep(PAUSE if looks > SPINS else 0)
                if looks % SPINS == 0 and self._someone_left():
                    raise self._lost()
            work.wait()
        except RuntimeError as error:  # torch's, when the other end is gone
            raise self._lost() from error

    def _announce(self, text: str) -> None:
        """Tell the other ranks that this one stops, and why; "" for a signal."""
        with suppress(RuntimeError):  # nobody is left to read it
            self._store.set(f"left/{self.rank}", text)

    def _someone_left(self) -> bool:
        """Tell whether another rank has said that it stops: it will exchange nothing more."""
        others = [rank for rank in range(self.count) if rank != self.rank]
        return any(self._store.check([f"left/{rank}"]) for rank in others)

    def _missing(self) -> list[int]:
        """Return the ranks that have not said in time that they stop: they are dead."""
        deadline = time.monotonic() + PATIENCE
        try:
            while time.monotonic() < deadline:
                if self._store.check([f"left/{rank}" for rank in range(self.count)]):
                    return []
                time.sleep(0.05)
            return [r for r in range(self.count) if not self._store.check([f"left/{r}"])]
        except RuntimeError:  # the store is gone: torchrun keeps it, or else rank 0
            return [] if _store_outlives_rank_0() else [0]

    def _read_no_more(self) -> None:
        """Say that this rank reads nothing more; who keeps what is read waits for all to say so."""
        if _store_outlives_rank_0():
            return
        with suppress(RuntimeError):  # rank 0 died, and with it what it kept
            self._store.set(f"read/{self.rank}", "")
            deadline = time.monotonic() + (0 if self.rank else PATIENCE)
            while time.monotonic() < deadline:
                if self._store.check([f"read/{rank}" for rank in range(self.count)]):
                    return
                time.sleep(0.05)

    def _lost(self) -> TrpoError:
        """Return why the connection broke: a rank failed, was stopped, or died."""
        self._announce("")
        if dead := self._missing():
            return self._death(dead)
        with suppress(RuntimeError):
            for rank in range(self.count):
                if text := self._store.get(f"left/{rank}").decode():
                    return self._learned(text)
        self.silent = self.rank > 0
        time.sleep(PATIENCE)  # the signal that stopped the others is on its way here
        return RunFailed("the other processes of this run were stopped", fix="run it again")

    def _learned(self, text: str) -> TrpoError:
        """Return the error that another rank told of, to its user as well."""
        self.silent = True
        fields = json.loads(text)
        kind = getattr(errors, fields.pop("kind"), TrpoError)
        error: TrpoError = kind(fields.pop("what"), **fields)
        return error

    def _death(self, dead: list[int]) -> RunFailed:
        """Return what to say of ranks that vanished."""
        self.silent = self.rank != min(set(range(self.count)) - set(dead))
        return RunFailed(
            f"process {', '.join(map(str, dead))} of {self.count} died",
            where="killed, out of memory, or its machine is gone",
            fix="run the same again; it goes on from the last checkpoint",
        )


ALONE = Ranks()


def _store_outlives_rank_0() -> bool:
    """Tell whether torchrun keeps what the ranks tell each other; else rank 0 does."""
    return os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _told(error: Exception) -> str:
    """Return an error as text for other ranks."""
    if not isinstance(error, TrpoError):
        error = TrpoError(f"{type(error).__name__}: {error}")
    fields = {"what": error.what, "where": error.where, "fix": error.fix}
    return json.dumps({"kind": type(error).__name__, **fields})
