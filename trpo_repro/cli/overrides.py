"""The words of a command line, such as `algo.stepsize=0.03`, by Hydra's grammar."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException, OverrideParseException

from trpo_repro.errors import ConfigError

PLACE = "results_dir="


def parse_overrides(overrides: Sequence[str]) -> list[Override]:
    """Parse the words of a command line by Hydra's grammar, but for the folder of results.

    Raises:
        ConfigError: One of them is not of its form.
    """
    try:
        return OverridesParser.create().parse_overrides(in_grammar(overrides))
    except (OverrideParseException, HydraException, ValueError) as error:
        # ValueError: Python refuses to read whole numbers of thousands of digits.
        raise ConfigError(
            " ".join(str(error).split("\n")[0].split()), fix="write overrides as key=value"
        ) from error


def in_grammar(words: Sequence[str]) -> list[str]:
    """Return `words` with the folder of results quoted where the grammar would not take its name.

    A folder may have any name: commas, spaces, digits alone. So `results_dir` is never a list of
    values, and what is in quotes already stays.
    """
    return [_place(word) if word.startswith(PLACE) else word for word in words]


def _place(word: str) -> str:
    """Return `results_dir=…` so that the grammar reads the name that was typed."""
    name = word.removeprefix(PLACE)
    try:
        value = OverridesParser.create().parse_override(word).value()
    except (HydraException, ValueError):
        value = None
    in_quotes = isinstance(value, str) and name.startswith(("'", '"'))
    return word if value == name or in_quotes else PLACE + quoted(name)


def is_hydras(override: Override) -> bool:
    """Tell whether `override` sets something of Hydra's own, such as its launcher."""
    return override.key_or_group.replace("/", ".").split(".")[0] == "hydra"


def quoted(text: str) -> str:
    """Return any text, such as a folder's name, as a value of Hydra's grammar."""
    return QuotedString(text, Quote.single).with_quotes()
