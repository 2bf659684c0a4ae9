"""Plain values against the annotations of dataclasses: what configurations are checked by.

Every complaint is a ConfigError with the key's full name.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from trpo_repro.errors import ConfigError


@dataclass(frozen=True)
class Range:
    """Bounds of a number."""

    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None

    def problem(self, value: float) -> str | None:
        """Return what `value` should be, or None where it is."""
        bounds: list[tuple[float | None, Callable[[float], bool], str]] = [
            (self.above, lambda b: value > b, ">"),
            (self.at_least, lambda b: value >= b, ">="),
            (self.at_most, lambda b: value <= b, "<="),
            (self.below, lambda b: value < b, "<"),
        ]
        wanted = [f"{sign} {bound:g}" for bound, _, sign in bounds if bound is not None]
        fine = all(holds(bound) for bound, holds, _ in bounds if bound is not None)
        return None if fine else " and ".join(wanted)


@dataclass(frozen=True)
class OneOf:
    """The words that a string may be."""

    choices: tuple[str, ...]

    def problem(self, value: str) -> str | None:
        """Return what `value` should be, or None where it is."""
        return None if value in self.choices else "one of " + ", ".join(self.choices)


def section(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return the mapping under `key`."""
    found = values.get(key)
    if not isinstance(found, Mapping):
        raise ConfigError(f"{key} must be a group of settings, got {found!r}")
    return found


def variant(table: Mapping[str, type[Any]], kind: str, *, name: object) -> type[Any]:
    """Return the config class of task or algorithm `name`."""
    if not isinstance(name, str) or name not in table:
        raise ConfigError(f"unknown {kind} {name!r}" + suggestion(str(name), table))
    return table[name]


def suggestion(word: str, known: typing.Iterable[str]) -> str:
    """Return `; did you mean …?`, or the choices where nothing is near and they are few."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known: {', '.join(names)}" if len(names) <= 12 else "; see trpo-repro list"


def build(
    cls: type[Any], values: Mapping[str, Any], *, prefix: str, overriding: Mapping[str, Any]
) -> Any:
    """Return a `cls` made of `values`, each checked against its annotation.

    Args:
        cls: A config dataclass.
        values: Its fields' values.
        prefix: Name of the enclosing key with its dot, for messages.
        overriding: Types that replace the annotations of some fields.
    """
    hints = typing.get_type_hints(cls, include_extras=True) | dict(overriding)
    names = [field.name for field in dataclasses.fields(cls)]
    for key in values:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"; did you mean '{prefix}{near[0]}'?" if near else ""
            raise ConfigError(f"unknown key '{prefix}{key}'{hint}")
    for name in names:
        if name not in values:
            raise ConfigError(f"missing key '{prefix}{name}'")
    return cls(**{name: convert(hints[name], values[name], key=prefix + name) for name in names})


def convert(hint: Any, value: Any, *, key: str) -> Any:
    """Return `value` as the annotation `hint` wants it."""
    if dataclasses.is_dataclass(hint):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{key} must be a group of settings, got {value!r}")
        return build(typing.cast(type[Any], hint), value, prefix=key + ".", overriding={})
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return None if value is None else convert(arguments[0], value, key=key)
    if origin is Annotated:
        inner = convert(arguments[0], value, key=key)
        problem = arguments[1].problem(inner)
        if problem:
            raise ConfigError(f"{key} must be {problem}, got {value}")
        return inner
    if origin is tuple:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise ConfigError(f"{key} must be a list, got {value!r}")
        return tuple(convert(arguments[0], v, key=f"{key}[{i}]") for i, v in enumerate(value))
    return scalar(hint, value, key=key)


def scalar(kind: type[Any], value: Any, *, key: str) -> Any:
    """Return `value` as `kind`, which is bool, int, float or str."""
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value) if abs(value) < 2**1000 else math.inf
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        words = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
        raise ConfigError(f"{key} must be {words[kind]}, got {value!r}")
    if kind is float and not math.isfinite(value):
        raise ConfigError(f"{key} must be finite, got {value}")
    if kind is str and not value:
        raise ConfigError(f"{key} must not be empty")
    return value
