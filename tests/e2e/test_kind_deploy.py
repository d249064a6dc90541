"""A second `make deploy` right after the first: it changes nothing."""

import os
import subprocess
import sys

from k8s import release
from k8s.command import kubectl, objects
from tests.e2e.kind_target import WORKLOADS
from tests.e2e.pods import version
from tests.support.stories.target import BROKER, Target

KINDS = "pods,secrets,jobs,statefulsets,deployments,configmaps,services,networkpolicies,roles,serviceaccounts,pvc"
PATIENCE_S = 300.0


def test_deploying_again_restarts_no_pod_and_writes_no_object(target: Target) -> None:
    before = versions()
    nodes = kubectl("get", WORKLOADS[BROKER], "--output", "jsonpath={.spec.replicas}")
    same = {release.NODES: nodes, release.TLS: "1" if target.kafka.encrypts else ""}
    command = (sys.executable, "-m", "k8s", "deploy")
    done = subprocess.run(
        command, env=os.environ | same, capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert versions() == before, done.stdout


def versions() -> dict[str, tuple[str, ...]]:
    """Return what tells that an object was written, of every object of the release."""
    return {f"{one['kind']}/{one['metadata']['name']}": version(one) for one in objects(KINDS)}
