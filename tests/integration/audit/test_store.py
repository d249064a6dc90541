"""The audit store on SQLite and PostgreSQL: append, read, search."""

import hashlib
import threading

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from services.audit import store
from services.audit.domain import LargeValue, link, new_chain
from services.audit.store import StoreError
from services.chassis.database.database import Database, metadata
from services.chassis.messages.clock import to_micros
from services.chassis.messages.record import Record
from tests.support.audit_log import ORIGIN, a_fact, all_entries, find, open_log, record_all
from tests.support.builders import NOW
from tests.support.query_plans import full_scans, plans, sorts

OURS = {"log", "chains", "entries", "nodes", "progress"}


def positions(database: Database, **filters: object) -> list[int]:
    return [found.entry.position for found in find(database, **filters).found]


def at(offset: int, time: bytes, **changed: object) -> Record:
    """Return a record with an event's time only."""
    return a_fact(offset, headers=[("ce_time", time)], **changed)


def test_the_revisions_create_the_tables_of_the_code(database: Database) -> None:
    open_log(database)
    with database.read() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: kind != "table" or name in OURS},
        )
        differences = compare_metadata(context, metadata)
    assert [found for found in differences if OURS & _tables_of(found)] == []


def _tables_of(difference: object) -> set[str]:
    parts = difference if isinstance(difference, tuple) else difference[0]  # type: ignore[index]  # Alembic's own forms
    return {str(getattr(getattr(part, "table", part), "name", part)) for part in parts}


def test_entries_are_read_back_byte_for_byte(database: Database) -> None:
    open_log(database)
    fact = a_fact(3)
    record_all(database, fact, a_fact(4, key=None, value=None, headers=None))
    first, second = all_entries(database)
    assert (first.key, first.value, first.position) == (fact.key, fact.value, 0)
    assert (second.key, second.value, second.headers, second.flags) == (None, None, None, 7)
    with database.read() as connection:
        (chain,) = store.read_chains(connection).values()
        size = store.read_size(connection, ORIGIN)
    assert (chain.first_offset, chain.next_offset, chain.length, chain.head) == (3, 5, 2, second.chain)
    assert size == 2


def test_a_batch_continues_the_chains_of_the_last_one(database: Database) -> None:
    open_log(database)
    record_all(database, a_fact(0), a_fact(0, partition=1))
    outcome = record_all(database, a_fact(0), a_fact(1), a_fact(1, partition=1))
    assert dict(outcome.repeats) == {"user.events.v1": 1}
    assert [(e.position, e.partition, e.offset) for e in all_entries(database)] == [
        (0, 0, 0),
        (1, 1, 0),
        (2, 0, 1),
        (3, 1, 1),
    ]


def test_a_batch_that_is_rolled_back_leaves_nothing(database: Database) -> None:
    open_log(database)
    record_all(database, a_fact(0))
    with pytest.raises(KeyError, match="unknown"):
        record_all(database, a_fact(1), a_fact(0, topic="unknown"))
    record_all(database, a_fact(1))
    assert [e.position for e in all_entries(database)] == [0, 1]


def test_headers_of_any_kind_can_be_stored(database: Database) -> None:
    open_log(database)
    for offset, hostile in enumerate([b"a\0b", b"\xff", b"x" * 100_000, "ä".encode() * 128, b"'; --", b""]):
        record_all(database, a_fact(offset, headers=[("ce_subject", hostile), ("ce_type", None), ("", hostile)]))
    assert [e.subject for e in all_entries(database)] == [None, None, None, "ä" * 128, "'; --", None]


def test_two_processes_append_one_after_the_other(database_url: str) -> None:
    databases = [Database(database_url), Database(database_url)]
    open_log(databases[0])

    def work(number: int) -> None:
        for offset in range(25):
            record_all(databases[number], a_fact(offset, partition=number))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    entries = all_entries(databases[0])
    for database in databases:
        database.close()
    assert [entry.position for entry in entries] == list(range(50))
    assert {(entry.partition, entry.offset) for entry in entries} == {(p, o) for p in (0, 1) for o in range(25)}


def test_another_origin_is_refused_and_named(database: Database) -> None:
    open_log(database)
    open_log(database)
    with pytest.raises(StoreError, match=r"has the log 'eventline.local/audit', but APP_AUDIT_ORIGIN is 'mine'"):
        open_log(database, "mine")


