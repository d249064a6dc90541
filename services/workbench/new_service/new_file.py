"""A file of a new service."""

from pathlib import Path

import msgspec


class NewFile(msgspec.Struct, frozen=True):
    """A file to write, by its path in the repository: a text, or the target of a symbolic link."""

    path: Path
    text: str = ""
    link: Path | None = None
