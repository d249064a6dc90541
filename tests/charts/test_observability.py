"""Prometheus, Alertmanager and Grafana in the chart, or what it gives to those of somebody else."""

import base64
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from k8s.charts.settings import CHARTS
from tests.charts.helm import Helm, Resource
from tests.charts.pods import pods

pytestmark = pytest.mark.charts
FILES = CHARTS / "observability" / "files"
DASHBOARDS = sorted((FILES / "grafana" / "dashboards").glob("*.json"))
LARGEST = 1024 * 1024  # of a ConfigMap
OFF = ("--set", "prometheus.enabled=false,alertmanager.enabled=false,grafana.enabled=false")
OPERATOR = ("--api-versions", "monitoring.coreos.com/v1")


def test_a_target_has_the_labels_of_every_other_prometheus_of_ours(helm: Helm) -> None:
    config = _file(helm, "prometheus", "prometheus.yml")
    (pods_of_ours,) = config["scrape_configs"]
    named = {rule["target_label"] for rule in pods_of_ours["relabel_configs"] if "target_label" in rule}
    assert named == {"job", "pod", "namespace"}


def test_a_service_monitor_names_the_job_as_the_service(helm: Helm) -> None:
    monitors = _of_kind(helm.resources("eventline", *OPERATOR), "ServiceMonitor")
    assert len(monitors) == 5
    for monitor in monitors:
        assert monitor["spec"]["jobLabel"] in monitor["metadata"]["labels"]


def test_the_rules_are_the_same_for_prometheus_and_for_an_operator(helm: Helm) -> None:
    rules = msgspec.yaml.decode((FILES / "rules.yml").read_bytes())
    assert _file(helm, "prometheus", "rules.yml") == rules
    (rule,) = _of_kind(helm.resources("observability", *OPERATOR), "PrometheusRule")
    assert rule["spec"] == rules


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), 0),
        (OPERATOR, 1),
        (("--set", "prometheusRule.enabled=always"), 1),
        ((*OPERATOR, "--set", "prometheusRule.enabled=never"), 0),
    ],
)
def test_a_rule_for_an_operator_stands_where_it_is_known_or_wanted(
    helm: Helm, arguments: tuple[str, ...], found: int
) -> None:
    assert len(_of_kind(helm.resources("observability", *arguments), "PrometheusRule")) == found


def test_what_an_operator_looks_for_has_the_labels_that_it_looks_by(helm: Helm) -> None:
    labels = ("--set", "prometheusRule.labels.release=ours,dashboards.labels.wall=yes")
    resources = helm.resources("observability", *OFF, *OPERATOR, *labels)
    assert {resource["kind"] for resource in resources} == {"PrometheusRule", "ConfigMap"}
    assert [rule["metadata"]["labels"]["release"] for rule in _of_kind(resources, "PrometheusRule")] == ["ours"]
    for dashboard in _of_kind(resources, "ConfigMap"):
        assert dashboard["metadata"]["labels"].items() >= {"grafana_dashboard": "1", "wall": "yes"}.items()


def test_each_dashboard_has_a_config_map_of_its_own_as_it_stands_in_its_file(helm: Helm) -> None:
    made = {name: text for one in _dashboards(helm) for name, text in one["data"].items()}
    assert len(_dashboards(helm)) == len(DASHBOARDS) == len(made) > 0
    assert {name: json.loads(text) for name, text in made.items()} == {
        path.name: json.loads(path.read_bytes()) for path in DASHBOARDS
    }
    assert max(len(text.encode()) for text in made.values()) < LARGEST


def test_grafana_reads_every_dashboard_and_where_to_look(helm: Helm) -> None:
    volumes = {volume["name"]: volume for volume in _pod(helm, "grafana")["volumes"]}
    sources = [source["configMap"]["name"] for source in volumes["dashboards"]["projected"]["sources"]]
    made = [dashboard["metadata"]["name"] for dashboard in _dashboards(helm)]
    assert sorted(sources) == sorted(["eventline-grafana", *made])
    provider = _file(helm, "grafana", "provider.yaml")["providers"][0]
    mounts = {mount["name"]: mount["mountPath"] for mount in _pod(helm, "grafana")["containers"][0]["volumeMounts"]}
    assert provider["options"]["path"] == mounts["dashboards"]


