"""Whether a run that goes on is still the same run, by what its folder says of how it began."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from trpo_repro.config import RunConfig
from trpo_repro.errors import CheckpointError
from trpo_repro.runner.run_folder import RunFolder, read_json
from trpo_repro.settings import later_settings

MOVES_BITS = ("cpu", "device", "git_commit", "packages", "python")
"""What of a provenance may move the last bits of a result. Threads do not, which is tested."""
REMEMBERED = 100  # earlier machines of a run, at most


def told_by(path: Path) -> tuple[dict[str, Any], list[str]]:
    """Return what a JSON file says, empty where there is none; and a warning where it is lost."""
    if not path.exists():
        return {}, []
    try:
        return read_json(path), []
    except CheckpointError as error:
        return {}, [f"{path.name} is damaged ({error.what}); it is written anew"]


def check_same_science(before: Mapping[str, Any], config: RunConfig, *, folder: RunFolder) -> None:
    """Refuse a folder that holds another configuration's run, or another seed's.

    Raises:
        CheckpointError: It names the settings that differ.
    """
    if not (differing := science_differences(before, config)):
        return
    raise CheckpointError(
        f"the folder holds another run: {differing}",
        where=str(folder.config),
        fix="--restart keeps the old folder aside and begins anew",
    )


def science_differences(before: Mapping[str, Any], config: RunConfig) -> str:
    """Say what decides results and is otherwise in a stored configuration; nothing if all is same.

    Args:
        before: What `config.json` says; empty where it says nothing.
        config: What is to run.
    """
    ours = {"seed": config.seed, **config.science()}
    theirs = {part: before[part] for part in ours if part in before}
    if isinstance(algo := theirs.get("algo"), Mapping):
        theirs["algo"] = {**later_settings(str(algo.get("name"))), **algo}
    if not before or theirs == ours:
        return ""
    return "; ".join(_differences(theirs, ours)) or "all settings"


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """Yield `algo.stepsize is 0.02 there, 0.01 here` for each setting that differs."""
    before, now = dict(_leaves(theirs)), dict(_leaves(ours))
    for key in sorted(before.keys() | now.keys()):
        there, here = (side.get(key, "not set") for side in (before, now))
        if there != here:
            yield f"{key} is {there} there, {here} here"


def _leaves(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def machine_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return a warning where a run goes on under what may move its last bits.

    What the earlier provenance does not name, as older versions wrote less, counts as unchanged.
    """
    then = before.get("provenance")
    if not isinstance(then, Mapping):
        return []
    changed = [key for key in MOVES_BITS if then.get(key, now[key]) != now[key]]
    if not changed:
        return []
    told = "; ".join(line for key in changed for line in _told(key, then.get(key), now=now[key]))
    return [f"the run goes on elsewhere than it began, so its last bits may differ: {told}"]


def _told(key: str, then: object, *, now: object) -> Iterator[str]:
    """Yield `torch was 2.12.0, is 2.13.0`."""
    if isinstance(then, Mapping) and isinstance(now, Mapping):
        for name in sorted(then.keys() | now.keys()):
            if then.get(name) != now.get(name):
                yield f"{name} was {then.get(name)}, is {now.get(name)}"
    else:
        yield f"{key} was {then}, is {now}"


def with_history(
    now: Mapping[str, Any], before: Mapping[str, Any], *, iterations: int
) -> dict[str, Any]:
    """Return the provenance with those before it, each with the iterations done until then."""
    then = before.get("provenance")
    if not isinstance(then, Mapping):
        return dict(now)
    found = then.get("earlier")
    earlier = found if isinstance(found, list) else []
    last = {key: value for key, value in then.items() if key != "earlier"}
    if last != dict(now) and iterations:
        earlier = [*earlier, {**last, "until": iterations}][-REMEMBERED:]
    return {**now, "earlier": earlier} if earlier else dict(now)
