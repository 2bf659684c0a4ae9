"""Completion in the shell: commands, options, and the settings of `run`, `sweep` and `list`.

To switch it on, put this into ~/.bashrc or ~/.zshrc:

    eval "$(register-python-argcomplete trpo-repro)"

Settings and their choices come from the typed configuration alone, so that nothing heavy is
imported between a press of the tab key and its answer.
"""

from __future__ import annotations

import argparse
import dataclasses
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import argcomplete
from argcomplete.completers import DirectoriesCompleter

from trpo_repro.checking import OneOf
from trpo_repro.cli.experiments import experiments
from trpo_repro.config import RunConfig
from trpo_repro.settings import ALGORITHM_CONFIGS, ALGORITHM_TASKS, TASK_CONFIGS, policy_config

LAUNCHERS = ("basic", "joblib", "submitit_local", "submitit_slurm", "ray")
DEFAULTS = {"task": "cartpole", "algo": "single_path"}


def answer(parser: argparse.ArgumentParser) -> None:
    """Answer the shell's question, which is in the environment, and exit."""
    completers = {
        "overrides": complete_override,
        "run": DirectoriesCompleter(),
        "runs": DirectoriesCompleter(),
        "name": complete_experiment,
    }
    for action in _actions(parser):
        if action.dest in completers:
            action.completer = completers[action.dest]  # type: ignore[attr-defined]
    # Options only after a dash: they would drown the settings.
    argcomplete.autocomplete(parser, always_complete_options=False)


def complete_override(prefix: str, parsed_args: argparse.Namespace, **_: object) -> list[str]:
    """Return the words that `prefix` may become, given those before it."""
    words = dict(word.split("=", 1) for word in parsed_args.overrides or [] if "=" in word)
    chosen = {key: words.get(key, default).split(",")[0] for key, default in DEFAULTS.items()}
    known = {"task": _tasks(words.get("algo")), "algo": _algorithms(words.get("task"))}
    known |= settings(chosen["task"], chosen["algo"])
    if getattr(parsed_args, "multirun", True):
        known["hydra/launcher"] = LAUNCHERS
    key, equals, value = prefix.partition("=")
    if not equals:
        return [f"{name}=" for name in known if name not in words]
    # A sweep takes several values: the last one is the one being typed.
    before, comma, _typed = value.rpartition(",")
    rest = [choice for choice in known.get(key, ()) if choice not in before.split(",")]
    return [f"{key}={before}{comma}{choice}" for choice in rest]


def complete_experiment(**_: object) -> list[str]:
    """Return the names of the experiment files, here and ours."""
    return sorted(experiments())


def settings(task: str, algo: str) -> dict[str, Sequence[str]]:
    """Return every setting of a run by its full name, with its choices where they are known."""
    groups = {"task": TASK_CONFIGS.get(task), "algo": ALGORITHM_CONFIGS.get(algo)}
    policy = policy_config(TASK_CONFIGS.get(task))
    found: dict[str, Sequence[str]] = {}
    for key, hint in _hints(RunConfig).items():
        group = policy if key == "policy" else groups.get(key, hint)
        if dataclasses.is_dataclass(group):
            inner = _hints(typing.cast(type[Any], group))
            found |= {f"{key}.{name}": _choices(own) for name, own in inner.items()}
        elif key not in groups:
            found[key] = _choices(hint)
    for key in groups:
        found.pop(f"{key}.name", None)  # task=… and algo=… choose it
    return found


def _hints(config: type[Any]) -> dict[str, Any]:
    return typing.get_type_hints(config, include_extras=True)


def _choices(hint: Any) -> Sequence[str]:
    """Return the words that a setting of this annotation may be, if they are few."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return ["null", *_choices(typing.get_args(hint)[0])]
    if typing.get_origin(hint) is Annotated:
        check = typing.get_args(hint)[1]
        return check.choices if isinstance(check, OneOf) else ()
    return ("true", "false") if hint is bool else ()


def _tasks(algorithms: str | None) -> Sequence[str]:
    """Return the tasks that an algorithm, if one was typed, can run on."""
    return ALGORITHM_TASKS.get((algorithms or "").split(",")[0], tuple(TASK_CONFIGS))


def _algorithms(tasks: str | None) -> Sequence[str]:
    """Return the algorithms that can run on a task, if one was typed."""
    task = (tasks or "").split(",")[0]
    return [name for name, own in ALGORITHM_TASKS.items() if not task or task in own]


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Return the actions of all commands."""
    found = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += [inner for command in action.choices.values() for inner in command._actions]
    return found
