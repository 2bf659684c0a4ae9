"""What the files of `conf/` say about their settings, in comments: the only place it is said."""

from __future__ import annotations

import re
from pathlib import Path

from trpo_repro.cli.compose import config_folder

COMMENT = re.compile(r"^( *)# ?(.*)$")
SETTING = re.compile(r"^( *)([A-Za-z_]\w*):(?:.*?\s#\s(.*))?.*$")


def headline(group: str, name: str) -> str:
    """Return the first comment line of a group's file, which says what the choice is."""
    for line in _lines(config_folder() / group / f"{name}.yaml"):
        comment = COMMENT.match(line)
        if comment and not comment[2].startswith("@"):
            return comment[2]
    return ""


def comments(task: str, algo: str) -> dict[str, str]:
    """Return the comment of every setting that has one, by the setting's full name."""
    folder = config_folder()
    return {
        **_comments(folder / "config.yaml", ""),
        **_comments(folder / "task" / f"{task}.yaml", ""),  # @package _global_
        **_comments(folder / "algo" / f"{algo}.yaml", "algo."),
    }


def _comments(path: Path, prefix: str) -> dict[str, str]:
    """Read one file: a comment stands behind its setting, or on the lines right above it."""
    found: dict[str, str] = {}
    above: list[str] = []
    parents: list[tuple[int, str]] = []  # indentation and name of the groups that are open
    for line in _lines(path):
        comment, setting = COMMENT.match(line), SETTING.match(line)
        if comment:
            above.append(comment[2])
            continue
        if setting:
            depth = len(setting[1])
            parents = [*(p for p in parents if p[0] < depth), (depth, setting[2])]
            text = setting[3] or " ".join(above)
            if text:
                found[prefix + ".".join(name for _, name in parents)] = text
        above = []
    return found


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
