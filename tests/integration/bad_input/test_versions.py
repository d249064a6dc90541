"""The Database rows of BAD-INPUT about another time: a schema newer or older than the program, an old backup."""

import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, text, update

import services
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.database.migrations import SchemaError
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.latest_published import LatestPublished
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.record import Outgoing, TopicPartition
from services.chassis.outbox import relay as relay_module
from services.chassis.outbox.event_publisher import Outbox
from services.chassis.outbox.event_store import counter, events
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.lease import relay as relay_row
from services.chassis.outbox.relay import Relay
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.envelope import to_headers
from services.contracts.service_list import SERVICES
from services.workbench.local.system import clean_environment
from services.workbench.polling import until
from tests.integration.bad_input.test_config import Running, good
from tests.support.broker import create, settings
from tests.support.builders import a_new_event, a_telemetry, an_envelope, an_event_store, append, append_events

SOURCE = "/test/events"
PARTITIONS = 2


NEWEST = dict.fromkeys(SERVICES, "0001") | {"user": "0006", "notification": "0007", "audit": "0005"}


def revisions(name: str) -> Path:
    return Path(services.__path__[0]) / name / "migrations"


@pytest.mark.parametrize("name", SERVICES)
def test_row_schema_newer_than_the_program(name: str, database: Database) -> None:
    """Schema newer: refused with both versions, whether the service migrates or not, and nothing is changed."""
    migrations.upgrade(database, revisions(name))
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for migrate in (True, False):
        with pytest.raises(SchemaError, match=f"has schema 9999, the newest that this program knows is {NEWEST[name]}"):
            migrations.prepare(database, revisions(name), migrate=migrate)


@pytest.mark.parametrize("name", SERVICES)
def test_row_schema_older_than_the_program(name: str, database: Database) -> None:
    """Schema older: a service that does not migrate names both versions and waits until somebody did."""
    with pytest.raises(SchemaError, match=rf"has schema none, this program needs {NEWEST[name]}: .*`migrate`"):
        migrations.prepare(database, revisions(name), migrate=False)
    migrations.prepare(database, revisions(name), migrate=True)
    migrations.prepare(database, revisions(name), migrate=False)


@pytest.mark.long
def test_row_schema_older_then_migrated_by_command(tmp_path: Path) -> None:
    """Schema older: the process is not ready with the reason; after `migrate`, which ends with 0, it is ready."""
    environment = good("user", tmp_path, APP_DATABASE_MIGRATE="false")
    running = Running("user", environment, tmp_path)
    with running.system:
        running.system.start("user")
        running.await_report("start: the database has schema none, this program needs 0006")
        assert migrated("user", APP_DATABASE_URL=environment["APP_DATABASE_URL"]) == (0, "")
        running.await_ready()


@pytest.mark.long
def test_the_command_migrate_gives_up_in_time_and_reports_why() -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/none"
    code, output = migrated("notification", APP_DATABASE_URL=url, APP_MIGRATE_WITHIN="1s")
    assert (code, output.splitlines()[0]) == (1, "notification cannot migrate:")
    assert "onnection refused" in output


def migrated(name: str, **environment: str) -> tuple[int, str]:
    """Run the command `migrate`; return its exit code and what it complained about."""
    argv = [sys.executable, "-m", f"services.{name}", "migrate"]
    done = subprocess.run(argv, env=clean_environment(environment), capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


class Publisher:
    """A publisher with a store, and a topic of its own on the real broker."""

    def __init__(self, database: Database, broker: str) -> None:
        self.database = database
        self.settings: KafkaSettings = settings(broker)
        self.topic = create(broker, partitions=PARTITIONS)
        self.envelope: Telemetry = a_telemetry()
        an_event_store(database)

    def records(self, stored: StoredEvent) -> Sequence[Outgoing]:
        event = stored.event
        envelope = an_envelope(id=event.event_id, source=SOURCE, sequence=stored.sequence, version=event.version)
        return [Outgoing(self.topic, event.event_id.encode(), b"{}", to_headers(envelope))]

    @contextmanager
    def relay(self) -> Iterator[None]:
        """Let a relay publish the store meanwhile."""
        outbox = Outbox(
            database=self.database,
            leases=Leases(self.database, "test", timedelta(seconds=60)),
            records=self.records,
            open_producer=lambda: Producer(self.settings, "test"),
            newest=LatestPublished(self.settings, self.topic, PARTITIONS, SOURCE),
        )
        self.envelope = a_telemetry()
        stop = threading.Event()
        thread = threading.Thread(target=Relay(outbox, threading.Event(), self.envelope).run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def publish(self, cursor: int) -> None:
        """Let a relay publish up to a sequence number."""
        leases = Leases(self.database, "looking", timedelta(0))
        with self.relay():
            until("the cursor", lambda: leases.cursor() == cursor)

    def written(self) -> int:
        """Return how many records the topic has."""
        places = [TopicPartition(self.topic, number) for number in range(PARTITIONS)]
        return sum(KafkaAdmin(self.settings, "test").ends(places).values())

    def restore(self, sequence: int) -> None:
        """Put the store back to what it was at a sequence number."""
        with self.database.write() as connection:
            connection.execute(delete(events).where(events.c.sequence > sequence))
            connection.execute(update(counter).values(last_sequence=sequence))
            connection.execute(update(relay_row).values(cursor=sequence))

    def append_others(self, *versions: int) -> None:
        """Append events that are not those that were there before."""
        append(self.database, *(a_new_event(version, event_id=f"another-{version}") for version in versions))


@pytest.fixture
def publisher(database: Database, broker: str, monkeypatch: pytest.MonkeyPatch) -> Publisher:
    monkeypatch.setattr(relay_module, "RENEW_S", 0.05)
    return Publisher(database, broker)


@pytest.mark.parametrize("others", [(), (3,), (3, 4, 5, 6, 7)], ids=["none since", "fewer since", "more since"])
def test_row_an_old_backup_restored(publisher: Publisher, others: tuple[int, ...]) -> None:
    """An old backup restored: nothing is published under a taken sequence, not ready, both events named; then cured."""
    append_events(publisher.database, 1, 2, 3, 4)
    publisher.publish(4)
    publisher.restore(2)
    publisher.append_others(*others)
    with publisher.relay():
        until("the relay's readiness", lambda: "relay" in publisher.envelope.health.missing())
        reason = publisher.envelope.health.missing()["relay"]
        assert "holds event event-4 under sequence 4, this store has " in reason
        assert ("another-4" if len(others) > 1 else "nothing") in reason
        assert publisher.written() == 4
        publisher.restore(2)
        append_events(publisher.database, 3, 4, 5)
        until("the relay's readiness", lambda: "relay" not in publisher.envelope.health.missing())
        until("written records", lambda: publisher.written() >= 5)


def test_the_latest_own_event_is_found_before_many_records_of_another_writer(publisher: Publisher) -> None:
    append_events(publisher.database, 1, 2)
    publisher.publish(2)
    latest = LatestPublished(publisher.settings, publisher.topic, PARTITIONS, SOURCE)
    before = latest()
    with closing(Producer(publisher.settings, "test")) as other:
        other.publish(Outgoing(publisher.topic, b"%d" % number, b"foreign", []) for number in range(1000))
    assert sorted(latest(), key=str) == sorted(before, key=str) != []


def test_a_crash_between_the_log_and_the_cursor_is_no_old_backup(publisher: Publisher) -> None:
    append_events(publisher.database, 1, 2)
    publisher.publish(2)
    with publisher.database.write() as connection:
        connection.execute(update(relay_row).values(cursor=0))
    publisher.publish(2)
    assert publisher.written() == 4
