"""The chart of Kafka Connect: off by default, its connectors as files, a worker that nobody can reach."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from k8s.charts.schema import read
from k8s.charts.settings import CHARTS
from tests.charts.helm import Helm, Resource, parsed
from tests.charts.pods import pods

pytestmark = pytest.mark.charts
CHART = CHARTS / "connect"
EXTERNAL = ("--values", CHART / "ci" / "external-values.yaml")
ON = ("--set", "connect.enabled=true")
CLIENTS = ("", "admin.", "consumer.", "producer.")


def test_the_whole_has_no_worker_by_default(helm: Helm) -> None:
    assert of_connect(helm.resources("eventline")) == []


def test_one_value_adds_the_worker_with_a_login_and_no_way_to_reach_it(helm: Helm) -> None:
    found = of_connect(helm.resources("eventline", *ON))
    policies = ["NetworkPolicy", "NetworkPolicy"]
    assert sorted(one["kind"] for one in found) == ["ConfigMap", "ConfigMap", "Job", *policies, "StatefulSet"]
    assert [one["spec"].get("ingress") for one in found if one["kind"] == "NetworkPolicy"] == [None, None]
    for pod in pods(found):
        assert "ports" not in pod.containers[0]
        assert pod.labels["eventline/kafka-client"] == "true"  # the broker's policy lets it in


@pytest.mark.parametrize(
    ("values", "made"),
    [
        ((), {"READS": "user.notices.v1", "WRITES": "example.lines.v1"}),
        (("connect.connectors.lines-from-file=null",), {"READS": "user.notices.v1", "WRITES": ""}),
        (
            ("connect.connectors.notices-to-file.topics=a.v1\\,b.v1",),
            {"READS": "a.v1 b.v1", "WRITES": "example.lines.v1"},
        ),
        (("connect.kafka.existingSecret=own",), None),
        (("global.kafka.accessControl=false",), None),
    ],
)
def test_the_login_has_the_topics_of_the_connectors_unless_one_is_named(
    helm: Helm, values: tuple[str, ...], made: dict[str, str] | None
) -> None:
    set_ = [word for value in values for word in ("--set", value)]
    rendered = helm.rendered("eventline", *ON, *set_)
    jobs = [one for one in of_connect(parsed(rendered)) if one["kind"] == "Job"]
    assert ("eventline-kafka-connect:user=connect,password" in rendered) is (made is not None)
    given = [_environment(pod.containers[0]) for pod in pods(jobs)]
    assert [{name: one[name] for name in ("READS", "WRITES")} for one in given] == ([made] if made else [])


def _environment(container: Resource) -> dict[str, str]:
    return {one["name"]: one.get("value", "") for one in container["env"]}


def test_the_worker_uses_the_broker_image_of_the_whole(helm: Helm) -> None:
    images = {one["metadata"]["name"]: one for one in helm.resources("eventline", *ON) if one["kind"] == "StatefulSet"}
    used = {
        images[f"eventline-{name}"]["spec"]["template"]["spec"]["containers"][0]["image"]
        for name in ("kafka", "connect")
    }
    assert len(used) == 1


def test_the_examples_are_those_of_the_compose_file() -> None:
    given = read(CHART / "values.yaml")["connectors"]
    files = {path.stem: properties(path.read_text()) for path in (CHART / "files" / "connectors").iterdir()}
    assert files == {name: {"name": name} | {key: str(text) for key, text in of.items()} for name, of in given.items()}


def test_every_connector_is_a_file_of_the_worker(helm: Helm) -> None:
    resources = helm.resources("connect", *EXTERNAL)
    assert {name: properties(text) for name, text in data(resources, "eventline-connect-connectors").items()} == {
        "state-to-database.properties": {
            "name": "state-to-database",
            "connector.class": "com.example.JdbcSinkConnector",
            "topics": "user.state.v1",
            "connection.password": "${env:DATABASE_PASSWORD}",
            "transforms": "place",
            "transforms.place.type": "org.apache.kafka.connect.transforms.InsertField$Value",
        }
    }
    (config,) = (
        volume["projected"]["sources"] for volume in pods(resources)[0].spec["volumes"] if "projected" in volume
    )
    assert [item["path"] for item in config[1]["configMap"]["items"]] == ["connectors/state-to-database.properties"]


def test_properties_of_the_worker_follow_its_own_and_win(helm: Helm) -> None:
    usual = properties((CHART / "files" / "worker.properties").read_text())
    worker = properties(data(helm.resources("connect", *EXTERNAL), "eventline-connect")["worker.properties"])
    assert worker == usual | {"offset.flush.interval.ms": "1000"}
    assert worker["listeners"] == "http://127.0.0.1:8083"


def test_a_number_stays_as_it_is_written_and_a_backslash_is_one(helm: Helm) -> None:
    given = '{"a": 1000000, "b": 0.5, "c": true, "d": "\\\\d+"}'  # as from a file: a float
    text = data(helm.resources("connect", "--set-json", f"worker={given}"), "eventline-connect")["worker.properties"]
    assert text.splitlines()[-4:] == ["a=1000000", "b=0.5", "c=true", "d=\\\\d+"]


def test_another_connector_rolls_the_pod(helm: Helm) -> None:
    sums = {
        checksum(helm.resources("connect", *values))
        for values in [(), ("--set", "connectors.notices-to-file.file=/tmp/a")]
    }
    assert len(sums) == 2


def test_the_pod_reaches_dns_the_broker_and_what_is_named(helm: Helm) -> None:
    (policy,) = (one["spec"] for one in helm.resources("connect", *EXTERNAL) if one["kind"] == "NetworkPolicy")
    assert "ingress" not in policy
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert [[port["port"] for port in rule["ports"]] for rule in policy["egress"]] == [[53, 53], [9093], [5432]]
    assert [str(rule["to"]) for rule in policy["egress"][1:]] == [
        str([{"ipBlock": {"cidr": cidr}}]) for cidr in ("10.0.0.0/8", "10.1.0.0/16")
    ]


def test_passwords_come_from_secrets_alone(helm: Helm) -> None:
    container = pods(helm.resources("connect", *EXTERNAL))[0].containers[0]
    secret = {one["name"] for one in container["env"] if "valueFrom" in one}
    assert secret == {"APP_KAFKA_USER", "APP_KAFKA_PASSWORD"}
    assert container["envFrom"] == [{"secretRef": {"name": "connect-passwords"}}]


def test_each_client_of_the_worker_is_given_the_broker_and_its_security(tmp_path: Path) -> None:
    """By the script that starts it; a program that is none of Kafka's is started."""
    written = started(
        tmp_path,
        APP_KAFKA_SECURITY_PROTOCOL="sasl_ssl",
        APP_KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        APP_KAFKA_USER="connect",
        APP_KAFKA_PASSWORD='a"b\\c',  # noqa: S106  # of nothing that runs
        APP_KAFKA_CA_FILE="/ca.crt",
    )
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    for client in CLIENTS:
        assert written[f"{client}security.protocol"] == "SASL_SSL"
        assert written[f"{client}ssl.truststore.location"] == "/ca.crt"
        assert written[f"{client}sasl.mechanism"] == "SCRAM-SHA-512"
        # Twice: a property's backslash counts twice, and a quoted text's does.
        assert written[f"{client}sasl.jaas.config"] == f'{login} username="connect" password="a\\\\"b\\\\\\\\c";'
    assert written["bootstrap.servers"] == "kafka:9092"
    assert written["plugin.path"].endswith("connect-file-1.jar")


