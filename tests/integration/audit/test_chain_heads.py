"""Chain heads that a replica keeps between batches: used only while nobody else has appended."""

import pytest
from sqlalchemy import Connection

from services.audit import store
from services.audit.chain_heads import Chains, Heads
from services.audit.tree import node_store
from services.audit.verification import Verification
from services.chassis.database.database import Database
from tests.support.audit_log import ORIGIN, TOPIC_IDS, a_fact, all_entries, open_log, record_with


def sizes_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that gets the number of chains of each reading of them."""
    read, sizes = store.read_chains, list[int]()

    def read_and_note(connection: Connection) -> Chains:
        found = read(connection)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(store, "read_chains", read_and_note)
    return sizes


def require_unbroken_chains(database: Database, size: int) -> None:
    """Verify a log that must have so many entries."""
    verification, entries = Verification(ORIGIN), all_entries(database)
    assert len(entries) == size
    verification.check(entries)
    with database.read() as connection:
        verification.compare(
            store.read_size(connection, ORIGIN), node_store.read_edge(connection), store.read_chains(connection)
        )


def test_a_replica_that_is_alone_reads_the_chains_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    open_log(database)
    sizes, heads = sizes_read(monkeypatch), Heads()
    for offset in range(3):
        record_with(heads, database, a_fact(offset), a_fact(offset, partition=1))
    assert sizes == [0]
    require_unbroken_chains(database, 6)


def test_heads_of_a_partition_that_was_lost_and_came_back_are_not_used(database: Database) -> None:
    open_log(database)
    one, other = Heads(), Heads()
    record_with(one, database, a_fact(0), a_fact(0, partition=1))
    record_with(other, database, a_fact(1))  # partition 0 went to the other replica
    record_with(one, database, a_fact(1, partition=1))
    record_with(other, database, a_fact(2))
    record_with(one, database, a_fact(3), a_fact(2, partition=1))  # and came back
    record_with(one, database, a_fact(4))
    require_unbroken_chains(database, 8)


def test_heads_of_a_batch_that_was_rolled_back_are_not_used_for_a_log_of_the_same_size(database: Database) -> None:
    open_log(database)
    one, other = Heads(), Heads()
    record_with(one, database, a_fact(0))

    def lose_the_race() -> None:
        with database.write() as connection:
            log = store.Log(connection, ORIGIN, one)
            entry = all_entries(database)[0]
            entry.position, entry.offset = 1, 1
            log.chain(entry.topic, TOPIC_IDS[entry.topic], 0).add(entry)
            log.append([entry])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        lose_the_race()
    record_with(other, database, a_fact(0, partition=1))  # the log is now as large as it would have been
    record_with(one, database, a_fact(1))
    require_unbroken_chains(database, 3)


def test_a_batch_of_repeats_leaves_the_chains_as_they_are(database: Database) -> None:
    open_log(database)
    heads = Heads()
    for facts in ([a_fact(0)], [a_fact(0)], [a_fact(1)]):
        record_with(heads, database, *facts)
    require_unbroken_chains(database, 2)
