"""`trpo-repro figures`: the pictures of the paper's comparison, from stored results alone."""

from __future__ import annotations

import argparse
from pathlib import Path

from trpo_repro.cli.ablations import write_pictures
from trpo_repro.cli.output import warn, write_files
from trpo_repro.report import figure4, stepsizes
from trpo_repro.report.choice import choices
from trpo_repro.report.picture import files, sidecar
from trpo_repro.report.runs import collect
from trpo_repro.report.style import our_style


def main(options: argparse.Namespace) -> int:
    """Draw every picture; print the paths of the files."""
    results, scale = Path(options.results_dir), options.scale
    output = Path(options.output) if options.output else results / "figures"
    found = collect([results / "runs"]).at(scale)
    chosen = choices(found.runs)
    about = sidecar(chosen, results, scale=scale, unreadable=list(found.unreadable))
    complaints = found.complaints
    suffix = "" if scale == "bench" else f"_{scale}"  # two scales are never one picture
    with our_style():
        pictures = {
            name + suffix: figure4.draw(chosen, abscissa)
            for name, abscissa in figure4.ABSCISSAE.items()
        }
        if sweep := stepsizes.draw(chosen):
            pictures[f"stepsizes{suffix}"] = sweep
        else:
            complaints.append("no stepsizes were swept: no picture of them")
        contents = [files(name, picture, about) for name, picture in pictures.items()]
    for picture in pictures.values():
        complaints += [line for line in picture.complaints if line not in complaints]
    warn(complaints)
    for content in contents:
        write_files(output, content)
    write_pictures(results, output, scale)
    return 0
