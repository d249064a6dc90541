"""The Merkle tree of the store: it grows with the log, and a log of the version before gets one."""

import shutil
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, text

from services.audit import store
from services.audit.bootstrap import REVISIONS
from services.audit.domain import Chain, Entry, new_chain
from services.audit.verification import Verification
from services.chassis.database.database import Database
from services.chassis.database.migrations import SchemaError, prepare, upgrade
from services.chassis.transparency.tree import Edge, Node, extend
from tests.support.audit_log import ORIGIN, TOPIC_IDS, a_fact, all_entries, open_log, record_all

TOPIC = "user.events.v1"


def tree_of(database: Database) -> tuple[Edge, list[Node]]:
    with database.read() as connection:
        size, packed = connection.execute(text("SELECT size, edge FROM log")).one()
        nodes = connection.execute(text('SELECT level, "index", hash FROM nodes ORDER BY level, "index"')).all()
    return Edge.unpacked(size, packed), [Node(*row) for row in nodes]


def expected(entries: list[Entry]) -> tuple[Edge, list[Node]]:
    return extend(Edge(), [entry.leaf for entry in entries])


def test_the_tree_grows_with_the_log(database: Database) -> None:
    open_log(database)
    assert tree_of(database) == (Edge(), [])
    for first, last in ((0, 1), (1, 300), (300, 700), (700, 701)):
        record_all(database, *(a_fact(offset) for offset in range(first, last)))
        assert tree_of(database) == expected(all_entries(database))
    assert len(tree_of(database)[1]) == 701 // 256


def test_a_batch_that_is_rolled_back_leaves_the_tree_as_it_was(database: Database) -> None:
    open_log(database)
    record_all(database, *(a_fact(offset) for offset in range(255)))
    before = tree_of(database)
    with pytest.raises(KeyError, match="unknown"):
        record_all(database, a_fact(255), a_fact(0, topic="unknown"))
    assert tree_of(database) == before


@pytest.fixture
def old(database: Database, tmp_path: Path) -> Path:
    """The revisions of the version before, to which the database is brought."""
    revisions = shutil.copytree(REVISIONS, tmp_path / "before")
    for later in ("merkle_tree.py", "checkpoints.py", "actors.py"):
        (revisions / later).unlink()
    upgrade(database, revisions)
    return revisions


@pytest.mark.usefixtures("old")
def test_a_log_of_the_version_before_gets_its_tree_and_goes_on(database: Database) -> None:
    values = [b"{}"] * 600 + [None, bytes(store.LARGEST_VALUE + 1), b""]
    with database.write() as connection:
        written = _old_log(connection, values)
    upgrade(database, REVISIONS)
    migrated = all_entries(database)
    assert [(one.position, one.leaf, one.chain, one.key) for one in migrated] == [
        (one.position, one.leaf, one.chain, one.key) for one in written
    ]
    assert tree_of(database) == expected(written)
    assert len(tree_of(database)[1]) == 2
    record_all(database, a_fact(len(values)))
    assert tree_of(database) == expected(all_entries(database))
    with database.read() as connection:
        Verification(ORIGIN).check(store.read_entries(connection))


def test_an_empty_log_of_the_version_before_goes_on(database: Database, old: Path) -> None:
    with database.write() as connection:
        _old_log(connection, [])
    upgrade(database, REVISIONS)
    record_all(database, a_fact(0))
    assert tree_of(database) == expected(all_entries(database))
    with pytest.raises(SchemaError, match="has schema 0005"):
        prepare(database, old, migrate=False)


def _old_log(connection: Connection, values: list[bytes | None]) -> list[Entry]:
    """Write a log as the version before did, which had no leaves."""
    topic_id = TOPIC_IDS[TOPIC]
    chain = new_chain(ORIGIN, TOPIC, topic_id, 0)
    entries = [_old_entry(chain, offset, value) for offset, value in enumerate(values)]
    names = [name for name in Entry.__struct_fields__ if name not in {"leaf", "actor"}]
    columns, marks = (", ".join(form.format(name) for name in names) for form in ('"{}"', ":{}"))
    for entry in entries:
        row = {name: getattr(entry, name) for name in names}
        connection.execute(text(f"INSERT INTO entries ({columns}) VALUES ({marks})"), row)  # noqa: S608  # our own names
    connection.execute(text("INSERT INTO log VALUES (1, :origin, :size)"), {"origin": ORIGIN, "size": len(entries)})
    if entries:
        connection.execute(store.chains.insert(), msgspec.structs.asdict(chain))
    return entries


def _old_entry(chain: Chain, offset: int, value: bytes | None) -> Entry:
    entry = Entry(
        position=offset,
        topic=chain.topic,
        topic_id=chain.topic_id,
        partition=0,
        offset=offset,
        ts_type=1,
        ts_ms=offset,
        flags=2 * (value is None) + 4,
        leaf=b"",
        chain=b"",
        key=b"key",
        value=value,
        headers=None,
        recorded_at=0,
        type=None,
        subject=None,
        correlation_id=None,
        event_time=None,
    )
    chain.add(entry)
    return entry
