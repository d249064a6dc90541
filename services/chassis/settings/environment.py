"""Settings from `APP_*` environment variables: typed, checked all at once, misspelled names reported.

A settings class is a frozen dataclass; its field `http_port` is read from `APP_HTTP_PORT`. A service's settings inherit
from the mixins of the rooms that it uses, so that it accepts no setting without an effect. Dataclasses, because msgspec
structs with fields cannot be mixed. A settings class's `repr` shows no value, because some are secrets. An error
shows a value of the wrong form; a password has none, it may be any text.
"""

import difflib
import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar, dataclass_transform, get_type_hints

import msgspec

PREFIX = "APP_"
PLACEHOLDERS = frozenset({"changeme", "change-me", "todo", "xxx"})
CHOICES = re.compile(r"\^\(([\w|-]+)\)\\Z")  # the pattern of a setting that is one of some names
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

LONGEST = timedelta(days=1)  # librdkafka takes no longer poll interval
LONGEST_AGE = timedelta(days=36500)
MARGIN = 1.1  # between two ages that depend on each other: the clocks that measure them differ

Natural = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]  # librdkafka takes no larger batch
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
Age = Annotated[timedelta, "may be longer than a day: rows and records are kept for it, nobody waits for it"]
T = TypeVar("T")
S = TypeVar("S", bound="Mixin")


class SettingsError(ValueError):
    """Every setting that is wrong, one line each, with what to write instead."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def settings(kind: type[T]) -> type[T]:
    """Make a class one of settings: frozen, with keyword arguments only, and without values in its `repr`."""
    return dataclass(frozen=True, kw_only=True, repr=False)(kind)


@settings
class Mixin:
    """The base of every room's settings; a service inherits from those of the rooms that it uses."""

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each. A mixin adds its own to those of `super()`."""
        return []

    def serving_problems(self) -> list[str]:
        """Return what forbids to run the service with these settings, a line each; other commands may use them."""
        return []

    def __repr__(self) -> str:
        """Return the name of the class alone: a value may be a password."""
        return f"{type(self).__name__}(…)"


def too_short(ages: Mapping[str, timedelta], otherwise: str) -> list[str]:
    """Return a line if the first of two ages, by setting, is not longer than the second by MARGIN."""
    first, second = ages.values()
    if first >= second * MARGIN:
        return []
    both = ", ".join(f"{name} ({age})" for name, age in ages.items())
    return [f"{both}: the first must be at least {MARGIN} times the second, or {otherwise}"]


def load(kind: type[S], environment: Mapping[str, str], *, serving: bool = False) -> S:
    """Return settings of a kind from the environment, `serving` to run the service with them.

    Raises SettingsError naming every missing, empty, malformed, contradictory or unknown variable at once.
    """
    names = {PREFIX + field.name.upper(): field for field in fields(kind)}
    hints = get_type_hints(kind, include_extras=True)
    strays = [_unknown(name, names) for name in sorted(environment) if _is_stray(name, names)]
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, field in names.items():
        if name not in environment:
            if field.default is MISSING:
                problems.append(f"{name} is missing: it has no default")
            continue
        try:
            values[field.name] = _convert(environment[name], hints[field.name])
        except ValueError as error:
            problems.append(f"{name}={environment[name]!r}: {error}")
    if not problems:
        loaded = kind(**values)
        problems = loaded.problems() + (loaded.serving_problems() if serving else [])
    if strays or problems:
        raise SettingsError("\n".join(strays + problems))
    return loaded


def variables(kind: type[S], values: S) -> dict[str, str]:
    """Return the variables that give another process a kind's settings, those with their defaults left out."""
    found = ((field, getattr(values, field.name)) for field in fields(kind))
    return {PREFIX + field.name.upper(): _text(value) for field, value in found if value != field.default}


def _text(value: object) -> str:
    return f"{value.total_seconds() * 1000:.0f}ms" if isinstance(value, timedelta) else str(value)


def _is_stray(name: str, names: Mapping[str, object]) -> bool:
    return name.startswith(PREFIX) and name not in names


def _unknown(name: str, names: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name.removeprefix(PREFIX), [known.removeprefix(PREFIX) for known in names], n=1)
    return f"{name} is not a setting" + (f": did you mean {PREFIX}{near[0]}?" if near else "")


def _convert(text: str, kind: Any) -> Any:  # noqa: ANN401  # the field's own type decides
    if not text.strip():
        raise ValueError("is empty: give a value or remove the variable")
    if text.strip().lower() in PLACEHOLDERS:
        raise ValueError("is a placeholder: give the real value")
    if kind is timedelta:
        return duration(text)
    if kind == Age:
        return duration(text, LONGEST_AGE)
    if kind is Path:
        return Path(text)
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        raise ValueError(f"is not {_allowed(kind)}") from None


def _allowed(kind: Any) -> str:  # noqa: ANN401  # as above
    """Return in words what a setting of a kind may be; a pattern that is no list of words has a description."""
    if kind is bool:
        return "true or false"
    meta = next(iter(getattr(kind, "__metadata__", ())), msgspec.Meta())
    if getattr(kind, "__origin__", kind) is int:
        return "a whole number" + (f" from {meta.ge} to {meta.le}" if meta.ge is not None else "")
    if choices := CHOICES.fullmatch(meta.pattern or ""):
        return f"one of {choices[1].replace('|', ', ')}"
    return str(meta.description or "a value of its kind")


def duration(text: str, longest: timedelta = LONGEST) -> timedelta:
    """Return what a text such as 500ms, 10s, 5m or 7d means. Raises ValueError with the forms."""
    match = re.fullmatch(r"([0-9]{1,13}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)", text.strip())
    if match is None:
        raise ValueError("is not a duration: write a number with its unit, such as 500ms, 10s or 5m")
    seconds = float(match[1]) * UNITS[match[2]]
    if seconds > longest.total_seconds():
        hours = f"{longest // timedelta(hours=1)} h"
        raise ValueError(
            f"is longer than {hours}: clients and waits have no longer time-outs"
            if longest == LONGEST
            else f"is longer than {hours}: write less"
        )
    return timedelta(seconds=seconds)
