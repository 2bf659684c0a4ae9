"""The words of the command line, command by command.

Nothing heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import NoReturn

from trpo_repro import __version__

EXAMPLES = """examples:
  trpo-repro run task=cartpole                          train, a few seconds
  trpo-repro run task=hopper seed=1 algo.stepsize=0.03  another seed and stepsize
  trpo-repro run -m task=hopper,walker seed=0,1,2       a sweep, one run after the other

Run the same command again to continue what was interrupted.
"""
RUN_EPILOG = """overrides are Hydra's: key=value, task=… and algo=… choose a file of conf/.
`trpo-repro list` shows the tasks and algorithms; `trpo-repro list task=hopper` every key.
"""
RANDOM_EPILOG = """examples:
  trpo-repro random                                 all seven, minutes, into results/random
  trpo-repro random task=pong --episodes 20         one game
  trpo-repro random task.protocol=machado2018       the other protocol
"""
VIDEO_EPILOG = """Robots are drawn by MuJoCo, without a screen where MUJOCO_GL=egl (the default
here) or osmesa works: trpo-repro doctor tells. Games are the emulator's own screen.
"""
CLAIMS_EPILOG = """The rules stand in trpo_repro/report/claims; claims.md prints each. A claim
whose runs are not stored is not tested yet, and the table says what is missing.
"""
MEASURE_EPILOG = """measurements, written to measurements/ of the results:
  standing    score of a controller that holds a pose (C09)
  variance    of advantage estimates, with and without common random numbers (C10, C11)
  parameters  numbers of the policies' parameters (C16)
  chance      the games by chance, anew at every frame (beside C14); minutes
  products    time and value of Fisher-vector products (C21, C22)
"""
THEORY_EPILOG = """examples:
  trpo-repro theory                        under a minute, into results/theory
  trpo-repro theory --mdps 10000 --seed 1  more MDPs, other ones
  trpo-repro theory --json > theory.json   for machines

Exit code 1 if a claim fails on any MDP; violations.csv lists each.
"""


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, as every other error is said."""

    def error(self, message: str) -> NoReturn:
        """Print the line and exit."""
        print(f"error: {message}; fix: see {self.prog} --help", file=sys.stderr)
        sys.exit(2)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = _Parser(
        prog="trpo-repro",
        description="Reproduce Trust Region Policy Optimization (Schulman et al., 2015).",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"trpo-repro {__version__}")
    top.add_argument("--debug", action="store_true", help="show tracebacks")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, (summary, epilog, add_words) in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=summary,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        # SUPPRESS: without it the command's default would overwrite `trpo-repro --debug …`.
        command.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help="show tracebacks"
        )
        add_words(command)
    return top


def _run(run: argparse.ArgumentParser) -> None:
    run.add_argument("overrides", nargs="*", metavar="key=value", help="settings")
    run.add_argument("-m", "--multirun", action="store_true", help="run every combination")
    run.add_argument(
        "--restart", action="store_true", help="keep the run's old folder aside and begin anew"
    )


def _sweep(sweep: argparse.ArgumentParser) -> None:
    sweep.add_argument("name", metavar="NAME", help="a file of experiments/, such as figure4")
    sweep.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="settings of every run"
    )
    sweep.add_argument("--dry-run", action="store_true", help="say how much there is to do")
    sweep.add_argument(
        "--patience",
        type=_positive,
        default=60.0,
        metavar="MINUTES",
        help="a run without a new row for so long is hung and ended; default: 60",
    )


def _status(status: argparse.ArgumentParser) -> None:
    status.add_argument("name", nargs="?", metavar="NAME", help="an experiment; default: all runs")
    status.add_argument(
        "overrides", nargs="*", default=[], metavar="key=value", help="what its sweep was given"
    )
    status.add_argument("--results-dir", help="default: results, or where the experiment says")
    status.add_argument("--json", action="store_true", help="print JSON")


def _list(lists: argparse.ArgumentParser) -> None:
    lists.add_argument("overrides", nargs="*", metavar="key=value", help="settings to show")


def _evaluate(evaluate: argparse.ArgumentParser) -> None:
    evaluate.add_argument("run", metavar="RUN", help="the run's folder")
    evaluate.add_argument("--episodes", type=_count, default=100, help="default: 100")
    evaluate.add_argument("--greedy", action="store_true", help="play the likeliest action")
    evaluate.add_argument("--seed", type=_natural, default=0, help="of the episodes; default: 0")
    evaluate.add_argument("--json", action="store_true", help="print JSON, scores included")


def _video(video: argparse.ArgumentParser) -> None:
    video.add_argument("run", metavar="RUN", help="the run's folder")
    video.add_argument("--output", help="default: video.gif in the run's folder")
    video.add_argument("--seconds", type=_count, default=8, help="at most; default: 8")
    video.add_argument("--greedy", action="store_true", help="play the likeliest action")
    video.add_argument("--seed", type=_natural, default=0, help="of the episode; default: 0")


