"""Secrets to create, as arguments: `NAME:KEY[=VALUE][,KEY[=VALUE]…]`.

A key without a value gets a random password, unless it is one of those that are made together (`material.MADE`).
"""

import re
from collections.abc import Callable
from typing import NamedTuple

from services.console.failures import UsageError
from services.console.secrets.material import MADE

SECRET = re.compile(r"([a-z0-9](?:[-a-z0-9.]*[a-z0-9])?):(.+)")
KEY = re.compile(r"([-._a-zA-Z0-9]+)(?:=(.*))?")


class Wanted(NamedTuple):
    """A Secret: the value of each key, None where one is generated."""

    name: str
    keys: dict[str, str | None]

    def data(self, generate: Callable[[], str], old: dict[str, bytes]) -> dict[str, bytes]:
        """Return what the Secret holds: what is given, else the value of an older Secret, else a generated one."""
        given = {key: value for key, value in self.keys.items() if value is not None}
        if make := MADE.get(frozenset(self.keys.keys() - given.keys())):
            return {**{key: value.encode() for key, value in given.items()}, **make(given)}
        return {
            key: value.encode() if value is not None else old.get(key) or generate().encode()
            for key, value in self.keys.items()
        }


def parse(text: str) -> Wanted:
    """Return the Secret of an argument. Raises UsageError."""
    named = SECRET.fullmatch(text)
    if named is None:
        raise UsageError(f"{text!r} is not NAME:KEY[=VALUE],…: write, for example, eventline-postgres:password")
    keys = [KEY.fullmatch(key) for key in named[2].split(",")]
    if not all(keys):
        raise UsageError(f"{text!r} has a key that no Secret can have: letters, digits, -, _ and . are possible")
    return Wanted(named[1], {key[1]: key[2] for key in keys if key})


def parse_copies(texts: list[str]) -> dict[str, str]:
    """Return the older name of each Secret of the arguments `NEW=OLD`. Raises UsageError."""
    pairs = [text.split("=") for text in texts]
    if any(len(pair) != 2 for pair in pairs):  # noqa: PLR2004  # a new name and an old one
        raise UsageError("--copy-from takes NEW=OLD: the Secret to create, and an older one with the same keys")
    return {pair[0]: pair[1] for pair in pairs}
