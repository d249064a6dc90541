"""Kafka by TLS in the cluster: the made certificate is checked, and one of ours replaces it under load.

On a release that speaks TLS, with one node or three: `KIND_KAFKA_TLS=1 make deploy`, and then, for ten minutes,
`pytest -m "e2e and on_demand" tests/e2e/test_kind_tls.py --target kind -o faulthandler_timeout=1800`.
"""

import json
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from k8s.command import CLUSTER, NAMESPACE, RELEASE, helm, kubectl
from k8s.release import CHARTS
from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.settings.environment import variables
from services.console.secrets.material import HOSTS, certificate
from tests.e2e.kind_target import WORKLOADS, KindTarget, address
from tests.e2e.load import losses, under_load
from tests.e2e.pods import kubeconfig
from tests.support.certificates import AUTHORITY
from tests.support.command_blocks import blocks_for, execute
from tests.support.console_process import console
from tests.support.stories.story import Story
from tests.support.stories.target import BROKER, Target

pytestmark = pytest.mark.on_demand

ANSWER_S, DAY_S = 5.0, 86_400.0
RATE, LASTS_S = 15.0, 240.0
KAFKA = f"{RELEASE}-kafka"
NAMES = (KAFKA, f"*.{KAFKA}-nodes.{NAMESPACE}.svc", "127.0.0.1")
EXPIRES_IN_S = "min(kafka_certificate_expiry_timestamp_seconds) - time()"


@pytest.fixture(autouse=True)
def _by_tls() -> None:
    if not json.loads(helm("get", "values", RELEASE, "--output", "json"))["global"]["kafka"].get("tls"):
        pytest.skip("the release speaks no TLS: KIND_KAFKA_TLS=1 make deploy")


def test_the_commands_of_this_machine_reach_the_broker_and_the_expiry_is_watched(target: Target, story: Story) -> None:
    story.await_audit(story.register_user())
    for settings, *command in (
        (target.administrator, "rights", "--check"),
        (target.kafka, "lag"),
        (target.kafka, "events", "--no-follow", "--count", "1"),
    ):
        code, output = console(variables(KafkaSettings, settings), *command)
        assert code == 0, f"{command}: {output}"
    assert 700 < days_left() < 731


@pytest.mark.parametrize("outsider", ["no TLS", "another authority"])
def test_a_client_that_does_not_check_the_brokers_certificate_gets_no_answer(
    target: Target, tmp_path: Path, outsider: str
) -> None:
    other = tmp_path / "other.crt"
    AUTHORITY.cert_pem.write_to_path(str(other))
    settings = {
        "no TLS": replace(target.kafka, kafka_security_protocol="sasl_plaintext", kafka_ca_file=""),
        "another authority": replace(target.kafka, kafka_ca_file=str(other)),
    }[outsider]
    with pytest.raises(BrokerUnavailableError):
        KafkaAdmin(settings, "outsider").reach(ANSWER_S)


def test_a_certificate_of_ones_own_replaces_the_made_one_under_load_and_loses_nothing(
    target: Target, tmp_path: Path
) -> None:
    for name, content in certificate({HOSTS: ";".join(NAMES)}).items():
        (tmp_path / name).write_bytes(content)
    new = replace(target.kafka, kafka_ca_file=str(tmp_path / "ca.crt"))
    with Path(target.kafka.kafka_ca_file).open("ab") as trusted:  # by the load, which reads to its end
        trusted.write((tmp_path / "ca.crt").read_bytes())
    (tmp_path / "charts").symlink_to(CHARTS)
    revision = str(json.loads(helm("history", RELEASE, "--max", "1", "--output", "json"))[-1]["revision"])
    (block,) = blocks_for(__file__)
    try:
        with under_load(target, LASTS_S, tmp_path, RATE) as load:
            place = {"KUBECONFIG": str(kubeconfig(CLUSTER, tmp_path))}
            code, output = execute(block.text, place, tmp_path, 600.0)
            assert code == 0, output
            assert load.child.poll() is None, "the load ended before the change"
            assert losses(load.outcome()) == [], load.output()
        for trusting in (new, KindTarget().kafka):
            KafkaAdmin(trusting, "own").reach(ANSWER_S)
    finally:
        helm("rollback", RELEASE, revision)
        kubectl("rollout", "status", WORKLOADS[BROKER], "--timeout=600s")
        kubectl("delete", "secret", "kafka-own", "--ignore-not-found")


def days_left() -> float:
    """Return how many days the brokers' certificate is valid, as Prometheus has it."""
    url = f"http://{address('prometheus')}/api/v1/query"
    answer = httpx.get(url, params={"query": EXPIRES_IN_S}, timeout=10).raise_for_status().json()
    (found,) = answer["data"]["result"]
    return float(found["value"][1]) / DAY_S
