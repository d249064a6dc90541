"""Values for production: images by digest, placement, additions of the user, ways in from outside."""

from typing import Any

import msgspec
import pytest

from k8s.charts.settings import CHARTS
from tests.charts.helm import PRODUCTION, Helm, Resource
from tests.charts.pods import Pod, pods
from tests.charts.test_refusals import refusal

pytestmark = pytest.mark.charts
ROUTED = ("--values", CHARTS / "user" / "ci" / "routed-values.yaml")
DIGEST = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
SAME = ("kubeVersion", "home", "sources", "maintainers", "icon", "annotations")


@pytest.fixture
def production(helm: Helm) -> list[Resource]:
    return helm.resources("eventline", "--values", PRODUCTION)


def test_production_has_no_part_for_development_and_no_image_for_it(production: list[Resource]) -> None:
    images = {container["image"] for pod in pods(production) for container in pod.containers}
    names = {"user", "notification", "audit", "witness", "console"}
    assert images == {f"registry.example.com/eventline/{name}:0.1.0" for name in names}


def test_production_renders_no_password(production: list[Resource]) -> None:
    assert [one for one in production if one["kind"] == "Secret"] == []
    assert not [pod for pod in pods(production) if "console-secrets" in pod.name]


def test_production_has_three_pods_of_each_service_and_encrypted_connections(production: list[Resource]) -> None:
    for name in ("user", "notification", "audit"):
        assert _one(production, "Deployment", f"eventline-{name}")["spec"]["replicas"] == 3
        assert _one(production, "PodDisruptionBudget", f"eventline-{name}")["spec"]["maxUnavailable"] == 1
        variables = _one(production, "ConfigMap", f"eventline-{name}")["data"]
        assert variables["APP_KAFKA_SECURITY_PROTOCOL"] == "sasl_ssl"
        assert "sslmode=verify-full" in variables["APP_DATABASE_URL"]


def test_each_service_has_a_kafka_login_of_its_own(production: list[Resource]) -> None:
    logins = {
        pod.name: one["valueFrom"]["secretKeyRef"]["name"]
        for pod in pods(production)
        for one in pod.containers[0].get("env", [])
        if one["name"] == "APP_KAFKA_PASSWORD" and not pod.name.startswith("Pod/")
    }
    principals = ("audit", "lag-exporter", "notification", "topics", "user")
    assert sorted(logins.values()) == [f"kafka-{name}" for name in principals]


def test_a_digest_replaces_the_tag(helm: Helm) -> None:
    of_the_program = {pod.containers[0]["image"] for pod in pods(helm.resources("user", *ROUTED))}
    assert of_the_program == {f"eventline/user@{DIGEST}"}
    mail = pods(helm.resources("mail", "--set", f"image.digest={DIGEST}"))
    assert mail[0].containers[0]["image"] == f"axllent/mailpit@{DIGEST}"


def test_pods_and_jobs_have_the_additions_of_the_user(helm: Helm) -> None:
    for pod in _programs(helm):
        container = pod.containers[0]
        assert {"name": "HTTPS_PROXY", "value": "http://proxy:3128"} in container["env"], pod.name
        assert {"name": "extra", "configMap": {"name": "extra"}} in pod.spec["volumes"], pod.name
        assert {"name": "extra", "mountPath": "/etc/extra", "readOnly": True} in container["volumeMounts"], pod.name
        assert pod.spec["priorityClassName"] == "high", pod.name


def test_a_rule_of_the_spread_counts_the_pods_of_one_version(helm: Helm) -> None:
    (rule,) = next(pod.spec for pod in _programs(helm) if "Deployment" in pod.name)["topologySpreadConstraints"]
    assert rule["whenUnsatisfiable"] == "DoNotSchedule"
    assert rule["matchLabelKeys"] == ["pod-template-hash"]
    assert rule["labelSelector"]["matchLabels"]["app.kubernetes.io/name"] == "user"


def test_both_ways_in_lead_to_the_api_and_to_nothing_else(helm: Helm) -> None:
    resources = helm.resources("user", *ROUTED)
    ingress = _one(resources, "Ingress", "eventline-user")["spec"]
    assert ingress["rules"][0]["http"]["paths"][0]["backend"]["service"]["port"] == {"name": "http"}
    assert ingress["tls"] == [{"hosts": ["user.example.com"], "secretName": "user-tls"}]
    route = _one(resources, "HTTPRoute", "eventline-user")["spec"]
    assert route["rules"][0]["backendRefs"][0]["port"] == 8080


def test_there_is_no_way_in_by_default(helm: Helm) -> None:
    assert not {one["kind"] for one in helm.resources("eventline")} & {"Ingress", "HTTPRoute"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("ingress.enabled=true", "ingress.host is empty"),
        ("httpRoute.enabled=true", "httpRoute.parentRefs is empty"),
        ("image.digest=sha256:1", "/image/digest"),
        ("extraEnv[0].name=APP_DATABASE_URL", "extraEnv names APP_DATABASE_URL, which is set already"),
        ("extraEnv[0].name=APP_DATABASE_PASSWORD", "extraEnv names APP_DATABASE_PASSWORD, which is set already"),
    ],
)
def test_an_addition_that_cannot_work_is_refused(helm: Helm, value: str, reason: str) -> None:
    assert reason in refusal(helm, "user", value)


def test_the_charts_have_the_same_metadata() -> None:
    found = [msgspec.yaml.decode(path.read_bytes()) for path in CHARTS.glob("*/Chart.yaml")]
    assert len({msgspec.json.encode({name: one[name] for name in SAME}, order="sorted") for one in found}) == 1


def _programs(helm: Helm) -> list[Pod]:
    return [pod for pod in pods(helm.resources("user", *ROUTED)) if not pod.name.startswith("Pod/")]


def _one(resources: list[Resource], kind: str, name: str) -> Any:
    return next(one for one in resources if (one["kind"], one["metadata"]["name"]) == (kind, name))
