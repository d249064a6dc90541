"""A chart sets only variables that its program's settings accept, with values that they accept."""

from pathlib import Path
from typing import Any

import pytest
import trustme

import services.audit.settings
import services.notification.settings
import services.user.settings
from k8s.charts.settings import PROGRAMS
from services.chassis.settings.environment import Mixin, load
from services.workbench.settings import WorkbenchSettings
from tests.charts.helm import Helm, Resource, given
from tests.charts.pods import Pod, pods

pytestmark = pytest.mark.charts
MOUNTED = "/etc/eventline"
OF_JOBS: dict[str, type[Mixin]] = {
    "user-migrate": services.user.settings.StoreSettings,
    "notification-migrate": services.notification.settings.StoreSettings,
    "audit-migrate": services.audit.settings.StoreSettings,
    "console-topics": WorkbenchSettings,
}
KINDS: dict[str, type[Mixin]] = {**PROGRAMS, **OF_JOBS}
of_ours = [(chart, path) for chart, path in given() if chart in {*PROGRAMS, "eventline"}]


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the charts mount from Secrets."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = trustme.CA()
    for name in ("kafka-ca", "kafka-oauth-ca", "database-ca", "smtp-ca", "kafka-certificate"):
        (folder / name).mkdir()
        authority.cert_pem.write_to_path(folder / name / "ca.crt")
    leaf = authority.issue_cert("eventline")
    leaf.cert_chain_pems[0].write_to_path(folder / "kafka-certificate" / "tls.crt")
    leaf.private_key_pem.write_to_path(folder / "kafka-certificate" / "tls.key")
    return folder


@pytest.mark.parametrize(
    ("chart", "values"), [pytest.param(chart, path, id=f"{chart}-{path.stem}") for chart, path in of_ours]
)
def test_a_program_takes_what_its_chart_tells_it(helm: Helm, certificates: Path, chart: str, values: Path) -> None:
    resources = helm.resources(chart, "--values", values)
    for pod in pods(resources):
        if kind := KINDS.get(pod.labels["app.kubernetes.io/name"]):
            variables = _variables(pod, resources)
            files = {name: text.replace(MOUNTED, str(certificates)) for name, text in variables.items()}
            load(kind, files)  # raises what is wrong


def test_what_is_mounted_is_what_is_named(helm: Helm) -> None:
    resources = helm.resources(
        "user", "--values", next(path for _, path in of_ours if path.match("user/ci/external-*"))
    )
    pod = next(pod for pod in pods(resources) if pod.name.startswith("Deployment/"))
    mounted = [mount["mountPath"] for mount in pod.containers[0]["volumeMounts"]]
    named = [text for text in _variables(pod, resources).values() if text.startswith(MOUNTED)]
    assert len(named) == 3
    assert all(str(Path(text).parent) in mounted for text in named)


def test_the_job_of_topics_and_rights_has_the_settings_of_kafka_too(helm: Helm) -> None:
    """Rights are given on groups, whose ids have the prefix."""
    given = ("settings.kafkaGroupPrefix=shared-", "settings.kafkaOauthScope=kafka", "settings.logLevel=debug")
    resources = helm.resources("console", *(part for one in given for part in ("--set", one)))
    environments = {pod.labels["app.kubernetes.io/name"]: _variables(pod, resources) for pod in pods(resources)}
    job = environments["console-topics"]
    assert (job["APP_KAFKA_GROUP_PREFIX"], job["APP_KAFKA_OAUTH_SCOPE"]) == ("shared-", "kafka")
    assert "APP_LOG_LEVEL" not in job
    assert environments["console"]["APP_KAFKA_GROUP_PREFIX"] == "shared-"


def test_a_large_number_stays_an_integer(helm: Helm) -> None:
    resources = helm.resources("user", "--set-json", "settings.consumerBatch=1000000")  # as from a file: a float
    assert _data(resources, "eventline-user")["APP_CONSUMER_BATCH"] == "1000000"


def test_a_chart_speaks_for_itself_before_global_does(helm: Helm) -> None:
    off = "networkPolicy.enabled=false"
    variables = _of_user(helm, off, "global.kafka.bootstrapServers=a:1", "kafka.bootstrapServers=b:2")
    assert variables["APP_KAFKA_BOOTSTRAP_SERVERS"] == "b:2"
    variables = _of_user(helm, off, "global.kafka.bootstrapServers=a:1")
    assert variables["APP_KAFKA_BOOTSTRAP_SERVERS"] == "a:1"


