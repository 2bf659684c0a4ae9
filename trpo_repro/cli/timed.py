"""`python -m trpo_repro.cli.timed COUNT key=value…`: iterations for `bench`, as one rank."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict

from trpo_repro.bench.iteration import take
from trpo_repro.cli.compose import run_config
from trpo_repro.ranks import Ranks
from trpo_repro.runner.signals import CTRL_C

if __name__ == "__main__":
    ranks = Ranks.of_environment()
    try:
        found = take(run_config(sys.argv[2:]), ranks, count=int(sys.argv[1]))
    except KeyboardInterrupt:  # `bench` heard it too, and says so
        os._exit(CTRL_C)
    if not ranks.rank:
        print(json.dumps([asdict(iteration) for iteration in found]))
