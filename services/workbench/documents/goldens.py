"""The golden files: headers, a line each, an empty line, and the value, as `kcat` would print them."""

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[3] / "tests/contract/golden"


class Golden(NamedTuple):
    """A record as published: its headers in order, and its value."""

    headers: list[tuple[str, bytes | None]]
    value: bytes


def golden(kind: str) -> Golden:
    """Return the golden record of a type."""
    head, _, value = (FOLDER / f"{kind}.txt").read_bytes().partition(b"\n\n")
    pairs = (line.split(b": ", 1) for line in head.splitlines())
    return Golden([(name.decode(), text) for name, text in pairs], value.rstrip(b"\n"))


def headers_of(kind: str) -> dict[str, str]:
    """Return the golden headers of a type as text."""
    return {name: (value or b"").decode() for name, value in golden(kind).headers}
