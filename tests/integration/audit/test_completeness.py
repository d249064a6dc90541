"""`complete` on a real broker: each record without an entry is found, and what compaction and others leave is not."""

import io
import os
import subprocess
import sys
from collections.abc import Callable

import pytest
from rich.console import Console
from sqlalchemy import delete

from services.audit import handlers, store
from services.audit.chain_heads import Heads
from services.audit.completeness import command
from services.audit.completeness.comparison import Broker
from services.audit.settings import Settings
from services.audit.store import entries
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import read_topic
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import Record, partitions_of
from services.chassis.settings.environment import load
from tests.support.audit_log import ORIGIN, open_log
from tests.support.broker import create, settings, transact, truncate, write


class World:
    """A topic of one partition, and a log that reads it when it is called."""

    def __init__(self, broker: str, database: Database, url: str) -> None:
        self.broker, self.database = broker, database
        self.topic = create(broker, partitions=1)
        self.environment = {"APP_DATABASE_URL": url, "APP_KAFKA_BOOTSTRAP_SERVERS": broker}
        open_log(database)

    def write(self, *values: bytes) -> None:
        """Write records."""
        write(self.broker, self.topic, *values)

    def record(self) -> None:
        """Enter every record that the topic has and the log lacks."""
        topic_id = KafkaAdmin(settings(self.broker), "test").ids([self.topic])[self.topic]
        records: list[Record] = [one for batch in read_topic(settings(self.broker), self.topic, 1) for one in batch]
        with self.database.write() as connection:
            handlers.record(store.Log(connection, ORIGIN, Heads()), records, lambda _: topic_id, utc_now())

    def lose(self, offset: int) -> None:
        """Delete an entry."""
        with self.database.write() as connection:
            connection.execute(delete(entries).where(entries.c.offset == offset))

    def complete(self) -> tuple[bool, str]:
        """Return the verdict, and the line of the topic."""
        admin, places, output = KafkaAdmin(settings(self.broker), "test"), partitions_of(self.topic, 1), io.StringIO()
        found = Broker(admin.ids([self.topic]), admin.begins(places), admin.stable_ends(places))
        is_complete = command.run(load(Settings, self.environment), found, Console(file=output, width=200))
        *lines, _ = output.getvalue().splitlines()
        return is_complete, "".join(lines).removeprefix(self.topic)


@pytest.fixture
def world(broker: str, database: Database, database_url: str) -> World:
    return World(broker, database, database_url)


def test_a_log_with_an_entry_for_each_record_is_complete(world: World) -> None:
    assert world.complete() == (True, "")
    world.write(b"0", b"1", b"2")
    world.record()
    assert world.complete() == (True, "")


def test_records_after_the_last_entry_are_behind(world: World) -> None:
    world.write(b"0", b"1")
    assert world.complete() == (False, "[0]: behind from offset 0, records without an entry: 2")
    world.record()
    world.write(b"2", b"3", b"4")
    assert world.complete() == (False, "[0]: behind from offset 2, records without an entry: 3")


@pytest.mark.parametrize("offset", [0, 1])
def test_an_entry_that_is_missing_is_a_gap_although_its_chain_still_counts_it(world: World, offset: int) -> None:
    world.write(b"0", b"1", b"2")
    world.record()
    world.lose(offset)
    gap = f"[0]: gap from offset {offset}, records without an entry: 1"
    assert world.complete() == (False, gap)
    world.write(b"3")
    assert world.complete() == (False, f"{gap}; behind from offset 3, records without an entry: 1")


def truncated(world: World) -> None:
    truncate(world.broker, world.topic, 2)


def transacted(world: World) -> None:
    transact(world.broker, world.topic, b"in a transaction")


@pytest.mark.parametrize("happens", [truncated, transacted])
def test_what_retention_and_transactions_leave_is_no_gap(world: World, happens: Callable[[World], None]) -> None:
    world.write(b"0", b"1", b"2")
    happens(world)
    world.record()
    assert world.complete() == (True, "")
    world.write(b"after")
    world.record()
    assert world.complete() == (True, "")


def run(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    others = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    argv = (sys.executable, "-m", "services.audit", "complete")
    return subprocess.run(argv, env=others | environment, capture_output=True, text=True, check=False)


@pytest.mark.long
def test_the_command_reports_the_topics_that_audit_reads_by_its_exit_code(world: World) -> None:
    write(world.broker, "user.events.v1", b"not entered")
    done = run(world.environment)
    assert done.returncode == 1, done.stderr
    assert "user.events.v1[" in done.stdout
    done = run(world.environment | {"APP_AUDIT_ORIGIN": "example.org/other"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "APP_AUDIT_ORIGIN" in done.stderr
