"""The audit handler: an entry for each record."""

from collections.abc import Sequence

from services.audit import handlers
from services.audit.domain import Chain, Entry, new_chain
from services.chassis.consumer.subscription import Outcome
from services.chassis.messages.clock import to_micros
from services.chassis.messages.record import Record
from tests.support.audit_log import ORIGIN, TOPIC_IDS, a_fact
from tests.support.builders import NOW


class FakeLog:
    """A log in memory that starts at a size."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.entries: list[Entry] = []
        self._chains: dict[tuple[str, int], Chain] = {}

    def chain(self, topic: str, topic_id: str, partition: int) -> Chain:
        return self._chains.setdefault((topic_id, partition), new_chain(ORIGIN, topic, topic_id, partition))

    def append(self, entries: Sequence[Entry]) -> None:
        self.entries += entries
        self.size += len(entries)


def record(log: FakeLog, *records: Record) -> Outcome:
    return handlers.record(log, records, TOPIC_IDS.__getitem__, NOW)


def test_every_record_gets_an_entry_at_the_next_position_with_all_its_fields() -> None:
    log = FakeLog(size=40)
    fact = a_fact(7)
    record(log, fact, a_fact(8))
    entry = log.entries[0]
    assert [e.position for e in log.entries] == [40, 41]
    assert (entry.topic, entry.topic_id, entry.partition, entry.offset) == ("user.events.v1", "A" * 22, 0, 7)
    assert (entry.key, entry.value) == (fact.key, fact.value)
    assert (entry.ts_type, entry.ts_ms, entry.flags) == (1, fact.timestamp_ms, 0)
    assert (entry.type, entry.subject, entry.correlation_id) == ("user.registered", "user-7", "command-7")
    assert entry.event_time == entry.recorded_at == to_micros(NOW)


def test_each_partition_of_each_topic_has_its_own_chain() -> None:
    log = FakeLog(size=0)
    record(log, a_fact(0), a_fact(0, partition=1), a_fact(0, topic="user.state.v1"), a_fact(1))
    alone = FakeLog(size=0)
    record(alone, a_fact(0), a_fact(1))
    assert len({entry.chain for entry in log.entries}) == 4
    assert log.entries[3].chain == alone.entries[1].chain


def test_a_record_that_has_an_entry_is_counted_as_a_repeat() -> None:
    log = FakeLog(size=0)
    record(log, a_fact(5), a_fact(6))
    outcome = record(log, a_fact(6), a_fact(7))
    assert dict(outcome.repeats) == {"user.events.v1": 1}
    assert [entry.offset for entry in log.entries] == [5, 6, 7]


def test_no_record_is_refused() -> None:
    log = FakeLog(size=0)
    broken = [
        a_fact(0, key=None, value=None, headers=None),
        a_fact(1, value=b"\xff{", headers=[("ce_type", None), ("ce_time", b"never"), ("ce_subject", b"\0")]),
        a_fact(2, headers=[]),
    ]
    outcome = record(log, *broken)
    assert outcome.refused == []
    assert [entry.flags for entry in log.entries] == [7, 0, 0]
    assert outcome.applied == []


def test_latency_is_observed_for_types_of_the_catalog_only() -> None:
    stranger = a_fact(1, headers=[("ce_type", b"made.up"), ("ce_time", b"2026-11-22T12:00:00Z")])
    fact = a_fact(0)
    outcome = record(FakeLog(size=0), fact, stranger)
    assert outcome.applied == [(fact, "user.registered", NOW)]
