"""Secrets of the audit log and its witness: made together once, never overwritten; their parts fit each other."""

import base64
import json
from typing import Any

import pytest

from k8s import keys
from k8s.command import DeployError
from services.chassis.transparency.keys import Signer, Verifier

BOTH = sorted(keys.SECRETS)


class FakeCluster:
    """The Secrets of a namespace."""

    def __init__(self) -> None:
        self.secrets: dict[str, dict[str, Any]] = {}

    def objects(self, _: str) -> list[dict[str, Any]]:
        """Return what is there."""
        return list(self.secrets.values())

    def create(self, *_: str, text: str) -> str:
        """Make an object, as `kubectl create` does."""
        secret = json.loads(text)
        assert self.secrets.setdefault(secret["metadata"]["name"], secret) is secret
        return ""

    def data(self, name: str) -> dict[str, str]:
        """Return what a Secret holds, decoded."""
        return {key: base64.b64decode(value).decode() for key, value in self.secrets[name]["data"].items()}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    cluster = FakeCluster()
    monkeypatch.setattr(keys, "objects", cluster.objects)
    monkeypatch.setattr(keys, "kubectl", cluster.create)
    return cluster


def test_both_secrets_are_made_once_and_each_names_the_other_key(cluster: FakeCluster) -> None:
    assert keys.ensure() == f"made {' and '.join(keys.SECRETS)}"
    audit, witness = (cluster.data(name) for name in BOTH)
    log, cosigner = Signer.parse(audit["key"].strip()), Signer.parse(witness["key"].strip())
    assert Verifier.parse(witness["logs"].strip()) == log.verifier
    assert audit["policy"] == (
        f"log {log.vkey}\nwitness own {cosigner.cosignature_vkey} http://eventline-witness:8080\nquorum own\n"
    )
    before = dict(cluster.secrets)
    assert keys.ensure() == "unchanged"
    assert cluster.secrets == before


@pytest.mark.parametrize("lost", BOTH)
def test_one_secret_without_the_other_is_refused_and_nothing_is_made(lost: str, cluster: FakeCluster) -> None:
    keys.ensure()
    del cluster.secrets[lost]
    with pytest.raises(DeployError, match=rf"{lost} is not: .*Bring it back"):
        keys.ensure()
    assert lost not in cluster.secrets
