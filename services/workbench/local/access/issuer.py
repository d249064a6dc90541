"""The development issuer of a secured local system: its key is generated once, for the tokens of our own clients."""

from pathlib import Path

from services.console.tokens.issuer import PRIVATE, new_key
from services.workbench.local.access.passwords import new_folder


def ensure(folder: Path) -> Path:
    """Return the file of the private key in a folder, which is generated if the folder has none."""
    with new_folder(folder) as new:
        if new:
            new_key(new)
    return folder / PRIVATE
