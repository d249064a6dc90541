"""A kind cluster for one test, with our images under tags of its own, and what must outlive a change of the release."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from k8s.command import NAMESPACE, RELEASE, run
from services.contracts.service_list import JOBS

CLUSTER = "eventline-trial"
NODE = f"{CLUSTER}-control-plane"
PATIENCE = "--timeout=900s"
BUILT = "dev"
# Of each partition: a topic that is created again has another id. Kafka makes its own topics (`__…`) later.
TOPIC_IDS = "cd /var/lib/kafka/data/log && grep -h topic_id [a-z]*/partition.metadata | sort -u"
OWN_SECRETS = ("eventline-postgres", "eventline-postgres-user", "eventline-postgres-audit", "eventline-audit-keys")

Object = dict[str, Any]


class Kept(NamedTuple):
    """State that every change of the release must leave alone."""

    volumes: dict[str, str]  # by claim: the volume
    topics: str
    secrets: dict[str, str]  # by name: the data


class TrialCluster:
    """The cluster."""

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl in the namespace. Raises CommandError."""
        context = ("--context", f"kind-{CLUSTER}", "--namespace", NAMESPACE)
        return run("kubectl", *context, *arguments, text=text, seconds=1000)

    def helm(self, *arguments: str) -> str:
        """Run Helm in the namespace. Raises CommandError."""
        return run("helm", *arguments, "--kube-context", f"kind-{CLUSTER}", "--namespace", NAMESPACE, seconds=1200)

    def objects(self, *arguments: str, text: str | None = None) -> list[Object]:
        """Return the objects that `kubectl get` lists."""
        found = json.loads(self.kubectl("get", *arguments, "--output", "json", text=text))
        items: list[Object] = found.get("items", [found])
        return items

    def settle(self) -> None:
        """Wait until every workload is up to date and ready, and every Job has ended well."""
        for workload in self.objects("statefulsets,deployments"):
            reference = f"{workload['kind'].lower()}/{workload['metadata']['name']}"
            self.kubectl("rollout", "status", reference, PATIENCE)
        self.kubectl("wait", "--for=condition=Complete", "job", "--all", PATIENCE)

    def psql(self, database: str, sql: str) -> str:
        """Run SQL as the superuser, by the socket in the pod."""
        command = ("psql", "-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-c", sql)
        return self.kubectl("exec", f"statefulset/{RELEASE}-postgres", "--", *command).strip()

    def kept(self, *secrets: str) -> Kept:
        """Return what must outlive a change."""
        claims = {one["metadata"]["name"]: one["spec"]["volumeName"] for one in self.objects("pvc")}
        topics = self.kubectl("exec", f"statefulset/{RELEASE}-kafka", "--", "bash", "-c", TOPIC_IDS)
        found = self.objects("secrets", *secrets)
        return Kept(claims, topics, {one["metadata"]["name"]: json.dumps(one["data"]) for one in found})

    def tag(self, given: str, *others: str) -> None:
        """Load the images with one tag, and give them other tags on the node."""
        run("kind", "load", "docker-image", "--name", CLUSTER, *(f"eventline/{name}:{given}" for name in JOBS))
        for name in JOBS:
            for other in others:
                image = f"docker.io/eventline/{name}"
                on_node = ("docker", "exec", NODE, "ctr", "--namespace", "k8s.io", "images", "tag", "--force")
                run(*on_node, f"{image}:{given}", f"{image}:{other}")


@contextlib.contextmanager
def trial_cluster() -> Iterator[TrialCluster]:
    """Make the cluster, without the namespace, and remove it at the end. One that exists is used, and stays."""
    made = CLUSTER not in run("kind", "get", "clusters").split()
    if made:
        run("kind", "create", "cluster", "--name", CLUSTER, "--wait", "300s")
    try:
        cluster = TrialCluster()
        cluster.kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=300s")
        yield cluster
    finally:
        if made:
            run("kind", "delete", "cluster", "--name", CLUSTER)
