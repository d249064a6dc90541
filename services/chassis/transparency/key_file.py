"""Key files of logs and witnesses: made once, never overwritten, and refused while others can read them.

A file holds the line `PRIVATE+KEY+NAME+ID+KEY` of golang.org/x/mod, or the base64 of a seed of 32 bytes, whose key then
has the configured name: a chart can generate no more than that.
"""

import base64
import binascii
import os
import stat
from pathlib import Path

from services.chassis.transparency import keys
from services.chassis.transparency.keys import SEED_BYTES, Signer, Verifier
from services.chassis.transparency.note import check_name

OTHERS = stat.S_IRWXO | stat.S_IWGRP | stat.S_IXGRP  # a group may read: Kubernetes gives a pod its Secrets so


class KeyFileError(ValueError):
    """A key file cannot be used; the message has the remedy."""


def make(path: Path, name: str) -> Signer:
    """Make a key of a name and write it to a new file that only its owner can read. Raises KeyFileError, OSError."""
    try:
        line = keys.new_key(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "w") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError as error:
        raise KeyFileError(f"{path} exists: a key is never overwritten; name another file") from error
    except ValueError as error:
        raise KeyFileError(f"{name!r} cannot be the name of a key: {error}") from error
    return Signer.parse(line)


def read(path: Path, name: str) -> Signer:
    """Return the key in a file. Raises KeyFileError: no such file, others can read it, no key, or of another name."""
    signer = load(path, name)
    if signer.name != name:
        raise KeyFileError(f"the key in {path} has the name {signer.name!r}, and {name!r} is configured: use one name")
    return signer


def load(path: Path, seeds_name: str) -> Signer:
    """Return the key in a file, whatever its name; that of a seed gets the given one. Raises KeyFileError."""
    try:
        mode, text = path.stat().st_mode, path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise KeyFileError(f"the key file {path} cannot be read: {error}") from error
    if mode & OTHERS:
        raise KeyFileError(f"others can read or write the key file {path} (mode {mode & 0o777:o}): chmod 400 {path}")
    try:
        return Signer.parse(text) if text.startswith(keys.PRIVATE) else _of_seed(text, seeds_name)
    except ValueError as error:
        raise KeyFileError(f"the key file {path} holds no key: {error}") from error


def verifiers(path: Path) -> list[Verifier]:
    """Return the keys in a file of public keys, a vkey a line. Raises KeyFileError."""
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
        return [Verifier.parse(line) for line in lines if line and not line.startswith("#")]
    except (OSError, ValueError) as error:
        raise KeyFileError(f"the file of public keys {path} cannot be used: {error}") from error


def _of_seed(text: str, name: str) -> Signer:
    check_name(name)
    try:
        seed = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("neither a line PRIVATE+KEY+… nor base64 of a seed") from error
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
    return Signer(name, seed)
