"""`trpo-repro bench`: speed as ratios, measured in one run on one machine."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from trpo_repro.bench import sb3
from trpo_repro.bench.measure import (
    Bench,
    Measurement,
    memory,
    products_against_gradient,
    start_up,
)
from trpo_repro.cli.compose import run_config
from trpo_repro.parallel import available_cores
from trpo_repro.runner.provenance import cpu_model, git_commit

Plan = dict[str, Callable[[], list[Measurement]]]


def main(options: argparse.Namespace) -> int:
    """Measure, print, and return 0: a slow machine is no error."""
    console = Console(stderr=True)
    rows = []
    for name, measure in plan(quick=options.quick).items():
        if options.only and options.only not in name:
            continue
        if name == "sb3" and not sb3.available():
            console.print("sb3: not measured; pip install 'trpo-repro[bench]'", highlight=False)
            continue
        with console.status(f"measuring {name}"):
            rows += measure()
    if options.json:
        machine = {"cpu": cpu_model(), "cores": available_cores(), "git_commit": git_commit()}
        found = [{**dataclasses.asdict(row), "met": row.met} for row in rows]
        print(json.dumps({**machine, "quick": options.quick, "measurements": found}, indent=2))
    else:
        Console().print(table(rows))
    return 0


def plan(*, quick: bool) -> Plan:
    """Return the measurements by name."""
    large, small = (60_000, 10_000) if quick else (1_000_000, 50_000)
    bench = Bench(run_config, Path("results"), repeats=1 if quick else 3, paper_steps=large)

    def robots(names: str, steps: int, **targets: float) -> Callable[[], list[Measurement]]:
        spelled = {name.replace("_", " "): target for name, target in targets.items()}
        return lambda: [
            row for name in names.split() for row in bench.sampling(name, steps, spelled)
        ]

    return {
        "start": start_up,
        "memory": lambda: memory(large),
        "products": lambda: products_against_gradient(large // 2, 2 if quick else 5),
        "bench scale": robots("swimmer hopper walker", small, sampling=0.75),
        "paper scale": robots("hopper walker", large, sampling=0.90, end_to_end=0.80),
        "algorithms": bench.other_algorithms,
        "sb3": lambda: sb3.against_sb3(run_config),
    }


def table(rows: list[Measurement]) -> Table:
    """Return the measurements as a table."""
    result = Table(box=SIMPLE)
    for column in ("what", "measured", "against", "ratio", "target", "met", "how"):
        result.add_column(column, justify="left" if column in ("what", "met", "how") else "right")
    for row in rows:
        reference = "" if row.reference is None else f"{row.reference:,.4g}"
        target = f"{'≤' if row.at_most else '≥'} {row.target:g}"
        measured = f"{row.value:,.4g} {row.unit}"
        met = "yes" if row.met else "no"
        result.add_row(row.name, measured, reference, f"{row.ratio:.2f}", target, met, row.note)
    return result
