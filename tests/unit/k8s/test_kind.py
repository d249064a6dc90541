"""Checks the decisions of `make deploy` that need no cluster: ports, order, readiness, hopeless pods."""

from typing import Any

import pytest

from k8s import deploy, workloads
from k8s.command import CommandError, DeployError
from k8s.ports import KIND_CONFIG, host_ports, node_ports, rendered

CONFIG = KIND_CONFIG.read_text()


def a_deployment(**status: int) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "eventline-user", "generation": 2, "labels": {workloads.NAME: "user"}},
        "spec": {"replicas": 1},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1} | status,
    }


def a_pod(reason: str, restarts: int = 0) -> dict[str, Any]:
    waiting = {"waiting": {"reason": reason, "message": "from the kubelet"}}
    return {"status": {"containerStatuses": [{"name": "user", "restartCount": restarts, "state": waiting}]}}


def test_without_variables_the_files_own_ports_hold_and_the_file_stays_as_it_is() -> None:
    ports = host_ports({}, CONFIG)
    assert ports["KIND_USER_PORT"] == 28080
    assert ports.keys() == node_ports(CONFIG).keys()
    assert rendered(ports, CONFIG) == CONFIG


def test_a_variable_moves_its_own_port_alone() -> None:
    ports = host_ports({"KIND_USER_PORT": "18080"}, CONFIG)
    changed = set(rendered(ports, CONFIG).splitlines()) - set(CONFIG.splitlines())
    assert [line.split(",")[1].strip() for line in changed] == ["hostPort: 18080"]


def test_every_port_is_bound_to_this_machine_alone() -> None:
    assert CONFIG.count("hostPort:") == CONFIG.count("listenAddress: 127.0.0.1") == len(node_ports(CONFIG))


@pytest.mark.parametrize("text", ["0", "65536", "http", "-1", "8080 "])
def test_what_is_no_port_is_refused_with_the_variables_name(text: str) -> None:
    with pytest.raises(DeployError, match="KIND_USER_PORT"):
        host_ports({"KIND_USER_PORT": text}, CONFIG)


def test_a_port_named_twice_is_refused_with_both_names() -> None:
    with pytest.raises(DeployError, match=r"28081 is named twice: \['KIND_USER_PORT', 'KIND_NOTIFICATION_PORT'\]"):
        host_ports({"KIND_USER_PORT": "28081"}, CONFIG)


def test_the_last_lines_name_the_ports_in_use() -> None:
    assert "http://127.0.0.1:18080/schema" in deploy.outro(host_ports({"KIND_USER_PORT": "18080"}, CONFIG))


def test_workloads_come_up_in_the_order_of_what_they_need() -> None:
    parts = ["prometheus", "user", "user-migrate", "postgres", "console-topics", "kafka"]
    found = [{"kind": "Job", "metadata": {"name": part, "labels": {workloads.NAME: part}}} for part in parts]
    assert [workload.part for workload in workloads.ordered(found)] == [*reversed(parts[1:]), "prometheus"]


@pytest.mark.parametrize(
    "status", [{"readyReplicas": 0}, {"updatedReplicas": 0}, {"replicas": 2}, {"observedGeneration": 1}]
)
def test_a_deployment_waits_while_a_pod_is_old_or_not_ready_or_the_change_unseen(status: dict[str, int]) -> None:
    assert workloads.pending(a_deployment()) is None
    assert workloads.pending(a_deployment(**status)) is not None


def test_a_deployment_scaled_to_nothing_is_no_success() -> None:
    found = a_deployment(replicas=0, readyReplicas=0, updatedReplicas=0) | {"spec": {"replicas": 0}}
    assert workloads.pending(found) is not None
    assert "scaled it to 0" in str(workloads.failed(found))


def test_a_failed_job_reports_why() -> None:
    condition = {"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "gave up"}
    job = {"kind": "Job", "metadata": {}, "spec": {}, "status": {"conditions": [condition]}}
    assert workloads.failed(job) == "BackoffLimitExceeded: gave up"


def test_a_missing_image_and_a_third_crash_are_hopeless_but_a_first_crash_is_not() -> None:
    assert "ImagePullBackOff" in str(workloads.hopeless(a_pod("ImagePullBackOff")))
    assert workloads.hopeless(a_pod("CrashLoopBackOff", restarts=3))
    assert workloads.hopeless(a_pod("CrashLoopBackOff", restarts=1)) is None


def test_an_error_carries_a_command_that_can_be_pasted() -> None:
    error = CommandError(("helm", "upgrade", "--set", "a={1, 2}"), 1, "no")
    assert "helm upgrade --set 'a={1, 2}'" in str(error)
