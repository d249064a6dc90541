"""Passwords of the local system: one file per login, generated once, readable by the owner alone."""

import os
import secrets
from collections.abc import Iterable
from pathlib import Path

OWNER_ONLY = 0o600
FOLDER_OWNER_ONLY = 0o700
BYTES = 24  # 32 characters, all of [A-Za-z0-9_-]: no JAAS quoting, no option of StorageTool can misread them


def ensure(folder: Path, names: Iterable[str]) -> None:
    """Generate the passwords that are missing; existing ones stay as they are."""
    folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_OWNER_ONLY)
    for name in names:
        if not (folder / name).exists():
            write_secret(folder / name, secrets.token_urlsafe(BYTES))


def read(folder: Path, name: str) -> str:
    """Return a password. Raises FileNotFoundError."""
    return (folder / name).read_text()


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first moment on; an existing one is replaced at once."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "w") as file:
        file.write(text)
    new.rename(path)
