"""Refusals of the audit service's `restore`, and its report of records that retention has deleted; on a broker."""

import io
from functools import partial

import pytest
from rich.console import Console

from services.audit import store
from services.audit.bootstrap import REVISIONS
from services.audit.chain_heads import Heads
from services.audit.handlers import Handler
from services.audit.restore import command
from services.audit.restore.command import RestoreError, Store, Topics
from services.audit.topic_ids import KnownIds
from services.chassis.consumer.offset_tracker import OffsetTracker
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import partitions_of
from tests.support.audit_log import ORIGIN, all_entries
from tests.support.broker import create, settings, truncate, write
from tests.support.schemas import upgrade


@pytest.fixture
def topic(broker: str) -> str:
    """A topic of one partition with three records."""
    name = create(broker, partitions=1)
    write(broker, name, b"0", b"1", b"2")
    return name


def restore(broker: str, topic: str, database: Database, *, after_backup: bool = False) -> str:
    """Restore from a topic; return the report."""
    upgrade(database, REVISIONS)
    admin, partitions = KafkaAdmin(settings(broker), "test"), partitions_of(topic, 1)
    topic_ids = KnownIds(admin)
    into = Store(
        database,
        ORIGIN,
        Handler(partial(store.Log, origin=ORIGIN, heads=Heads()), topic_ids.id_of, utc_now),
        OffsetTracker(database, topic_ids, {topic: 1}),
    )
    topics, report = Topics(settings(broker), admin.begins(partitions), admin.ends(partitions)), io.StringIO()
    command.run(topics, into, Console(file=report, width=200), after_backup=after_backup)
    return report.getvalue()


def offsets(database: Database) -> list[int]:
    return [entry.offset for entry in all_entries(database)]


def test_a_log_with_entries_is_restored_only_as_a_backup(broker: str, topic: str, database: Database) -> None:
    restore(broker, topic, database)
    write(broker, topic, b"3")
    with pytest.raises(RestoreError, match="the database is not empty, it has 3 entries: if it is a backup"):
        restore(broker, topic, database)
    assert offsets(database) == [0, 1, 2]
    restore(broker, topic, database, after_backup=True)
    assert offsets(database) == [0, 1, 2, 3]


def test_an_empty_log_is_no_backup(broker: str, topic: str, database: Database) -> None:
    with pytest.raises(RestoreError, match="is empty, so it is no backup: use `restore` without --after-backup"):
        restore(broker, topic, database, after_backup=True)
    assert offsets(database) == []


def test_an_empty_log_begins_where_retention_has_left_the_topic_and_says_so(
    broker: str, topic: str, database: Database
) -> None:
    truncate(broker, topic, 2)
    report = restore(broker, topic, database)
    assert offsets(database) == [2]
    assert f"{topic}[0]: the evidence begins at offset 2, nothing before it is recorded" in report


def test_a_backup_behind_deleted_offsets_goes_on_and_names_the_gap(broker: str, topic: str, database: Database) -> None:
    restore(broker, topic, database)
    write(broker, topic, b"3", b"4", b"5")
    truncate(broker, topic, 5)
    report = restore(broker, topic, database, after_backup=True)
    assert offsets(database) == [0, 1, 2, 5]
    assert f"{topic}[0]: 2 offsets between 0 and 5 have no entry" in report


def test_a_topic_of_which_everything_was_deleted_has_no_evidence_and_is_named(
    broker: str, topic: str, database: Database
) -> None:
    truncate(broker, topic, 3)
    assert f"{topic}[0]: no evidence, all records before offset 3 have been deleted" in restore(broker, topic, database)
