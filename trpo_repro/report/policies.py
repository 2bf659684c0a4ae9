"""The sizes of stored policies, from the shapes of their arrays."""

from __future__ import annotations

import itertools
from pathlib import Path

from safetensors import safe_open

from trpo_repro.errors import CheckpointError
from trpo_repro.report.collection import AGAIN, comparison_folders
from trpo_repro.report.groups import TASK_ORDER
from trpo_repro.report.runs import read_json
from trpo_repro.report.stored_files import Kind

NAME = "policy.safetensors"


def _policies(results: Path) -> list[Path]:
    return sorted(path for folder in comparison_folders(results) for path in folder.rglob(NAME))


def _sizes(path: Path) -> dict[str, int]:
    """Return the sizes of a policy on the paper's robots or cart-pole; of another nothing.

    The number of actions, A, follows from that of parameters, P. With h_0 observations and layers
    of h_1 … h_k units, P = Σ (h_{i-1} + 1) h_i + (h_k + 1) A for the mean, and A for log σ.

    Raises:
        CheckpointError: Its arrays are not those of a policy, or not of this run's.
        OSError, SafetensorError: It cannot be read.
    """
    with safe_open(path, "np") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
    theta, seen = shapes.get("theta", []), shapes.get("observation_mean", [])
    if not len(theta) == len(seen) == 1:
        raise CheckpointError("its arrays are not those of a policy")
    hidden = _hidden_sizes(path.with_name("config.json"))
    if hidden is None:
        return {}
    sizes = [*seen, *hidden]
    inner = sum((a + 1) * b for a, b in itertools.pairwise(sizes))
    actions, rest = divmod(theta[0] - inner, sizes[-1] + 2)
    if rest or actions < 1:
        raise CheckpointError(f"its {theta[0]} parameters are not those of this run's policy")
    return {
        "state_space_dim": seen[0],
        "control_space_dim": actions,
        "total_num_policy_params": theta[0],
    }


def _hidden_sizes(path: Path) -> list[int] | None:
    """Return a run's layers; None where nobody can tell, or the sum is not that of its policy."""
    try:
        config = read_json(path)
        known = config["task"]["name"] in TASK_ORDER
        return [int(size) for size in config["policy"]["hidden_sizes"]] if known else None
    except (CheckpointError, OSError, KeyError, TypeError, ValueError):
        return None  # said of the run itself


POLICIES = Kind(find=_policies, read=_sizes, fix=lambda _: AGAIN)
"""What `run` keeps of a policy: its sizes, by the paper's names of them."""