def test_a_client_certificate_is_one_file_with_its_key(tmp_path: Path) -> None:
    (tmp_path / "crt").write_text("certificate\n")
    (tmp_path / "key").write_text("key\n")
    pair = {"APP_KAFKA_CERTIFICATE_FILE": str(tmp_path / "crt"), "APP_KAFKA_KEY_FILE": str(tmp_path / "key")}
    written = started(tmp_path, APP_KAFKA_SECURITY_PROTOCOL="ssl", **pair)
    for client in CLIENTS:
        store = Path(written[f"{client}ssl.keystore.location"])
        assert (store.read_text(), store.stat().st_mode & 0o077) == ("key\ncertificate\n", 0)
        assert f"{client}sasl.mechanism" not in written


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ("connector.a.topics=b", "'connector'"),
        ("replicas=2", "'replicas'"),
        ("connectors.a.topics=b", "connector.class"),
        ("connectors.Upper.connector\\.class=b", "Upper"),
        ("connectors.notices-to-file.name=b", "/connectors/notices-to-file/name"),
        ("worker.listeners=http://0.0.0.0:8083", "worker.listeners cannot be given"),
        ("worker.bootstrap\\.servers=a:1", "worker.bootstrap.servers cannot be given"),
        ("jvm.heap=1GB", "/jvm/heap"),
        ("persistence.size=1", "/persistence/size"),
        ("image.tag=", "/image/tag"),
        ("kafka.bootstrapServers=kafka", "/kafka/bootstrapServers"),
        ("kafka.bootstrapServers=kafka.example.com:9092", "networkPolicy.kafka is empty"),
        ("kafka.securityProtocol=sasl_ssl", "kafka.existingSecret is empty"),
        ("connectors.notices-to-file=null,connectors.lines-from-file=null", "connectors is empty"),
    ],
)
def test_a_value_that_cannot_work_is_refused(helm: Helm, value: str, named: str) -> None:
    done = helm.template("connect", "--set", value)
    assert done.returncode != 0, f"it takes {value}"
    assert named in done.stderr


def test_the_whole_checks_the_values_of_the_worker_too(helm: Helm) -> None:
    assert "/jvm/heap" in helm.template("eventline", *ON, "--set", "connect.jvm.heap=1GB").stderr


def of_connect(resources: list[Resource]) -> list[Resource]:
    """Return the resources of the worker."""
    names = {"connect", "connect-login"}
    return [one for one in resources if one["metadata"]["labels"]["app.kubernetes.io/name"] in names]


def data(resources: list[Resource], name: str) -> dict[str, str]:
    """Return what a ConfigMap holds."""
    (found,) = (one["data"] for one in resources if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", name))
    return dict(found)


def checksum(resources: list[Resource]) -> str:
    """Return the pod's annotation that follows its configuration."""
    template: dict[str, Any] = next(one for one in resources if one["kind"] == "StatefulSet")["spec"]["template"]
    return str(template["metadata"]["annotations"]["checksum/config"])


def properties(text: str) -> dict[str, str]:
    """Return the lines of a file of properties, the last of a name."""
    lines = (line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {name: value for name, _, value in lines}


def started(folder: Path, **variables: str) -> dict[str, str]:
    """Return the worker's properties that the script has written for a program which prints them."""
    (folder / "libs").mkdir()
    (folder / "bin").mkdir()
    (folder / "libs" / "connect-file-1.jar").touch()
    program = folder / "bin" / "connect-standalone.sh"
    program.write_text('#!/bin/bash\ncat "$1"\n')
    program.chmod(0o755)
    own = {"KAFKA_HOME": str(folder), "TMPDIR": str(folder), "APP_KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
    command = ("bash", str(CHART / "files" / "run.sh"))
    environment = {"PATH": os.environ["PATH"]} | own | variables
    return properties(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
