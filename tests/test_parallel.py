"""Processes that sample: what they inherit, and what becomes of them."""

import multiprocessing
import os
import subprocess
import time

import numpy as np
import psutil
import pytest

from trpo_repro.errors import RunFailed
from trpo_repro.parallel import Forks
from trpo_repro.tasks import make_task

pytestmark = pytest.mark.skipif(not Forks.available(), reason="this system does not fork safely")


def hopper():
    return make_task(
        "hopper", horizon=100, timestep=0.004, frame_skip=4, integrator="implicitfast", threads=2
    )


def one_step(simulator):
    states = simulator.reset(30, np.random.default_rng(0))
    return simulator.step(states, np.zeros((30, 3), np.float32)).states


def test_forks_return_what_the_function_returns_in_order():
    forks = Forks(lambda number: (number**2, os.getpid()), 2)
    results = forks.map(range(20))
    assert [square for square, _ in results] == [number**2 for number in range(20)]
    assert os.getpid() not in {pid for _, pid in results}


def test_a_fork_may_drop_the_physics_threads_of_its_parent_and_have_its_own():
    kept = [hopper()]
    here = one_step(kept[0])  # this process has a pool of physics threads now

    def drop_and_step(item):
        kept.clear()
        return one_step(hopper())

    # Dropping a copy of the pool would wait for ever for threads that the fork does not have.
    there = Forks(drop_and_step, 2).map([0, 1])
    assert all(np.array_equal(here, states) for states in there)


def test_a_fork_that_dies_is_a_failed_run():
    def die(item):
        os._exit(3)

    with pytest.raises(RunFailed, match="a sampling process died"):
        Forks(die, 2).map([0, 1])


@pytest.mark.parametrize("victim", [0, 1])
def test_after_the_death_of_an_idle_fork_nothing_is_left_to_wait_for(victim):
    """One of them holds the lock of their queue while it waits: the other would wait for ever."""
    before = set(multiprocessing.active_children())
    forks = Forks(lambda number: number, 2)
    forks.map([0, 1])
    processes = sorted(set(multiprocessing.active_children()) - before, key=lambda p: p.pid)
    seen = [psutil.Process(process.pid) for process in processes]
    time.sleep(0.2)  # until both wait
    seen[victim].kill()
    # The pool's own thread may have collected them, of which `is_alive` here would not know.
    assert not psutil.wait_procs(seen, timeout=10)[1]
    with pytest.raises(RunFailed):
        forks.map([0, 1])


def test_a_sigterm_that_is_not_from_the_parent_leaves_a_fork_at_work():
    forks = Forks(lambda number: os.getpid(), 1)
    (fork,) = forks.map([0])
    subprocess.run(["kill", "-TERM", str(fork)], check=True)
    time.sleep(0.2)
    assert forks.map([0]) == [fork]
