"""The words of a command line, such as `algo.stepsize=0.03`, by Hydra's grammar."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException, OverrideParseException

from trpo_repro.errors import ConfigError


def parse_overrides(overrides: Sequence[str]) -> list[Override]:
    """Parse the words of a command line by Hydra's grammar.

    Raises:
        ConfigError: One of them is not of its form.
    """
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except (OverrideParseException, HydraException, ValueError) as error:
        # ValueError: Python refuses to read whole numbers of thousands of digits.
        raise ConfigError(
            " ".join(str(error).split("\n")[0].split()), fix="write overrides as key=value"
        ) from error


def is_hydras(override: Override) -> bool:
    """Tell whether `override` sets something of Hydra's own, such as its launcher."""
    return override.key_or_group.replace("/", ".").split(".")[0] == "hydra"


def quoted(text: str) -> str:
    """Return any text, such as a folder's name, as a value of Hydra's grammar."""
    return QuotedString(text, Quote.single).with_quotes()