def _random(random: argparse.ArgumentParser) -> None:
    random.add_argument("overrides", nargs="*", metavar="key=value", help="settings")
    random.add_argument("--episodes", type=_count, default=100, help="of each; default: 100")
    random.add_argument("--seed", type=_natural, default=0, help="of the episodes; default: 0")


def _curves(curves: argparse.ArgumentParser) -> None:
    curves.add_argument("runs", nargs="+", metavar="RUN", help="run folders, or folders of them")
    curves.add_argument("--output", default="learning-curves.png", help="the picture's path")
    _strict(curves)


def _figures(figures: argparse.ArgumentParser) -> None:
    _results(figures)
    figures.add_argument("--output", help="folder; default: figures/ of the results")
    figures.add_argument("--scale", choices=("bench", "paper"), help="default: each")
    _strict(figures)


def _tables(tables: argparse.ArgumentParser) -> None:
    _results(tables)
    tables.add_argument("--output", help="folder; default: tables/ of the results")
    tables.add_argument("--scale", choices=("bench", "paper"), help="default: each")
    _strict(tables)


def _claims(claims: argparse.ArgumentParser) -> None:
    _results(claims)
    claims.add_argument("--output", help="folder; default: tables/ of the results")
    claims.add_argument(
        "--brief", action="store_true", help="print the verdicts alone, as Markdown"
    )
    _strict(claims)


def _measure(measure: argparse.ArgumentParser) -> None:
    measure.add_argument("names", nargs="*", metavar="NAME", help="default: all of them")
    _results(measure)


def _report(report: argparse.ArgumentParser) -> None:
    _results(report)
    report.add_argument("--output", help="the page's path; default: report.html of the results")
    _strict(report)


def _theory(theory: argparse.ArgumentParser) -> None:
    theory.add_argument("--mdps", type=_count, default=1000, help="random ones; default: 1000")
    theory.add_argument("--seed", type=_natural, default=0, help="default: 0")
    theory.add_argument("--output", default="results/theory", help="default: results/theory")
    theory.add_argument("--json", action="store_true", help="print JSON")


def _bench(bench: argparse.ArgumentParser) -> None:
    bench.add_argument("--json", action="store_true", help="print JSON")
    bench.add_argument("--quick", action="store_true", help="small sizes, for a first look")
    bench.add_argument(
        "--scaling", metavar="FILE", help="write what scale=paper takes on many cores, as Markdown"
    )
    bench.add_argument("--only", metavar="NAME", help="only measurements whose name contains NAME")
    bench.add_argument("--results-dir", default="results", help="where trained policies are")


def _results(command: argparse.ArgumentParser) -> None:
    command.add_argument("--results-dir", default="results", help="default: results")


def _strict(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--strict", action="store_true", help="exit 3 if a stored run or file is missing or damaged"
    )


def _natural(text: str) -> int:
    """Return a whole number from 0 on."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text}")
    return int(text)


def _count(text: str) -> int:
    """Return a whole number from 1 on."""
    if _natural(text) < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return int(text)


def _positive(text: str) -> float:
    """Return a number greater than 0."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number > 0, got {text}")
    return number


COMMANDS: dict[str, tuple[str, str, Callable[[argparse.ArgumentParser], None]]] = {
    "run": ("train, or continue training", RUN_EPILOG, _run),
    "sweep": ("run what is missing of an experiment", "", _sweep),
    "status": ("show what is done, running, failed or missing", "", _status),
    "list": ("show tasks, algorithms and every setting", "", _list),
    "evaluate": ("report a trained policy's score, played unless that is stored", "", _evaluate),
    "video": ("draw an episode of a trained policy as a GIF", VIDEO_EPILOG, _video),
    "random": ("play the games by chance, as Table 1's first row", RANDOM_EPILOG, _random),
    "curves": ("draw learning curves of stored runs", "", _curves),
    "figures": ("draw Figures 4 and 5 and the stepsize sweep from stored results", "", _figures),
    "tables": ("write Table 1, scores, parameters and times beside the paper's", "", _tables),
    "claims": ("give a verdict on each of the paper's claims", CLAIMS_EPILOG, _claims),
    "measure": ("measure the claims that no training run decides", MEASURE_EPILOG, _measure),
    "report": ("write everything that is stored as one HTML file", "", _report),
    "theory": ("check the paper's bounds exactly on finite MDPs", THEORY_EPILOG, _theory),
    "bench": ("measure speed against the physics engine's own, as ratios", "", _bench),
    "doctor": ("check that this machine has what every task needs", "", _results),
}
"""What each is for, what stands below its help, and its words."""
