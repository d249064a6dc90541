"""Creates the Secrets that are missing. A Secret that exists stays as it is."""

import secrets
import string
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from services.chassis.net.namespace_secrets import Namespace, SecretsError
from services.console.secrets.wanted import Wanted

LENGTH = 24  # of 62 letters and digits: 142 bits
ALPHABET = string.ascii_letters + string.digits


def password() -> str:
    """Return a random password of letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def metadata(release: str, namespace: str) -> dict[str, Any]:
    """Return what lets Helm take over a Secret if a later release has it from values, and keeps it from deletion."""
    if not release:
        return {}
    return {
        "labels": {"app.kubernetes.io/instance": release, "app.kubernetes.io/managed-by": "Helm"},
        "annotations": {
            "meta.helm.sh/release-name": release,
            "meta.helm.sh/release-namespace": namespace,
            "helm.sh/resource-policy": "keep",
        },
    }


def ensure(namespace: Namespace, wanted: Iterable[Wanted], copies: Mapping[str, str], release: str) -> Iterator[str]:
    """Create each Secret that is missing, and yield what was done. Raises SecretsError, OSError."""
    for one in wanted:
        present = namespace.read(one.name)
        if present is None:
            old = (namespace.read(copies[one.name]) if one.name in copies else None) or {}
            namespace.create(one.name, one.data(password, old), metadata(release, namespace.name))
            yield f"{one.name}: created{f' from {copies[one.name]}' if old else ''}"
        elif missing := sorted(one.keys.keys() - present.keys()):
            raise SecretsError(
                f"the Secret {one.name} exists without {', '.join(missing)}: add what is missing, or delete the "
                "Secret, and it is created with new values"
            )
        else:
            yield f"{one.name}: unchanged"
