"""What a machine needs, checked one thing at a time; each check returns one finding."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from trpo_repro.config import simulator_settings
from trpo_repro.parallel import available_cores
from trpo_repro.settings import GAMES, TaskConfig

if TYPE_CHECKING:  # what may be missing here is found by a check, not by an import
    from numpy.typing import NDArray

    from trpo_repro.types import Simulator, States

DISTRIBUTION = "trpo-repro"
OPTIONAL = {
    "tensorboard": ("tensorboard=true", "tensorboard"),
    "hydra-joblib-launcher": ("run -m hydra/launcher=joblib", "joblib"),
    "hydra-submitit-launcher": ("sweeps on SLURM", "slurm"),
    "hydra-ray-launcher": ("sweeps on Ray", "ray"),
    "sb3-contrib": ("bench's comparison with SB3-contrib", "bench"),
}
"""Packages that one feature needs: the feature, and the extra that brings them."""
SPACE_NEEDED = 200e6  # bytes: some runs of bench scale
STEPS = 5  # before and after the state that is saved and restored
GAME_STEPS = 40  # the same in a game, where little moves at first

RENDER = """
import mujoco
model = mujoco.MjModel.from_xml_string("<mujoco><worldbody><geom size='1'/></worldbody></mujoco>")
with mujoco.Renderer(model, 32, 32) as renderer:
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    renderer.update_scene(data)
    print(renderer.render().shape)
"""


@dataclass(frozen=True)
class Finding:
    """The result of one check.

    Attributes:
        status: `ok`, `missing` (`run` cannot do without it) or `note` (good to have).
        text: What was found.
        fix: What to do about it.
    """

    status: Literal["ok", "missing", "note"]
    text: str
    fix: str = ""


def finding_of(check: Callable[[], Finding]) -> Finding:
    """Run `check`; whatever it raises is its finding."""
    try:
        return check()
    except Exception as error:
        what = " ".join(f"{type(error).__name__}: {error}".split())
        return Finding("missing", what, "set up again, as the README says")


def python() -> Finding:
    """Check the interpreter's version."""
    version, wanted = platform.python_version(), _required_python()
    if version in wanted:
        return Finding("ok", version)
    return Finding("missing", f"{version}, needs {wanted}", "install such a Python")


def packages() -> Finding:
    """Check that every required package is there in a version that will do."""
    requirements = [Requirement(line) for line in metadata.requires(DISTRIBUTION) or []]
    required = [r for r in requirements if r.marker is None or r.marker.evaluate({"extra": ""})]
    wrong = [problem for r in required if (problem := _problem(r))]
    if wrong:
        return Finding("missing", "; ".join(wrong), "pip install -r requirements.lock")
    return Finding("ok", f"{len(required)} packages in versions that will do")


def optional_packages() -> Finding:
    """Name the features whose packages are not installed."""
    absent = [(name, *told) for name, told in OPTIONAL.items() if _version(name) is None]
    if not absent:
        return Finding("ok", ", ".join(OPTIONAL))
    text = "; ".join(f"no {name}, for {feature}" for name, feature, _ in absent)
    return Finding("note", text, f"pip install '{DISTRIBUTION}[{','.join(e for *_, e in absent)}]'")


def processor() -> Finding:
    """Say how many cores there are to use."""
    return Finding("ok", f"{available_cores()} cores for this process")


def torch_device() -> Finding:
    """Say what torch computes on; training holds it to one thread of its own a worker."""
    import torch

    version = f"torch {torch.__version__}, {torch.get_num_threads()} threads of its own"
    if torch.cuda.is_available():
        return Finding("ok", f"{version}, {torch.cuda.get_device_name()}")
    return Finding("note", f"{version}, no CUDA device: device=cpu, the default, is all there is")


def disk(folder: Path) -> Finding:
    """Check that results can be written, and how much room there is."""
    existing = next(p for p in [folder.absolute(), *folder.absolute().parents] if p.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:,.1f} GB free for {folder}/"
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        return Finding("missing", f"{folder} cannot be written", "choose another results_dir")
    if free < SPACE_NEEDED:
        return Finding("missing", text, "make room, or choose another results_dir")
    return Finding("ok", text)


def task(config: TaskConfig) -> Finding:
    """Check that a task's simulator steps, and that a restored state goes on exactly alike."""
    import numpy as np

    from trpo_repro.tasks import make_task

    simulator = make_task(config.name, **simulator_settings(config))
    rng = np.random.default_rng(0)
    size, sizes = simulator.actions.dimension, simulator.actions.sizes
    if simulator.actions.kind == "continuous":
        actions: NDArray[Any] = rng.uniform(-1, 1, (STEPS, 2, size))
    else:
        actions = rng.integers(sizes, size=(GAME_STEPS, 2, size))
    states, _ = _play(simulator, simulator.reset(2, rng), actions=actions)
    saved = simulator.copy(states)
    # What is saved goes on after others were played, some in the same emulator, to other ends.
    elsewhere = simulator.copy(states)
    _play(simulator, elsewhere, actions=actions[::-1])
    first, again = (_play(simulator, start, actions=actions)[1] for start in (states, saved))
    if not all(np.array_equal(a, b) for a, b in zip(first, again, strict=True)):
        return Finding("missing", "a restored state does not go on as the saved one did")
    return Finding("ok", f"{simulator.observation_size} numbers in, {size} out; restores exactly")


def _play(
    simulator: Simulator, states: States, *, actions: NDArray[Any]
) -> tuple[States, list[NDArray[Any]]]:
    """Return the states after (T, n, A) `actions`, and all that was seen on the way."""
    seen: list[NDArray[Any]] = []
    for action in actions:
        states, rewards, terminated = simulator.step(states, action)
        seen += [simulator.observe(states), rewards, terminated]
    return states, seen


def roms() -> Finding:
    """Check that the paper's seven games are there."""
    from ale_py import roms as shipped

    known = set(shipped.get_all_rom_ids())
    absent = [
        game
        for game in GAMES
        if game not in known or not Path(str(shipped.get_rom_path(game))).is_file()
    ]
    if absent:
        return Finding("note", f"no {', '.join(absent)}", "pip install --force-reinstall ale-py")
    return Finding("ok", f"the paper's {len(GAMES)} games")


def rendering() -> Finding:
    """Draw one picture without a screen, in a process of its own, as a driver may crash."""
    backend = os.environ.get("MUJOCO_GL", "egl")
    command = [sys.executable, "-c", RENDER]
    environment = {**os.environ, "MUJOCO_GL": backend}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    except subprocess.TimeoutExpired:
        return Finding("note", f"MUJOCO_GL={backend} hangs", "videos need another MUJOCO_GL")
    if done.returncode == 0:
        return Finding("ok", f"MUJOCO_GL={backend}")
    last = (done.stderr.strip() or f"exit {done.returncode}").splitlines()[-1]
    fix = "for videos install EGL (Debian: libegl1), or set MUJOCO_GL=osmesa"
    return Finding("note", f"MUJOCO_GL={backend} fails: {last}", fix)


def _required_python() -> SpecifierSet:
    return SpecifierSet(str(metadata.metadata(DISTRIBUTION)["Requires-Python"]))


def _problem(requirement: Requirement) -> str:
    """Return what is wrong with a package, if anything is."""
    version = _version(requirement.name)
    if version is None:
        return f"no {requirement.name}"
    if not requirement.specifier.contains(version, prereleases=True):
        return f"{requirement.name} {version}, needs {requirement.specifier}"
    return ""


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
