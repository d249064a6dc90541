"""Client of the Kubernetes API for the Secrets of a pod's own namespace: looks one up by its name, and creates one.

It never changes a Secret. Runs in a pod, by its service account's rights: `get` on the names, and `create`.
"""

import base64
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
SERVER = "https://kubernetes.default.svc"
TIMEOUT_S = 10.0
ABSENT = 404
PART_OF = {"app.kubernetes.io/part-of": "eventline"}


class SecretsError(Exception):
    """A Secret was not created; the message gives the reason."""


class Namespace:
    """The Secrets of a pod's own namespace, at its API server. Raises OSError, and SecretsError if that refuses."""

    def __init__(self, server: str, account: Path) -> None:
        self.name = (account / "namespace").read_text()
        self._url = f"{server}/api/v1/namespaces/{self.name}/secrets"
        self._headers = {
            "Authorization": f"Bearer {(account / 'token').read_text()}",
            "Content-Type": "application/json",
        }
        self._trusted = ssl.create_default_context(cafile=account / "ca.crt") if server.startswith("https:") else None

    def has(self, name: str) -> bool:
        """Return whether there is a Secret."""
        return self._answer(f"{self._url}/{name}") is not None

    def read(self, name: str) -> dict[str, bytes] | None:
        """Return what a Secret holds, None if there is none."""
        answer = self._answer(f"{self._url}/{name}")
        if answer is None:
            return None
        return {key: base64.b64decode(value) for key, value in (json.loads(answer).get("data") or {}).items()}

    def create(self, name: str, data: Mapping[str, bytes], metadata: Mapping[str, Any] | None = None) -> None:
        """Create a Secret, which does not exist, with further metadata."""
        given = dict(metadata or {})
        labels = PART_OF | given.pop("labels", {})
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "labels": labels, **given},
            "type": "Opaque",
            "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
        }
        self._answer(self._url, json.dumps(secret).encode())

    def _answer(self, url: str, body: bytes | None = None) -> bytes | None:
        request = urllib.request.Request(url, body, self._headers)  # noqa: S310  # the pod's own API server
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S, context=self._trusted) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                if error.code == ABSENT and body is None:
                    return None
                raise SecretsError(f"{url}: {error.code} {error.read().decode(errors='replace')}") from None