def test_alerts_are_mailed_to_the_sink_unless_configured_otherwise(helm: Helm) -> None:
    config = _file(helm, "alertmanager", "alertmanager.yml")
    assert config["global"]["smtp_smarthost"] == "eventline-mail:1025"
    assert config["receivers"][0]["email_configs"][0]["to"] == "operator@eventline.local"


def test_alerts_leave_by_a_mail_server_of_ones_own_encrypted_and_by_a_password_from_a_file(helm: Helm) -> None:
    values = CHARTS / "observability" / "ci" / "kept-values.yaml"
    config = _file(helm, "alertmanager", "alertmanager.yml", "--values", values)["global"]
    assert (config["smtp_smarthost"], config["smtp_require_tls"]) == ("smtp.example.com:587", True)
    folder, _, key = config["smtp_auth_password_file"].rpartition("/")
    pod = _pod(helm, "alertmanager", "--values", values)
    assert folder in [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    secrets = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
    assert secrets == [{"secretName": "smtp-login", "items": [{"key": key, "path": key}]}]


def test_receivers_of_ones_own_replace_the_mail(helm: Helm) -> None:
    values = CHARTS / "observability" / "ci" / "receivers-values.yaml"
    config = _file(helm, "alertmanager", "alertmanager.yml", "--values", values)
    assert config == msgspec.yaml.decode(values.read_bytes())["alertmanager"]["config"]


def test_a_secret_of_ones_own_holds_the_whole_configuration(helm: Helm) -> None:
    given = ("--set", "alertmanager.existingSecret=given,networkPolicy.enabled=false")
    assert _named(helm.resources("observability", *given), "ConfigMap", "eventline-alertmanager") == []
    volumes = _pod(helm, "alertmanager", *given)["volumes"]
    assert {"name": "config", "secret": {"secretName": "given"}} in volumes


@pytest.mark.parametrize("part", ["prometheus", "alertmanager", "grafana"])
def test_a_part_that_is_switched_off_leaves_nothing(helm: Helm, part: str) -> None:
    off = f"{part}.enabled=false,grafana.prometheusUrl=http://prometheus:9090,networkPolicy.enabled=false"
    left = [one["metadata"]["name"] for one in helm.resources("observability", "--set", off)]
    assert [name for name in left if part in name] == []


def test_only_the_kubelets_readers_may_look_beyond_the_namespace(helm: Helm) -> None:
    cluster_wide = {"ClusterRole", "ClusterRoleBinding"}
    assert not cluster_wide & {one["kind"] for one in helm.resources("observability")}
    resources = helm.resources("observability", "--set", "prometheus.kubelet.enabled=true")
    assert cluster_wide <= {one["kind"] for one in resources}
    (role,) = _of_kind(resources, "ClusterRole")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_a_password_that_nobody_gives_is_in_no_manifest(helm: Helm) -> None:
    resources = helm.resources("observability")
    assert _of_kind(resources, "Secret") == []
    (job,) = (pod for pod in pods(resources) if pod.name.startswith("Job/"))
    assert job.containers[0]["args"][-1] == "eventline-grafana-admin:admin-user=admin,admin-password"


def test_a_password_that_is_given_is_the_administrators(helm: Helm) -> None:
    resources = helm.resources("observability", "--set", "grafana.adminPassword=given")
    assert _password(resources) == b"given"
    assert _of_kind(resources, "Job") == []


def _password(resources: list[Resource]) -> bytes:
    (secret,) = _of_kind(resources, "Secret")
    return base64.b64decode(secret["data"]["admin-password"])


def _dashboards(helm: Helm) -> list[Resource]:
    maps = _of_kind(helm.resources("observability"), "ConfigMap")
    return [one for one in maps if "grafana_dashboard" in one["metadata"]["labels"]]


def _pod(helm: Helm, part: str, *arguments: str | Path) -> dict[str, Any]:
    found = pods(helm.resources("observability", *arguments))
    return next(pod.spec for pod in found if pod.name == f"Deployment/eventline-{part}")


def _file(helm: Helm, part: str, name: str, *arguments: str | Path) -> Any:
    (found,) = _named(helm.resources("observability", *arguments), "ConfigMap", f"eventline-{part}")
    return msgspec.yaml.decode(found["data"][name])


def _named(resources: list[Resource], kind: str, name: str) -> list[Resource]:
    return [one for one in _of_kind(resources, kind) if one["metadata"]["name"] == name]


def _of_kind(resources: list[Resource], kind: str) -> list[Resource]:
    return [resource for resource in resources if resource["kind"] == kind]
