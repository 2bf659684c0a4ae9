"""`trpo-repro video`: an episode of a trained policy as a small GIF."""

from __future__ import annotations

import argparse
import io
import itertools
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from trpo_repro.errors import ConfigError, DiskError, MissingDependency

FPS = 17.0  # of the picture, at most
SIZE = 160  # pixels of a robot's picture, each way
COLOURS = 64
PALETTE_FRAMES = 16
"""So many frames, evenly spaced, decide on the colours of all."""


def main(options: argparse.Namespace) -> int:
    """Play one episode, write its pictures, print the path."""
    complaint = _graphics()
    from trpo_repro.runner.evaluation import stored_config
    from trpo_repro.runner.run_folder import RunFolder, write_atomically
    from trpo_repro.runner.video import record
    from trpo_repro.settings import LocomotionTask

    folder = RunFolder(Path(options.run))
    config = stored_config(folder)
    if complaint and isinstance(config.task, LocomotionTask):
        raise complaint
    path = Path(options.output) if options.output else folder.path / "video.gif"
    if path.suffix.lower() != ".gif":
        raise ConfigError(f"a video is a GIF, not {path.name}", fix="let --output end in .gif")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        what = f"cannot make the picture's folder: {error.strerror}"
        raise DiskError(what, where=str(path.parent), fix="choose another --output") from error
    video = record(folder, config, seed=options.seed, greedy=options.greedy, size=SIZE)
    every = max(1, round(video.fps / FPS))
    shown = itertools.islice(video.frames, 0, round(options.seconds * video.fps), every)
    content = gif(shown, seconds=every / video.fps)
    write_atomically(path, content)
    print(f"{path} ({len(content) / 1e3:.0f} KB)")
    return 0


def gif(frames: Iterable[Any], *, seconds: float) -> bytes:
    """Return (height, width, 3) uint8 `frames`, each shown for so many seconds, as a GIF."""
    import numpy as np
    from PIL import Image

    taken = list(frames)
    # One palette for all, without dithering: what stands still then costs nothing.
    some = taken[:: -(-len(taken) // PALETTE_FRAMES)]
    palette = Image.fromarray(np.concatenate(some)).quantize(COLOURS)
    pages = [
        Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE)
        for frame in taken
    ]
    buffer = io.BytesIO()
    pages[0].save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=pages[1:],
        duration=round(seconds * 1000),
        loop=0,
    )
    return buffer.getvalue()


def _graphics() -> MissingDependency | None:
    """Choose how MuJoCo draws before it is imported; return why it cannot, if so."""
    wanted = os.environ.setdefault("MUJOCO_GL", "egl")
    try:
        import mujoco  # noqa: F401
    except Exception as error:  # whatever the driver's own complaint is
        os.environ["MUJOCO_GL"] = "disable"  # games do without
        return MissingDependency(
            f"nothing can be drawn without a screen: {' '.join(str(error).split())}",
            where=f"MUJOCO_GL={wanted}",
            fix="install EGL (Debian: libegl1), or set MUJOCO_GL=osmesa with libosmesa6",
        )
    return None
