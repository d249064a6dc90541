"""Kubernetes Secrets with the keys of a log and its witness: made together and once, never overwritten.

Each names the other's public key, so one without the other is refused.
"""

import tempfile
from pathlib import Path
from typing import NamedTuple

from services.chassis.net.namespace_secrets import Namespace, SecretsError
from services.chassis.transparency import key_set
from services.chassis.transparency.key_set import LOG_KEY, LOGS, POLICY, WITNESS_KEY, Parties


class Names(NamedTuple):
    """The names of both Secrets."""

    log: str
    witness: str


def ensure(namespace: Namespace, names: Names, parties: Parties) -> str:
    """Make both Secrets unless they are there, and return what was done. Raises SecretsError, OSError."""
    present = [name for name in names if namespace.has(name)]
    if len(present) == len(names):
        return "unchanged"
    if present:
        (missing,) = set(names) - set(present)
        raise SecretsError(
            f"the Secret {present[0]} is there, {missing} is not, and each names the other's key: bring it back from "
            f"your backup; if nothing has been signed yet, delete {present[0]}, and both are made"
        )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key_set.ensure(folder, parties)
        namespace.create(names.log, _read(folder, {"key": LOG_KEY, "policy": POLICY}))
        namespace.create(names.witness, _read(folder, {"key": WITNESS_KEY, "logs": LOGS}))
    return f"made {' and '.join(names)}"


def _read(folder: Path, files: dict[str, str]) -> dict[str, bytes]:
    return {key: (folder / file).read_bytes() for key, file in files.items()}
