"""The witness beside the audit service: who reaches it, what it reads, and that it has nothing of the rest."""

from typing import Any

import pytest

from k8s.release import VALUES
from tests.charts.helm import Helm, Resource
from tests.charts.pods import pods

pytestmark = pytest.mark.charts
WITNESSED = ("--set", "witness.enabled=true,witness.keys.existingSecret=witness-keys")
NAME = "eventline-witness"


def of_kind(resources: list[Resource], kind: str, name: str) -> Any:  # as the chart renders it
    return next(one for one in resources if (one["kind"], one["metadata"]["name"]) == (kind, name))


def test_without_a_secret_there_is_no_witness_and_one_that_is_asked_for_is_refused(helm: Helm) -> None:
    assert not [one for one in helm.resources("eventline") if one["metadata"]["name"] == NAME]
    done = helm.template("eventline", "--set", "witness.enabled=true")
    assert done.returncode != 0
    assert "keys.existingSecret is empty" in done.stderr


def test_the_audit_service_reaches_the_witness_and_nobody_else_does(helm: Helm) -> None:
    policy = of_kind(helm.resources("eventline", *WITNESSED), "NetworkPolicy", NAME)["spec"]
    peers = {rule["ports"][0]["port"]: rule["from"] for rule in policy["ingress"]}
    (audit,) = peers["http"]
    assert audit == {"podSelector": {"matchLabels": _labels("audit")}}
    assert [rule["ports"][0]["port"] for rule in policy["egress"]] == [53]


@pytest.mark.parametrize(("name", "reaches"), [("audit", True), ("user", False), ("notification", False)])
def test_the_audit_service_alone_may_send_to_the_witness(name: str, reaches: bool, helm: Helm) -> None:  # noqa: FBT001  # it is the example
    policy = of_kind(helm.resources("eventline", *WITNESSED), "NetworkPolicy", f"eventline-{name}")["spec"]
    peers = [peer for rule in policy["egress"] for peer in rule["to"]]
    assert ({"podSelector": {"matchLabels": _labels("witness")}} in peers) is reaches


def test_the_witness_has_no_broker_no_server_of_databases_and_a_key_that_its_group_alone_may_read(helm: Helm) -> None:
    resources = helm.resources("eventline", *WITNESSED)
    (pod,) = [one for one in pods(resources) if one.name == f"Deployment/{NAME}"]
    assert not [label for label in pod.labels if label.startswith("eventline/")]
    names = of_kind(resources, "ConfigMap", NAME)["data"]
    assert not [name for name in names if "KAFKA" in name or "PASSWORD" in name]
    assert names["APP_DATABASE_URL"].startswith("sqlite:")
    (keys,) = [volume["secret"] for volume in pod.spec["volumes"] if volume["name"] == "keys"]
    assert (keys["secretName"], keys["defaultMode"]) == ("witness-keys", 0o400)


def test_kind_has_a_witness_and_the_secrets_that_deploy_makes(helm: Helm) -> None:
    resources = helm.resources("eventline", "--values", VALUES)
    mounted = {
        volume["secret"]["secretName"]
        for pod in pods(resources)
        for volume in pod.spec["volumes"]
        if volume["name"] == "keys"
    }
    assert mounted == {"eventline-witness-keys", "eventline-audit-keys"}


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": "eventline"}
