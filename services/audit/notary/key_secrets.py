"""Kubernetes Secrets with the keys of a log and its witness: made together and once, never overwritten.

Each names the other's public key, so one without the other is refused. Runs in a pod, by its service account's rights:
`get` on both Secrets, and `create`.
"""

import base64
import json
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from services.chassis.transparency import key_set
from services.chassis.transparency.key_set import LOG_KEY, LOGS, POLICY, WITNESS_KEY, Parties

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
TIMEOUT_S = 10.0
ABSENT = 404


class SecretsError(Exception):
    """The Secrets were not made; the message gives the reason."""


class Names(NamedTuple):
    """The names of both Secrets."""

    log: str
    witness: str


class Namespace:
    """The Secrets of a pod's own namespace, at its API server. Raises OSError, and SecretsError if that refuses."""

    def __init__(self, server: str, account: Path) -> None:
        self._url = f"{server}/api/v1/namespaces/{(account / 'namespace').read_text()}/secrets"
        self._headers = {
            "Authorization": f"Bearer {(account / 'token').read_text()}",
            "Content-Type": "application/json",
        }
        self._trusted = ssl.create_default_context(cafile=account / "ca.crt") if server.startswith("https:") else None

    def has(self, name: str) -> bool:
        """Return whether there is a Secret."""
        return self._status(f"{self._url}/{name}") != ABSENT

    def create(self, name: str, files: Mapping[str, Path]) -> None:
        """Make a Secret, which is not there, of files."""
        data = {key: base64.b64encode(path.read_bytes()).decode() for key, path in files.items()}
        metadata = {"name": name, "labels": {"app.kubernetes.io/part-of": "eventline"}}
        secret = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data}
        self._status(self._url, json.dumps(secret).encode())

    def _status(self, url: str, body: bytes | None = None) -> int:
        request = urllib.request.Request(url, body, self._headers)  # noqa: S310  # the pod's own API server
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self._trusted) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == ABSENT:
                    return ABSENT
                raise SecretsError(f"{url}: {error.code} {error.read().decode(errors='replace')}") from None


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
        namespace.create(names.log, {"key": folder / LOG_KEY, "policy": folder / POLICY})
        namespace.create(names.witness, {"key": folder / WITNESS_KEY, "logs": folder / LOGS})
    return f"made {' and '.join(names)}"
