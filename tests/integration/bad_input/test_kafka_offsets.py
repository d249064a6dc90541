"""The Kafka rows of BAD-INPUT about what others do to topics and groups of running services.

Transactions of another writer, offsets that an operator resets, partitions added to the topic of a publisher.
"""

import io
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient, NewPartitions  # type: ignore[attr-defined]  # re-exported, unmarked
from rich.console import Console

from services.audit import store_check
from services.audit.settings import StoreSettings
from services.chassis.database.database import Database
from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin, TopicsError
from services.chassis.kafka.partition_reader import read_topic
from services.chassis.messages.clock import utc_now
from services.chassis.outbox import event_store, relay
from services.chassis.telemetry.telemetry import Telemetry, telemetry
from services.console.lag import Ages, Lag, lags
from services.contracts.catalog import EVENT_TOPICS, TOPICS, USER_EVENTS, USER_NOTICES
from services.user import bootstrap as user
from services.user import rebuild_check
from services.user.settings import Settings as UserSettings
from services.workbench.bench import ours
from services.workbench.bench.workload import registered
from services.workbench.polling import until
from tests.support.broker import PATIENCE_S, delete, ensure, running, settings, transact
from tests.support.schemas import upgrade

USERS = 30
NOTHING = {Lag("audit", topic.name, 0, 0) for topic in EVENT_TOPICS}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("offsets"), TOPICS) as (address, _):
        yield address


@contextmanager
def service(name: str, environment: Mapping[str, str]) -> Iterator[Telemetry]:
    """Run a service's components and yield its telemetry."""
    instruments, stop = telemetry(name), threading.Event()
    plan = ours.PLANS[name](environment, instruments)
    plan.prepare()
    threads = [threading.Thread(target=part.run, args=(stop,)) for part in plan.components]
    for thread in threads:
        thread.start()
    try:
        yield instruments
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        plan.close()


class Audit:
    """The audit service with a store of its own."""

    def __init__(self, broker: str, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/audit.db"
        self._environment = ours.environment(broker, self.url)
        self._settings = settings(broker)
        self._admin = KafkaAdmin(self._settings, "test")

    def running(self) -> AbstractContextManager[Telemetry]:
        """Run the service."""
        return service("audit", self._environment)

    def lags(self) -> set[Lag]:
        """Return the lag of each topic, as `console lag` shows it."""
        return {lag for lag in lags(self._admin, Ages(self._settings, utc_now)) if lag.group == "audit"}

    def await_no_lag(self) -> None:
        until("no lag of audit", self.lags, NOTHING.__eq__, PATIENCE_S, (TopicsError, BrokerUnavailableError))

    def verify(self) -> str:
        """Verify the store and return the summary."""
        output = io.StringIO()
        store_check.verify(StoreSettings(database_url=self.url), Console(file=output, width=132))
        return output.getvalue()


@pytest.fixture(scope="module")
def audit(broker: str, tmp_path_factory: pytest.TempPathFactory) -> Audit:
    """A service that has read two transactions, each with a marker behind its record."""
    audit = Audit(broker, tmp_path_factory.mktemp("audit"))
    transact(broker, USER_NOTICES.name, b"1")
    transact(broker, USER_NOTICES.name, b"2")
    with audit.running():
        audit.await_no_lag()
    return audit


def test_row_transaction_of_another_writer_is_neither_lag_nor_a_changed_log(audit: Audit) -> None:
    summary = audit.verify()
    assert USER_NOTICES.name in summary
    assert audit.lags() == NOTHING


def test_row_offsets_reset_by_an_operator_are_lag_only_until_the_service_runs_again(broker: str, audit: Audit) -> None:
    before = audit.verify()
    admin = AdminClient({"bootstrap.servers": broker})
    places = [ClientPartition(USER_NOTICES.name, number, 0) for number in range(USER_NOTICES.partitions)]
    for future in admin.alter_consumer_group_offsets([ConsumerGroupTopicPartitions("audit", places)]).values():
        future.result(PATIENCE_S)
    assert audit.lags() != NOTHING
    with audit.running():
        audit.await_no_lag()
    assert audit.verify() == before, "something was applied twice"


def test_a_transaction_does_not_keep_the_rebuild_from_its_end(broker: str, tmp_path: Path) -> None:
    transact(broker, USER_EVENTS.name)
    transact(broker, USER_EVENTS.name, b"no event")
    own = UserSettings(kafka_bootstrap_servers=broker, database_url=f"sqlite:///{tmp_path}/user.db")
    database = Database(own.database)
    upgrade(database, user.REVISIONS)
    database.close()
    output = io.StringIO()
    assert rebuild_check.check(user.build_rebuild(own), Console(file=output, width=132)) == []
    assert "1 users could not be folded" in output.getvalue()


def append(database: Database, first: int) -> None:
    """Append registrations of users from a number on."""
    events = [registered(number) for number in range(first, first + USERS)]
    with database.write() as connection, event_store.appending(connection, utc_now()) as pending:
        pending.events += [stored.event for stored in events]


def facts(broker: str, partitions: int) -> Counter[int]:
    """Return the number of facts in each partition."""
    batches = read_topic(settings(broker), USER_EVENTS.name, partitions)
    return Counter(record.partition for batch in batches for record in batch if record.header("ce_type"))


def test_row_partitions_added_to_a_publishers_topic(
    broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The publisher halts and is not ready, naming both counts; recreated, the topic gets what was held back."""
    monkeypatch.setattr(relay, "RENEW_S", 0.2)
    url = f"sqlite:///{tmp_path}/user.db"
    with service("user", ours.environment(broker, url)) as instruments:
        health, read = instruments.health, instruments.metrics.registry.get_sample_value
        pending = partial(read, "outbox_pending_events")
        database = Database(url)
        append(database, 1)
        until("all published", pending, (0.0).__eq__, PATIENCE_S)
        admin = AdminClient({"bootstrap.servers": broker})
        admin.create_partitions([NewPartitions(USER_EVENTS.name, 12)])[USER_EVENTS.name].result(PATIENCE_S)
        reason = until("not ready", health.missing, lambda missing: "relay" in missing, PATIENCE_S)["relay"]
        assert "topic user.events.v1 has 12 partitions on the broker, 6 in the catalog" in reason
        append(database, 1 + USERS)
        database.close()
        assert (read("relay_halted"), pending(), facts(broker, 12).total()) == (1, USERS, USERS)
        assert max(facts(broker, 12)) < USER_EVENTS.partitions
        delete(broker, USER_EVENTS.name)
        until("the topic", lambda: ensure(broker, [USER_EVENTS]))
        until("all published", pending, (0.0).__eq__, PATIENCE_S)
        assert (read("relay_halted"), "relay" in health.missing()) == (0, False)
    assert facts(broker, USER_EVENTS.partitions).total() == USERS
