"""The script that starts the broker, in the compose file and in the chart: it writes the configuration and formats."""

import os
import subprocess
from pathlib import Path

import pytest

from k8s.charts.settings import CHARTS
from tests.charts.helm import Helm
from tests.charts.test_connect import properties

pytestmark = pytest.mark.charts

FILES = CHARTS / "kafka" / "files"
LOGIN = "listener.name.{}.plain.sasl.jaas.config"


@pytest.fixture
def kafka(tmp_path: Path) -> Path:
    """A folder like the image's, whose programs show what they are given; its volume is new."""
    for name in ("bin", "config", "data"):
        (tmp_path / name).mkdir()
    show = {"kafka-storage": f'printf "%s\\n" "$@" > {tmp_path}/formatted', "kafka-server-start": 'cat "$1"'}
    for name, script in show.items():
        program = tmp_path / "bin" / f"{name}.sh"
        program.write_text(f"#!/bin/bash\n{script}\n")
        program.chmod(0o755)
    return tmp_path


def test_variables_become_properties_by_the_images_rule(kafka: Path) -> None:
    more = {"KAFKA_A_B__C___D": "back\\slash", "KAFKA_HEAP_OPTS": "-Xmx1m"}
    written = properties(started(kafka, **more))
    assert written == {"a.b_c-d": "back\\\\slash", "log.dirs": f"{kafka}/data", "listeners": "INTERNAL://:9094"}
    assert "--add-scram" not in formatted(kafka)


def test_with_passwords_everybody_logs_in_and_a_new_volume_has_the_administrator(kafka: Path) -> None:
    passwords(kafka)
    written = properties(started(kafka))
    assert written["super.users"] == "User:broker;User:eventline-topics"
    assert written["authorizer.class.name"].endswith("StandardAuthorizer")
    for listener in ("internal", "controller"):
        assert f'password="${{files:{kafka}/users:broker}}"' in written[LOGIN.format(listener)]
        assert "/etc/kafka/users" not in written[LOGIN.format(listener)]
    assert "of-the-broker" not in str(written)
    given = formatted(kafka)
    assert given[given.index("--add-scram") + 1] == "SCRAM-SHA-512=[name=eventline-topics,password=of-the-admin]"


def test_an_old_volume_is_not_formatted_again(kafka: Path) -> None:
    (kafka / "data" / "meta.properties").touch()
    started(kafka)
    assert not (kafka / "formatted").exists()


@pytest.mark.parametrize("password", ["", "short", 'quo"ted-one', "with,comma"])
def test_a_password_that_kafkas_quoting_would_change_is_refused(kafka: Path, password: str) -> None:
    for given in ({"administrator": password}, {"broker": password}):
        passwords(kafka, **given)
        done = run(kafka)
        assert done.returncode == 1
        assert "must be 8 to 128 of" in done.stderr
        assert password not in done.stderr or not password


def test_one_of_three_nodes_asks_with_its_login_whether_it_has_caught_up(helm: Helm) -> None:
    (scripts,) = (
        one["data"]
        for one in helm.resources("eventline", "--set", "global.kafka.replicas=3")
        if (one["kind"], one["metadata"]["name"]) == ("ConfigMap", "eventline-kafka")
    )
    script = " ".join(scripts["started.sh"].split())
    assert "--bootstrap-server localhost:9094 --command-config /opt/kafka/config/broker.properties --describe" in script


def passwords(kafka: Path, administrator: str = "of-the-admin", broker: str = "of-the-broker") -> None:
    """Write the files of passwords."""
    (kafka / "users").mkdir(exist_ok=True)
    (kafka / "users" / "broker").write_text(broker)
    (kafka / "users" / "administrator").write_text(administrator)


def formatted(kafka: Path) -> list[str]:
    """Return the arguments by which the volume was formatted."""
    return (kafka / "formatted").read_text().splitlines()


def started(kafka: Path, **variables: str) -> str:
    """Return the configuration with which the broker starts."""
    done = run(kafka, **variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run(kafka: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run the script to its end."""
    own = {"PATH": os.environ["PATH"], "KAFKA_HOME": str(kafka), "USERS": str(kafka / "users"), "CLUSTER_ID": "id"}
    broker = {"KAFKA_LOG_DIRS": str(kafka / "data"), "KAFKA_LISTENERS": "INTERNAL://:9094"}
    command = ("bash", str(FILES / "run.sh"))
    return subprocess.run(command, env=own | broker | variables, capture_output=True, text=True, check=False)
