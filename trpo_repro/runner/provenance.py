"""Where a result comes from: versions, commit, machine."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import trpo_repro
from trpo_repro.config import RunConfig
from trpo_repro.parallel import available_cores

PACKAGES = ("torch", "numpy", "mujoco", "gymnasium", "ale-py", "hydra-core")


def provenance(config: RunConfig) -> dict[str, Any]:
    """Return versions, git commit, CPU, device and threads, as JSON."""
    return {
        "trpo_repro": trpo_repro.__version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "packages": {name: package_version(name) for name in PACKAGES},
        "cpu": cpu_model(),
        "device": device_name(config.device),
        "threads": config.threads or available_cores(),
        "cores": available_cores(),
    }


def package_version(name: str) -> str | None:
    """Return the installed version of `name`, or None."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def git_commit() -> str | None:
    """Return the commit of the checkout that this code runs from.

    A `+` behind it says that the code or its settings were edited since; what a run changes below
    `results/` is no edit.
    """
    source = Path(trpo_repro.__file__).parent
    # No optional locks: a training run must never get in the way of somebody's commit.
    git = ["git", "--no-optional-locks", "-C", str(source)]
    describe = [*git, "describe", "--always", "--abbrev=12"]
    try:
        tracked = [*git, "ls-files", "--error-unmatch", "__init__.py"]
        subprocess.run(tracked, capture_output=True, check=True)
        commit = subprocess.run(describe, capture_output=True, text=True, check=True).stdout.strip()
        changes = [*git, "diff", "--quiet", "HEAD", "--", ".", "../conf"]
        edited = subprocess.run(changes, capture_output=True, check=False).returncode != 0
    except (OSError, subprocess.CalledProcessError):
        return None  # an installed package has no commit; its version stands beside this
    return commit + "+" * edited


def cpu_model() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def device_name(device: str) -> str:
    """Return where the update is computed, with the name of a GPU."""
    if device == "cpu":
        return device
    import torch

    return f"{device}, {torch.cuda.get_device_name()}"
