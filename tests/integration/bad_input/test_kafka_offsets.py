"""The Kafka rows of BAD-INPUT about offsets: transactions of another writer, and offsets that an operator resets."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka import TopicPartition as ClientPartition
from confluent_kafka.admin import AdminClient
from rich.console import Console

from services.audit import store_check
from services.audit.settings import StoreSettings
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin, TopicsError
from services.chassis.messages.clock import utc_now
from services.chassis.telemetry.telemetry import telemetry
from services.console.lag import Ages, Lag, lags
from services.contracts.catalog import TOPICS, USER_EVENTS, USER_NOTICES
from services.user import bootstrap as user
from services.user import rebuild_check
from services.user.settings import Settings as UserSettings
from services.workbench.bench import ours
from services.workbench.polling import until
from tests.support.broker import PATIENCE_S, running, settings, transact

NOTHING = {Lag("audit", topic.name, 0, 0) for topic in TOPICS}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(tmp_path_factory.mktemp("offsets"), TOPICS) as (address, _):
        yield address


class Audit:
    """The audit service with a store of its own."""

    def __init__(self, broker: str, folder: Path) -> None:
        self.url = f"sqlite:///{folder}/audit.db"
        self._environment = ours.environment(broker, self.url)
        self._settings = settings(broker)
        self._admin = KafkaAdmin(self._settings, "test")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the service."""
        plan = ours.PLANS["audit"](self._environment, telemetry("audit"))
        plan.prepare()
        stop = threading.Event()
        threads = [threading.Thread(target=part.run, args=(stop,)) for part in plan.components]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            plan.close()

    def lags(self) -> set[Lag]:
        """Return the lag of each topic, as `console lag` shows it."""
        return {lag for lag in lags(self._admin, Ages(self._settings, utc_now)) if lag.group == "audit"}

    def await_no_lag(self) -> None:
        until("no lag of audit", self.lags, NOTHING.__eq__, PATIENCE_S, TopicsError)

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
    migrations.upgrade(database, user.REVISIONS)
    database.close()
    output = io.StringIO()
    assert rebuild_check.check(user.build_rebuild(own), Console(file=output, width=132)) == []
    assert "1 users could not be folded" in output.getvalue()
