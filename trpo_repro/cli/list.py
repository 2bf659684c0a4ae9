"""`trpo-repro list`: tasks, algorithms and scales; or every setting of one run."""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

from omegaconf import OmegaConf
from rich.console import Console
from rich.table import Table

from trpo_repro.cli.comments import comments, headline
from trpo_repro.cli.compose import config_folder, run_config
from trpo_repro.config import RunConfig, plain, simulator_settings
from trpo_repro.policies.convolutions import layer_sizes
from trpo_repro.runner.run_folder import RunFolder
from trpo_repro.runner.sizes import convolutions
from trpo_repro.settings import ALGORITHM_TASKS, GAMES, TASK_CONFIGS, PixelPolicyConfig
from trpo_repro.tasks import make_task
from trpo_repro.types import ActionSpace

PAPER_PARAMETERS = {"cartpole": 6, "swimmer": 364, "hopper": 4806, "walker": 8206}
PAPER_PARAMETERS |= dict.fromkeys(GAMES, 33_500)
"""Numbers of policy parameters in the paper: Tables 2 and 3, and Sec. 8.1 for cart-pole."""
NUMBERS = ("obs.", "act.", "horizon", "params", "paper")


def main(options: argparse.Namespace) -> int:
    """Show what there is, or with overrides the settings that they make."""
    console = Console(highlight=False, markup=False)
    if options.overrides:
        _show_settings(console, run_config(options.overrides, several="name one"))
    else:
        _show_choices(console)
    return 0


def _show_choices(console: Console) -> None:
    """Print the tables of tasks, algorithms and scales."""
    default = run_config([])
    tasks = _table("task=", "what it is", *NUMBERS)
    for name in TASK_CONFIGS:
        tasks.add_row(name, headline("task", name), *_task_sizes(name))
    _say(console, "Tasks, their sizes, and the paper's number of parameters (Table 2)", table=tasks)
    algorithms = _table("algo=", "what it is", "tasks")
    for name, possible in ALGORITHM_TASKS.items():
        everywhere = set(possible) >= set(TASK_CONFIGS)
        where = "all" if everywhere else ", ".join(possible)
        algorithms.add_row(name, headline("algo", name), where)
    _say(console, "Algorithms, and the tasks that they run on", table=algorithms)
    scales = {name: _scales(name) for name in TASK_CONFIGS}
    columns = list(dict.fromkeys(itertools.chain(*scales.values())))
    sizes = _table("task=", *(f"scale={column}" for column in columns))
    for name, own in scales.items():
        sizes.add_row(name, *(own.get(column, "-") for column in columns))
    _say(console, "Scales: simulated steps an iteration × iterations", table=sizes)
    print(
        f"Defaults: task={default.task.name} algo={default.algo.name} scale={default.scale}.\n"
        "Every setting of a run: trpo-repro list task=hopper algo=single_path"
    )


def _task_sizes(name: str) -> list[str]:
    """Return observation, action, horizon, parameters and the paper's parameters as cells."""
    config = run_config([f"task={name}"])
    simulator = make_task(config.task.name, **simulator_settings(config.task))
    ours = parameter_count(config, simulator.observation_size, actions=simulator.actions)
    numbers = [simulator.observation_size, simulator.actions.dimension, simulator.horizon, ours]
    return [*map(str, numbers), str(PAPER_PARAMETERS.get(name, "-"))]


def parameter_count(config: RunConfig, observation_size: int, *, actions: ActionSpace) -> int:
    """Return the policy's number of parameters, without waiting for torch to be imported."""
    outputs = actions.dimension if actions.kind == "continuous" else sum(actions.sizes)
    if isinstance(config.policy, PixelPolicyConfig):
        shapes = convolutions(config.policy).weight_shapes(config.policy.hidden_sizes, outputs)
        return sum(layer_sizes(shapes))
    widths = [observation_size, *config.policy.hidden_sizes, outputs]
    weights = sum((inputs + 1) * units for inputs, units in itertools.pairwise(widths))
    return weights + (actions.dimension if actions.kind == "continuous" else 0)


def layout(policy: PixelPolicyConfig, actions: ActionSpace) -> Iterator[tuple[str, int]]:
    """Yield each layer of the network of Fig. 3 (right) in words, with its parameters."""
    before = convolutions(policy)
    shapes = before.weight_shapes(policy.hidden_sizes, sum(actions.sizes))
    images, names = before.images(), [f"{units} units" for units in policy.hidden_sizes]
    names.append(" + ".join(map(str, actions.sizes)) + " logits")
    kernel, stride = policy.kernel_size, policy.stride
    for shape, size in zip(shapes, layer_sizes(shapes), strict=True):
        if len(shape) == 2:
            yield names.pop(0), size
        else:
            image = " × ".join(map(str, images.pop(0)))
            yield f"{image}: {shape[0]} filters of {kernel} × {kernel}, stride {stride}", size


def _show_layout(console: Console, config: RunConfig, *, policy: PixelPolicyConfig) -> None:
    """Print the convolutional network, layer by layer."""
    simulator = make_task(config.task.name, **simulator_settings(config.task))
    table = _table("layer", "params")
    layers = list(layout(policy, simulator.actions))
    for name, size in layers:
        table.add_row(name, f"{size:,}")
    table.add_row("together", f"{sum(size for _, size in layers):,}")
    _say(console, "Policy network (Fig. 3), rectifiers between its layers", table=table)


def _scales(task: str) -> dict[str, str]:
    """Return what each scale means for `task`."""
    sizes = OmegaConf.load(config_folder() / "task" / f"{task}.yaml").task.sizes
    return {
        str(scale): f"{own.steps_per_iter:,} × {own.iterations}" for scale, own in sizes.items()
    }


def _show_settings(console: Console, config: RunConfig) -> None:
    """Print every setting with its value and its comment, groups apart."""
    said = comments(config.task.name, config.algo.name)
    table = _table("setting", "meaning")
    previous = ""
    for key, value in settings(plain(config)):
        group = key.rpartition(".")[0]
        if group != previous:
            table.add_row()
        previous = group
        table.add_row(f"{key}={value}", said.get(key, ""))
    _say(console, f"trpo-repro run task={config.task.name} algo={config.algo.name} …", table=table)
    if isinstance(config.policy, PixelPolicyConfig):
        _show_layout(console, config, policy=config.policy)
    print(f"Stored in {RunFolder.of(config).path}")


def settings(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield full name and value of every setting, as the command line would take them."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from settings(value, f"{prefix}{key}.")
        elif key != "name":  # task=… and algo=… choose it
            text = json.dumps(value, separators=(",", ":"))
            yield prefix + key, value if isinstance(value, str) else text


def _table(*columns: str) -> Table:
    """Return an empty table without lines, numbers to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        numeric = column in NUMBERS or column.startswith("scale=")
        first = column == columns[0]
        table.add_column(
            column,
            justify="right" if numeric else "left",
            no_wrap=first,
            style="cyan" if first else "",
        )
    return table


def _say(console: Console, title: str, *, table: Table) -> None:
    """Print `table` below its title, without the blanks that would fill up its lines."""
    with console.capture() as captured:
        console.print(title, style="bold underline")
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()), end="\n\n")
