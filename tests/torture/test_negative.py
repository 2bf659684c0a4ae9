"""Each guard broken in turn: the test of its fault must fail (`make torture-negative`).

A test that passes without the guard would prove nothing about it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from cli_helpers import environment

pytestmark = pytest.mark.negative
TESTS = Path(__file__).parent.parent

GUARDS = {
    "no_rng_derivation": "runner/test_resume.py"
    "::test_longer_run_of_a_finished_one_equals_the_long_run",
    "no_fsync": "runner/test_checkpoint.py"
    "::test_power_cut_at_any_moment_of_a_save_leaves_a_checkpoint",
    "no_rename": "runner/test_checkpoint.py"
    "::test_death_at_any_operation_of_a_save_leaves_the_old_or_the_new_checkpoint",
    "no_lock": "runner/test_run_folder.py::test_one_of_ten_processes_at_once_gets_the_folder",
    "no_second_look_at_the_lock": "runner/test_run_folder.py"
    "::test_lock_of_a_folder_that_was_moved_aside_is_no_lock",
    "no_checksum": "runner/test_checkpoint.py::test_any_flipped_bit_is_noticed",
    "no_seal": "runner/test_checkpoint.py::test_any_flipped_bit_is_noticed",
    "no_header_limit": "runner/test_untrusted.py"
    "::test_readers_keep_within_the_memory_that_they_are_given",
    "no_row_cut": "runner/test_resume.py::test_garbage_in_the_rows_is_cut_off_and_computed_again",
    "no_finite_check": "runner/test_failures.py"
    "::test_run_that_diverges_later_keeps_its_last_good_state",
    "no_trust_region": "runner/test_resume.py::test_accepted_step_never_leaves_the_trust_region",
    "no_check_for_lost_requests": "runner/test_signals.py"
    "::test_request_that_python_swallows_stops_the_run_after_its_iteration",
    "no_end_at_the_second_signal": "runner/test_resume.py"
    "::test_second_signal_ends_the_process_at_once",
    "no_comparison_of_settings": "runner/test_continuity.py"
    "::test_folder_of_another_algorithm_is_refused",
    "no_comparison_of_machines": "runner/test_continuity.py"
    "::test_another_machine_is_warned_of_and_recorded",
    "no_guard_of_imports": "runner/test_untrusted.py"
    "::test_environment_of_a_strangers_module_is_not_imported",
    "no_range_check": "test_config.py::test_wrong_value_is_refused_with_the_key_and_what_it_wants",
}


def outcome_without(guard: str, test: str) -> tuple[int, str]:
    """Run `test` without `guard`; return pytest's exit code (1: tests failed) and its output."""
    options = ["-n", "0", "-x", "-p", "torture.broken", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(TESTS / test)],
        cwd=TESTS.parent,
        env=environment(BROKEN_GUARD=guard, PYTHONPATH=f"{TESTS}:{environment()['PYTHONPATH']}"),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("guard", GUARDS)
def test_without_its_guard_the_fault_is_seen(guard: str) -> None:
    code, said = outcome_without(guard, GUARDS[guard])
    assert code == 1, said[-2000:]  # not 0, and not an error of pytest's own
    assert "failed" in said or "FAILED" in said


def test_with_all_guards_the_same_tests_pass() -> None:
    options = ["-n", "0", "-p", "no:cacheprovider"]
    tests = [str(TESTS / test) for test in sorted(set(GUARDS.values()))]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=TESTS.parent,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:]