def test_three_brokers_hold_each_record_three_times_by_one_value(helm: Helm) -> None:
    resources = helm.resources("eventline", "--set", "global.kafka.replicas=3")
    job = next(pod for pod in pods(resources) if pod.name.startswith("Job/eventline-console-topics"))
    variables = _variables(job, resources)
    assert (variables["APP_KAFKA_REPLICATION_FACTOR"], variables["APP_KAFKA_MIN_INSYNC_REPLICAS"]) == ("3", "2")
    broker = next(
        resource for resource in resources if resource["kind"] == "StatefulSet" and "kafka" in str(resource["metadata"])
    )
    assert broker["spec"]["replicas"] == 3


def test_traces_go_nowhere_unless_a_collector_is_named(helm: Helm) -> None:
    assert [name for name in _of_user(helm) if name.startswith("OTEL_")] == []


def test_traces_go_where_the_whole_or_the_chart_reports(helm: Helm) -> None:
    off = "networkPolicy.enabled=false"
    variables = _of_user(helm, off, "global.tracing.endpoint=http://a:4318", "tracing.endpoint=http://b:4318")
    assert {name: text for name, text in variables.items() if name.startswith("OTEL_")} == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://b:4318"
    }


@pytest.mark.parametrize(
    ("endpoint", "port"), [("http://collector:4318", 4318), ("http://collector/a:1", 80), ("https://collector", 443)]
)
def test_a_pod_reaches_the_collector_of_traces_on_its_port_alone(helm: Helm, endpoint: str, port: int) -> None:
    peers = "networkPolicy.tracing[0].podSelector.matchLabels.name=collector"
    resources = helm.resources("user", "--set", f"tracing.endpoint={endpoint},{peers}")
    policy = next(one for one in resources if one["kind"] == "NetworkPolicy" and one["metadata"]["name"][-4:] == "user")
    collector = {"podSelector": {"matchLabels": {"name": "collector"}}}
    rules = [rule for rule in policy["spec"]["egress"] if rule["to"] == [collector]]
    assert rules == [{"ports": [{"port": port, "protocol": "TCP"}], "to": [collector]}]


def test_every_client_of_kafka_reaches_the_issuer_of_its_tokens_on_one_port_and_trusts_its_authority(
    helm: Helm,
) -> None:
    values = next(path for _, path in of_ours if path.match("eventline/ci/oauth-*"))
    resources = helm.resources("eventline", "--values", values)
    issuer = {"ports": [{"port": 8443, "protocol": "TCP"}], "to": [{"ipBlock": {"cidr": "192.0.2.18/32"}}]}
    policies = {one["metadata"]["name"]: one["spec"] for one in resources if one["kind"] == "NetworkPolicy"}
    reaching = {name for name, spec in policies.items() if issuer in spec.get("egress", [])}
    clients = {
        pod.labels["app.kubernetes.io/name"]: pod for pod in pods(resources) if "eventline/kafka-client" in pod.labels
    }
    assert set(clients) == {"user", "notification", "audit", "console", "console-topics"}
    assert reaching == {f"eventline-{name}" for name in clients}
    for pod in clients.values():
        assert _variables(pod, resources)["APP_KAFKA_OAUTH_CA_FILE"] == f"{MOUNTED}/kafka-oauth-ca/ca.crt"
        assert f"{MOUNTED}/kafka-oauth-ca" in [mount["mountPath"] for mount in pod.containers[0]["volumeMounts"]]


def _of_user(helm: Helm, *values: str) -> dict[str, str]:
    resources = helm.resources("user", *(word for value in values for word in ("--set", value)))
    return _variables(next(pod for pod in pods(resources) if pod.name.startswith("Deployment/")), resources)


def _variables(pod: Pod, resources: list[Resource]) -> dict[str, str]:
    """Return a pod's environment; a secret's value is made up."""
    container = pod.containers[0]
    variables: dict[str, str] = {}
    for source in container.get("envFrom", []):
        variables |= _data(resources, source["configMapRef"]["name"])
    return variables | {one["name"]: one.get("value", "a secret") for one in container.get("env", [])}


def _data(resources: list[Resource], name: str) -> dict[str, Any]:
    maps = (one for one in resources if one["kind"] == "ConfigMap" and one["metadata"]["name"] == name)
    found: dict[str, Any] = next(maps)["data"]
    return found
