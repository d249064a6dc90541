"""The golden files: headers, a line each, an empty line, and the value, as `kcat` would print them.

`TYPE.txt` is the first of a type. If the type's bytes change after it was published, the new ones are in `TYPE.2.txt`,
and so on: the last has what is published today. The earlier ones stay, as their records stay on the log.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from services.contracts.catalog import TYPES
from services.contracts.envelope import Envelope, to_headers
from services.contracts.shapes import written
from services.workbench.documents.compatibility import ROOT, Schema, baseline, breaks, committed, published
from services.workbench.documents.examples import EXAMPLES
from services.workbench.documents.schemas import schemas

GOLDEN = "tests/contract/golden"
FOLDER = ROOT / GOLDEN
NAME = re.compile(r"(?P<kind>.+?)(?:\.(?P<number>[0-9]+))?\.txt")
REFUSED = """golden files are not written, a reader of published records would notice:
  {changes}
Give the field a default, or publish a new version of the fact: docs/extending.md.
Before the first release: `make docs` takes the present shapes as published; then repeat `make golden`."""


class PublishedShapeError(Exception):
    """A published shape was changed; the message names the fields, and the remedy."""


class Golden(NamedTuple):
    """A record as published: its headers in order, and its value."""

    headers: list[tuple[str, bytes | None]]
    value: bytes


def files(kind: str, folder: Path = FOLDER) -> list[Path]:
    """Return the golden files of a type, that of the present bytes last."""
    return sorted((path for path in folder.glob("*.txt") if kind_of(path) == kind), key=_number)


def kind_of(path: Path) -> str:
    """Return the type whose record is in a golden file."""
    found = NAME.fullmatch(path.name)
    return found["kind"] if found else ""


def golden(kind: str) -> Golden:
    """Return the golden record of a type, with the present bytes. Raises FileNotFoundError."""
    found = files(kind)
    if not found:
        raise FileNotFoundError(f"{kind} has no golden file: run `make golden`")
    return read(found[-1])


def read(path: Path) -> Golden:
    """Return the record of a golden file."""
    head, _, value = path.read_bytes().partition(b"\n\n")
    pairs = (line.split(b": ", 1) for line in head.splitlines())
    return Golden([(name.decode(), text) for name, text in pairs], value.rstrip(b"\n"))


def headers_of(kind: str) -> dict[str, str]:
    """Return the golden headers of a type as text."""
    return {name: (value or b"").decode() for name, value in golden(kind).headers}


def printed(envelope: Envelope, data: msgspec.Struct) -> bytes:
    """Return the content of a golden file."""
    headers = b"".join(name.encode() + b": " + (value or b"") + b"\n" for name, value in to_headers(envelope))
    return headers + b"\n" + written(data) + b"\n"


def write(texts: Mapping[str, bytes], keep: frozenset[str], folder: Path = FOLDER) -> list[str]:
    """Write the bytes of types, by type, where they are new, and return a line for each file written or removed.

    `keep` has the names of the files that are published: they are never written.
    """
    return [line for kind, text in texts.items() for line in _write(kind, text, keep, folder)]


def require_compatible(before: Mapping[str, Schema], after: Mapping[str, Schema]) -> None:
    """Raise PublishedShapeError for shapes that records before them do not have."""
    if changes := breaks(before, after):
        raise PublishedShapeError(REFUSED.format(changes="\n  ".join(changes)))


def _write(kind: str, text: bytes, keep: frozenset[str], folder: Path) -> list[str]:
    found = files(kind, folder)
    if found and found[-1].read_bytes() == text:
        return []
    kept = [path for path in found if path.name in keep]
    drafts = [path for path in found if path.name not in keep]
    if kept and kept[-1].read_bytes() == text:  # the change was taken back
        for path in drafts:
            path.unlink()
        return [f"{path.name}: removed" for path in drafts]
    path = drafts[-1] if drafts else folder / _name(kind, _number(kept[-1]) + 1 if kept else 1)
    path.write_bytes(text)
    return [f"{path.name}: written" + (f"; {kept[-1].name} stays, such records are on the log" if kept else "")]


def _number(path: Path) -> int:
    found = NAME.fullmatch(path.name)
    return int(found["number"] or 1) if found else 0


def _name(kind: str, number: int) -> str:
    return f"{kind}.txt" if number == 1 else f"{kind}.{number}.txt"


def main() -> None:
    """Write the golden files; called by `make golden`."""
    if without := TYPES.keys() - EXAMPLES.keys():
        sys.exit(
            f"no example of {', '.join(sorted(without))}: add it to DATA in services/workbench/documents/examples.py"
        )
    try:
        require_compatible(published() or baseline(), schemas())
    except PublishedShapeError as error:
        sys.exit(str(error))
    of_release = committed(GOLDEN)
    keep = frozenset({path.name for path in FOLDER.glob("*.txt")} if of_release is None else of_release)
    lines = write({kind: printed(*example) for kind, example in EXAMPLES.items()}, keep)
    sys.stdout.writelines(f"{GOLDEN}/{line}\n" for line in lines or ["*: nothing new"])


if __name__ == "__main__":
    main()