def test_reading_the_whole_log_sees_one_snapshot(database: Database) -> None:
    open_log(database)
    record_all(database, a_fact(0))
    with database.snapshot() as connection:
        size = store.read_size(connection, ORIGIN)
        record_all(database, a_fact(1))
        assert len(list(store.read_entries(connection))) == size == 1
        assert [chain.length for chain in store.read_chains(connection).values()] == [1]


def test_entries_are_found_by_topic_subject_and_correlation(database: Database) -> None:
    open_log(database)
    record_all(database, a_fact(0), a_fact(0, topic="user.state.v1"), a_fact(1), a_fact(1, topic="user.state.v1"))
    assert positions(database) == [0, 1, 2, 3]
    assert positions(database, topic="user.state.v1") == [1, 3]
    assert positions(database, subject="user-1") == [2, 3]
    assert positions(database, correlation_id="command-0") == [0, 1]
    assert positions(database, correlation_id="command-0", topic="user.state.v1") == [1]
    assert positions(database, subject="nobody") == []


def test_pages_have_neither_gap_nor_overlap(database: Database) -> None:
    open_log(database)
    record_all(database, *[a_fact(offset) for offset in range(5)])
    page = find(database, limit=2)
    assert (positions(database, limit=2), page.more) == ([0, 1], True)
    assert positions(database, limit=2, after=1) == [2, 3]
    assert (positions(database, limit=2, after=3), find(database, limit=2, after=3).more) == ([4], False)
    assert positions(database, after=4) == []


def test_pages_by_time_are_ordered_by_time(database: Database) -> None:
    open_log(database)
    late, early, same = b"2026-11-22T12:00:03Z", b"2026-11-22T12:00:01Z", b"2026-11-22T12:00:02Z"
    record_all(database, at(0, late), at(1, early), at(2, same), at(3, same), at(4, b"never"))
    since = to_micros(NOW)
    assert positions(database, since=since) == [1, 2, 3, 0]
    assert positions(database, since=since, limit=2) == [1, 2]
    assert positions(database, since=since, limit=2, after=2) == [3, 0]
    assert positions(database, since=since + 2_000_000, until=since + 3_000_000) == [2, 3]
    assert positions(database, until=since + 2_000_000) == [1]


def test_a_page_of_large_values_is_shorter_than_its_limit(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    open_log(database)
    monkeypatch.setattr(store, "LARGEST_PAGE", 1500)
    record_all(database, *[a_fact(offset, value=b"x" * 1000) for offset in range(4)])
    page = find(database)
    assert (len(page.found), page.more) == (2, True)
    assert positions(database, after=1) == [2, 3]


@pytest.mark.parametrize("size", [store.LARGEST_VALUE, store.LARGEST_VALUE + 1, 2 * store.PIECE + 7])
def test_a_large_value_is_never_held_but_hashed_in_pieces(database: Database, size: int) -> None:
    open_log(database)
    whole = b"0123456789" * (size // 10) + b"x" * (size % 10)
    record_all(database, a_fact(0, value=whole), a_fact(1))
    for entry in (find(database).found[0].entry, all_entries(database)[0]):
        if size <= store.LARGEST_VALUE:
            assert entry.value == whole
        else:
            assert entry.value == LargeValue(whole[: store.SHOWN_BYTES], size, hashlib.sha256(whole).digest())
    first, second = find(database).found
    assert link(*first) == first.entry.chain == second.chain_before


def test_an_entry_is_found_with_the_head_of_its_chain_before_it(database: Database) -> None:
    open_log(database)
    record_all(database, a_fact(0), a_fact(0, partition=1), a_fact(1))
    first, _, third = find(database).found
    assert third.chain_before == first.entry.chain
    assert first.chain_before == new_chain(ORIGIN, "user.events.v1", "A" * 22, 0).head


@pytest.mark.parametrize(
    "filters",
    [
        {},
        {"topic": "user.events.v1"},
        {"subject": "user-1"},
        {"correlation_id": "command-1"},
        {"since": 1},
        {"since": 1, "until": 2, "after": 0},
    ],
    ids=repr,
)
def test_an_index_serves_each_filter_in_the_order_of_its_pages(database: Database, filters: dict[str, object]) -> None:
    open_log(database)
    record_all(database, *[a_fact(offset) for offset in range(3)])
    found = plans(database, "entries", lambda: find(database, **filters))
    assert any("entries" in step for step in found), found
    assert sorts(found) == [], found
    assert not filters or full_scans("entries", found) == [], found
