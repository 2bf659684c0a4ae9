"""`trpo-repro figures`: the pictures of the paper's comparison, from stored results alone."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trpo_repro.cli.ablations import write_pictures
from trpo_repro.cli.output import refuse_if_strict, warn, write_files
from trpo_repro.errors import ConfigError
from trpo_repro.report import figure4, figure5, stepsizes, stored_files
from trpo_repro.report.choice import Choice, choices, lacking
from trpo_repro.report.collection import SCALES, Collection, Stored, suffix
from trpo_repro.report.evaluations import RANDOM_GAMES
from trpo_repro.report.games import PROTOCOLS, is_game
from trpo_repro.report.picture import Picture, files, sidecar
from trpo_repro.report.style import our_style
from trpo_repro.report.table1 import random_cells


def main(options: argparse.Namespace) -> int:
    """Draw every picture; print the paths of the files."""
    results = Path(options.results_dir)
    output = Path(options.output) if options.output else results / "figures"
    stored = Stored(results)
    compared = stored.comparison
    scales = [options.scale] if options.scale else compared.scales or SCALES[:1]
    at_scales = {scale: compared.at(scale) for scale in scales}
    losses = [line for found in at_scales.values() for line in found.complaints]
    complaints, contents = list[str](), list[dict[str, bytes]]()
    with our_style():
        for scale, found in at_scales.items():
            if any(run.complete and not is_game(run) for run in found.runs):
                contents += _figure4(found, results, scale=scale, complaints=complaints)
                losses += lacking(_of_robots(found))
            for protocol in PROTOCOLS:
                contents += _figure5(
                    found, results, scale=scale, protocol=protocol, complaints=complaints
                )
                losses += lacking(figure5.of_protocol(found.runs, protocol))
    losses += stored_files.complaints(results, [RANDOM_GAMES])
    warn(losses := list(dict.fromkeys(losses)))
    warn(dict.fromkeys(complaints))
    if not contents:
        raise ConfigError("no stored run is complete", fix="see trpo-repro status")
    for content in contents:
        write_files(output, content)
    warn(others := write_pictures(stored, output, scales=scales))
    refuse_if_strict(options.strict, losses + others)
    return 0


def _figure4(
    found: Collection, results: Path, *, scale: str, complaints: list[str]
) -> Iterator[dict[str, bytes]]:
    """Yield the files of the pictures of continuous tasks; add to `complaints`."""
    chosen = _of_robots(found)
    about = sidecar(chosen, results, scale=scale, unreadable=list(found.unreadable))
    pictures = {
        name + suffix(scale): figure4.draw(chosen, abscissa)
        for name, abscissa in figure4.ABSCISSAE.items()
    }
    if sweep := stepsizes.draw(chosen):
        pictures[f"stepsizes{suffix(scale)}"] = sweep
    elif scale == SCALES[0]:
        complaints.append("no stepsizes were swept: no picture of them")
    yield from _drawn(pictures, about, complaints=complaints)


def _of_robots(found: Collection) -> dict[str, list[Choice]]:
    """Return what is shown of every task that is no game."""
    return choices([run for run in found.runs if not is_game(run)])


def _figure5(
    found: Collection,
    results: Path,
    *,
    scale: str,
    protocol: str,
    complaints: list[str],
) -> Iterator[dict[str, bytes]]:
    """Yield the files of the pictures of the games, if any was played under `protocol`."""
    if not (chosen := figure5.of_protocol(found.runs, protocol)):
        return
    about = sidecar(chosen, results, scale=scale, unreadable=list(found.unreadable))
    own = "" if protocol == PROTOCOLS[0] else f"_{protocol}"  # nor are two protocols
    chance = {game: cell.mean for game, cell in random_cells(results, protocol).items()}
    pictures = {
        name + own + suffix(scale): figure5.draw(
            chosen, name, scale=scale, protocol=protocol, chance=chance
        )
        for name in figure5.AXES
    }
    yield from _drawn(pictures, {**about, "protocol": protocol}, complaints=complaints)


def _drawn(
    pictures: dict[str, Picture], about: dict[str, Any], *, complaints: list[str]
) -> Iterator[dict[str, bytes]]:
    """Yield the files of each picture; add to `complaints`."""
    for name, picture in pictures.items():
        complaints += picture.complaints
        yield files(name, picture, about=about)
