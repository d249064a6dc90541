"""A right that a running service loses: not ready with the right's name, and it reads again once it is granted.

The user service works without Kafka: it stays open, and its readiness shows the reason all the same.
"""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from services.contracts.service_list import ROWS, SERVICES
from services.workbench.polling import until
from tests.integration.bad_input.test_tls import Running, broker, running
from tests.support.broker import write
from tests.support.certificates import USER, Files
from tests.support.readiness import ask, environment
from tests.support.secure_broker import SecureBroker

__all__ = ["broker"]  # the fixture
TOPICS = {row.name: row.reads[-1] for row in ROWS if row.reads} | {"audit": "user.dlq.v1"}
CONSUMED, ERRORS, PAUSED = (
    "messaging_client_consumed_messages_total",
    "kafka_client_error_events_total",
    "consumer_paused",
)


def total(service: Running, name: str, **labels: str) -> float:
    """Return the sum of a metric's series with these labels."""
    families = text_string_to_metric_families(ask(service.metrics, "/metrics")[1])
    samples = [sample for family in families for sample in family.samples if sample.name == name]
    return float(sum(sample.value for sample in samples if labels.items() <= sample.labels.items()))


@pytest.mark.long
@pytest.mark.parametrize("kind", ["GROUP", "TOPIC"])
@pytest.mark.parametrize("name", SERVICES)
def test_a_right_that_is_taken_ends_readiness_with_its_name_until_it_is_granted(
    name: str, kind: str, broker: SecureBroker, files: Files, tmp_path: Path
) -> None:
    denied = name if kind == "GROUP" else TOPICS[name]
    settings = broker.settings("right", files) | {"APP_DATABASE_URL": f"sqlite:///{tmp_path}/{name}.db"}
    with running(name, environment(name, **settings), tmp_path) as service:
        service.await_reason("ok\n", 200)
        until("partitions", lambda: total(service, PAUSED) == 0)
        with broker.only("DESCRIBE", kind, denied):
            reason = f"user {USER} needs the right READ on {kind.lower()} {denied}"
            text = service.await_reason(reason, 200 if name == "user" else 503)
            assert "\nconsumer: " in f"\n{text}"
            assert total(service, PAUSED) == 1
            assert total(service, ERRORS, client="consumer") >= 1
        if name != "user":  # a record that is none of its own would stop notification's restore in other tests
            before = total(service, CONSUMED)
            write(broker.address("plaintext"), TOPICS[name], b"no JSON")
            until("a record", lambda: total(service, CONSUMED) > before)
        until("partitions", lambda: total(service, PAUSED) == 0)
        service.await_ready()
