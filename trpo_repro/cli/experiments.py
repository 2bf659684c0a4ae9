"""Where configuration and experiment files are, which come with the program.

Nothing heavy is imported here: the shell's completion asks too.
"""

from __future__ import annotations

from pathlib import Path

import trpo_repro
from trpo_repro.checking import suggestion
from trpo_repro.errors import ConfigError

HERE = Path("experiments")


def shipped(name: str) -> Path:
    """Return a folder of ours: inside the installed package, or beside it in a checkout."""
    package = Path(trpo_repro.__file__).parent
    return package / name if (package / name).is_dir() else package.parent / name


def experiments() -> dict[str, Path]:
    """Return the experiment files by name, where one here goes before ours."""
    folders = (shipped(HERE.name), HERE)
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.yaml"))}


def experiment(name: str) -> Path:
    """Return the file of an experiment, given by its name or its path.

    Raises:
        ConfigError: There is none.
    """
    if name.endswith(".yaml"):
        if not Path(name).is_file():
            raise ConfigError("there is no such experiment file", where=name)
        return Path(name)
    known = experiments()
    if name not in known:
        raise ConfigError(
            f"unknown experiment {name!r}" + suggestion(name, known),
            where=f"looked in {HERE}/ here and in {shipped(HERE.name)}",
        )
    return known[name]
