"""Secrets with the keys of the audit log and of its witness: made once, never overwritten.

Both are made together, as each names the other's public key: one without the other is refused.
"""

import base64
import json
import tempfile
from pathlib import Path

from k8s.command import NAMESPACE, RELEASE, DeployError, kubectl, objects
from services.audit.settings import Settings as AuditSettings
from services.chassis.transparency import key_set
from services.chassis.transparency.key_set import LOG_KEY, LOGS, POLICY, WITNESS_KEY, Parties

PARTIES = Parties(AuditSettings.audit_origin, key_set.WITNESS, f"http://{RELEASE}-witness:8080")
SECRETS = {
    f"{RELEASE}-audit-keys": {"key": LOG_KEY, "policy": POLICY},
    f"{RELEASE}-witness-keys": {"key": WITNESS_KEY, "logs": LOGS},
}


def ensure() -> str:
    """Make both Secrets unless they are there, and return what was done. Raises DeployError if only one is there."""
    present = {secret["metadata"]["name"] for secret in objects("secrets")} & SECRETS.keys()
    if present == SECRETS.keys():
        return "unchanged"
    if present:
        raise DeployError(
            f"the Secret {min(present)} is there, {min(SECRETS.keys() - present)} is not: each names the other's key. "
            "Bring it back from your backup, or delete the release with its data (`make undeploy`)"
        )
    with tempfile.TemporaryDirectory() as folder:
        key_set.ensure(Path(folder), PARTIES)
        for name, files in SECRETS.items():
            paths = {key: Path(folder, file) for key, file in files.items()}
            kubectl("create", "--filename", "-", text=_secret(name, paths))
    return f"made {' and '.join(SECRETS)}"


def _secret(name: str, files: dict[str, Path]) -> str:
    data = {key: base64.b64encode(path.read_bytes()).decode() for key, path in files.items()}
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {"app.kubernetes.io/part-of": "eventline"}}
    return json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque", "data": data})
