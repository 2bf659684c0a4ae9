"""Lets `python -m trpo_repro` stand in for the `trpo-repro` command."""

from trpo_repro.cli.main import main

if __name__ == "__main__":
    main()
