"""The witness beside the audit service: who reaches it, what it reads, and that it has nothing of the rest."""

from typing import Any

import pytest

from k8s.release import VALUES
from tests.charts.helm import Helm, Resource
from tests.charts.pods import pods

pytestmark = pytest.mark.charts
OWN = ("--set", "global.keys.generate=false,witness.keys.existingSecret=own,audit.keys.existingSecret=own-log")
NAME, JOB = "eventline-witness", "eventline-audit-keys"


def of_kind(resources: list[Resource], kind: str, name: str) -> Any:  # as the chart renders it
    return next(one for one in resources if (one["kind"], one["metadata"]["name"]) == (kind, name))


def keys_of(resources: list[Resource]) -> dict[str, str]:
    """Return the Secret of keys that each pod mounts."""
    return {
        pod.name: volume["secret"]["secretName"]
        for pod in pods(resources)
        for volume in pod.spec["volumes"]
        if volume["name"] == "keys"
    }


@pytest.mark.parametrize("arguments", [(), ("--values", VALUES)], ids=["default", "kind"])
def test_the_log_is_signed_and_cosigned_with_keys_that_a_job_makes(arguments: tuple[str], helm: Helm) -> None:
    resources = helm.resources("eventline", *arguments)
    assert keys_of(resources) == {
        "Deployment/eventline-audit": "eventline-audit-keys",
        "Deployment/eventline-witness": "eventline-witness-keys",
    }
    (job,) = [pod for pod in pods(resources) if pod.name.startswith(f"Job/{JOB}-")]
    assert job.containers[0]["args"][2:] == [
        *sorted(keys_of(resources).values()),
        "--witness-url=http://eventline-witness:8080",
        "--name=eventline.local/audit",
    ]
    assert not [one for one in resources if one["kind"] == "Secret" and one["metadata"]["name"].endswith("-keys")]


def test_the_job_comes_before_the_release_and_may_only_look_at_both_secrets_and_make_some(helm: Helm) -> None:
    resources = helm.resources("eventline")
    mine = [one for one in resources if one["metadata"]["name"].startswith(JOB)]
    assert {one["kind"] for one in mine} == {"ServiceAccount", "Role", "RoleBinding", "NetworkPolicy", "Job"}
    assert {one["metadata"]["annotations"]["helm.sh/hook"] for one in mine} == {"pre-install,pre-upgrade"}
    look, make = of_kind(resources, "Role", JOB)["rules"]
    assert (look["verbs"], look["resourceNames"]) == (["get"], [JOB, "eventline-witness-keys"])
    assert make["verbs"] == ["create"]


def test_with_secrets_of_ones_own_there_is_no_job(helm: Helm) -> None:
    for arguments in (OWN, (OWN[0], OWN[1].partition(",")[2])):
        resources = helm.resources("eventline", *arguments)
        assert sorted(keys_of(resources).values()) == ["own", "own-log"]
        assert not [one for one in resources if one["metadata"]["name"].startswith(JOB)]


def test_without_keys_there_is_no_witness_and_nothing_is_signed(helm: Helm) -> None:
    resources = helm.resources("eventline", "--set", "global.keys.generate=false,witness.enabled=false")
    assert keys_of(resources) == {}
    assert not [one for one in resources if one["metadata"]["name"].startswith((NAME, JOB))]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("global.keys.generate=false", "keys.existingSecret is empty"),
        ("witness.enabled=false", "but witness.enabled=false"),
        ("witness.keys.existingSecret=own", "name both, or none"),
        ("audit.keys.existingSecret=own", "name both, or none"),
    ],
)
def test_half_of_the_keys_is_refused(values: str, reason: str, helm: Helm) -> None:
    done = helm.template("eventline", "--set", values)
    assert done.returncode != 0
    assert reason in done.stderr


def test_the_audit_service_reaches_the_witness_and_nobody_else_does(helm: Helm) -> None:
    policy = of_kind(helm.resources("eventline"), "NetworkPolicy", NAME)["spec"]
    peers = {rule["ports"][0]["port"]: rule["from"] for rule in policy["ingress"]}
    (audit,) = peers["http"]
    assert audit == {"podSelector": {"matchLabels": _labels("audit")}}
    assert [rule["ports"][0]["port"] for rule in policy["egress"]] == [53]


@pytest.mark.parametrize(("name", "reaches"), [("audit", True), ("user", False), ("notification", False)])
def test_the_audit_service_alone_may_send_to_the_witness(name: str, reaches: bool, helm: Helm) -> None:  # noqa: FBT001  # it is the example
    policy = of_kind(helm.resources("eventline"), "NetworkPolicy", f"eventline-{name}")["spec"]
    peers = [peer for rule in policy["egress"] for peer in rule["to"]]
    assert ({"podSelector": {"matchLabels": _labels("witness")}} in peers) is reaches


def test_the_witness_has_no_broker_no_server_of_databases_and_a_key_that_its_group_alone_may_read(helm: Helm) -> None:
    resources = helm.resources("eventline")
    (pod,) = [one for one in pods(resources) if one.name == f"Deployment/{NAME}"]
    assert not [label for label in pod.labels if label.startswith("eventline/")]
    names = of_kind(resources, "ConfigMap", NAME)["data"]
    assert not [name for name in names if "KAFKA" in name or "PASSWORD" in name]
    assert names["APP_DATABASE_URL"].startswith("sqlite:")
    (keys,) = [volume["secret"] for volume in pod.spec["volumes"] if volume["name"] == "keys"]
    assert (keys["secretName"], keys["defaultMode"]) == ("eventline-witness-keys", 0o400)


def _labels(name: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/instance": "eventline"}
