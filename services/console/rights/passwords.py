"""Passwords of the principals: a folder with a file for each, which is named as the principal without its prefix."""

import re
from collections.abc import Sequence
from pathlib import Path

from services.console.failures import UsageError

# Every other character has a meaning somewhere on the way: in JAAS, a shell, StorageTool or an URL.
PASSWORD = re.compile(r"[A-Za-z0-9._~-]{8,128}")
SETTING = "APP_RIGHTS_PASSWORDS"
FORM = "a password has 8 to 128 characters of A-Z a-z 0-9 . _ ~ -"


def read(folder: Path, principals: Sequence[str]) -> dict[str, str]:
    """Return the password of each principal that has a file.

    Raises UsageError with every wrong file, or if there is none at all; no message has a password.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{SETTING}={folder}: no such folder: name one with a file for each of {', '.join(principals)}"
        )
    found = {name: _text(folder / name) for name in principals if (folder / name).is_file()}
    if not found:
        raise UsageError(f"{SETTING}={folder} has no password: the files are named {', '.join(principals)}")
    if wrong := [f"{folder / name}: {FORM}" for name, text in found.items() if not PASSWORD.fullmatch(text)]:
        raise UsageError("\n".join(wrong))
    return found


def unused(folder: Path, principals: Sequence[str]) -> list[Path]:
    """Return the files of a folder that no principal has; the name of a hidden one begins with a dot."""
    known = frozenset(principals)
    files = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in files if path.name not in known)


def _text(path: Path) -> str:
    return path.read_text(errors="replace").removesuffix("\n")
