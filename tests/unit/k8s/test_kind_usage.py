"""Checks that the kubelets' summaries are added up by part."""

from typing import Any

from k8s.command import NAMESPACE
from k8s.usage import Usage, summed

PARTS = {"eventline-user-1": "user", "eventline-user-2": "user", "eventline-kafka-0": "kafka"}


def a_pod(name: str, namespace: str = NAMESPACE, **measured: Any) -> dict[str, Any]:
    return {"podRef": {"name": name, "namespace": namespace}, **measured}


def measured(memory: int, nanocores: int) -> dict[str, Any]:
    return {"memory": {"workingSetBytes": memory}, "cpu": {"usageNanoCores": nanocores}}


def test_pods_of_one_part_are_taken_together() -> None:
    pods = [a_pod("eventline-user-1", **measured(10, 500_000_000)), a_pod("eventline-user-2", **measured(5, 0))]
    assert summed(pods, PARTS) == {"user": Usage(15, 0.5)}


def test_other_peoples_pods_and_those_that_have_ended_do_not_count() -> None:
    pods = [
        a_pod("eventline-user-1", "elsewhere", **measured(1, 1)),
        a_pod("eventline-user-migrate-1-x", **measured(1, 1)),
    ]
    assert summed(pods, PARTS) == {}


def test_a_pod_that_was_not_measured_yet_is_left_out_and_one_without_cpu_counts_with_none() -> None:
    pods = [a_pod("eventline-kafka-0"), a_pod("eventline-user-1", memory={"workingSetBytes": 7})]
    assert summed(pods, PARTS) == {"user": Usage(7, 0.0)}
