"""Passwords of the local system: one file per login, generated once, readable by the owner alone."""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

OWNER_ONLY = 0o700
BYTES = 24  # 32 characters, all of [A-Za-z0-9_-]: no JAAS quoting, no option of StorageTool can misread them


def ensure(folder: Path, names: Iterable[str]) -> None:
    """Generate the passwords that are missing; existing ones stay as they are."""
    folder.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY)
    for name in names:
        if not (folder / name).exists():
            _create(folder / name, secrets.token_urlsafe(BYTES))


def read(folder: Path, name: str) -> str:
    """Return a password. Raises FileNotFoundError."""
    return (folder / name).read_text().removesuffix("\n")  # a person's editor ends each line


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path | None]:
    """Yield where to write what is to be in a folder, which exists with all of it or not at all; None if it does."""
    if folder.exists():
        yield None
        return
    folder.parent.mkdir(parents=True, exist_ok=True, mode=OWNER_ONLY)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as name:
        new = Path(name) / folder.name
        new.mkdir(mode=OWNER_ONLY)
        yield new
        with contextlib.suppress(OSError):  # another process was first: both use its files
            new.rename(folder)


def write_secret(path: Path, text: str) -> None:
    """Write a file that only its owner may read, from its first moment on; an existing one is replaced at once."""
    _new(path, text).rename(path)


def _create(path: Path, text: str) -> None:
    """Write a file unless another process did it first: all use the same password."""
    new = _new(path, text)
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(new)
    new.unlink()


def _new(path: Path, text: str) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".")  # mode 0600
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    return Path(name)
