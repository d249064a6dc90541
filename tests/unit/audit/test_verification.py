"""Verification of logs that were changed in memory."""

from collections.abc import Callable, Iterator

import msgspec
import pytest

from services.audit import handlers
from services.audit.domain import Chain, Entry
from services.audit.verification import BadEntryError, Verification
from services.chassis.transparency.tree import Edge, extend
from tests.support.audit_log import ORIGIN, TOPIC_IDS, a_fact
from tests.support.builders import NOW
from tests.unit.audit.test_handlers import FakeLog

Key = tuple[str, int]


def a_log(*offsets: int, topic: str = "user.events.v1") -> tuple[list[Entry], dict[Key, Chain]]:
    log = FakeLog(size=0)
    records = [a_fact(offset, topic=topic) for offset in offsets]
    handlers.record(log, records, TOPIC_IDS.__getitem__, NOW)
    key = (TOPIC_IDS[topic], 0)
    return log.entries, {key: log.chain(topic, *key)}


def verify(entries: list[Entry], chains: dict[Key, Chain], size: int | None = None) -> None:
    verification = Verification(ORIGIN)
    verification.check(entries)
    edge, _ = extend(Edge(), [entry.leaf for entry in entries])
    verification.compare(len(entries) if size is None else size, edge.packed(), chains)


def test_an_unchanged_log_passes() -> None:
    verify(*a_log(3, 4, 5))


def test_an_empty_log_passes() -> None:
    verify([], {})


def test_a_verification_goes_on_from_a_trusted_state() -> None:
    entries, chains = a_log(*range(700))
    first, whole = Verification(ORIGIN), extend(Edge(), [entry.leaf for entry in entries])
    first.check(entries[:300])
    (before,) = first.chains.values()
    edge, _ = extend(Edge(), [entry.leaf for entry in entries[:300]])
    then = Verification(ORIGIN, edge, {(before.topic_id, 0): before})
    then.check(entries[300:])
    then.compare(700, whole[0].packed(), chains)
    assert first.filled() + then.filled() == whole[1]
    assert then.nodes == len(whole[1]) == 2
    assert then.filled() == []


def test_a_verification_whose_reading_fails_in_between_goes_on_behind_what_it_has_read() -> None:
    entries, chains = a_log(*range(5))
    verification, (edge, _) = Verification(ORIGIN), extend(Edge(), [entry.leaf for entry in entries])
    with pytest.raises(ConnectionError):
        verification.check(failing(entries[:2]))
    verification.check(entries[2:])
    verification.compare(5, edge.packed(), chains)


def failing(entries: list[Entry]) -> Iterator[Entry]:
    yield from entries
    raise ConnectionError


def test_another_edge_is_found() -> None:
    entries, chains = a_log(0, 1)
    verification = Verification(ORIGIN)
    verification.check(entries)
    with pytest.raises(BadEntryError, match="the edge of the tree is 0000"):
        verification.compare(2, bytes(32), chains)


def test_another_origin_makes_other_chains() -> None:
    entries, _ = a_log(0)
    with pytest.raises(BadEntryError, match=r"user.events.v1\[0\]@0, at position 0: chain is"):
        Verification("elsewhere").check(entries)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("value", b"{}", "chain is"),
        ("key", b"", "chain is"),
        ("key", None, "flags are 0"),
        ("headers", b"\0\0\0\0", "chain is"),
        ("ts_ms", 0, "chain is"),
        ("topic", "user.state.v1", "chain is"),
        ("partition", 1, "chain is"),
        ("topic_id", "Z" * 22, "chain is"),
        ("offset", 7, "chain is"),
        ("offset", 2, "its offset is out of order, the chain has reached 4"),
        ("flags", 2, "flags are 2"),
        ("chain", bytes(32), "chain is 0000"),
        ("leaf", bytes(32), "leaf is 0000"),
        ("subject", "user-9", "'user-9'"),
        ("event_time", None, "None"),
        ("position", 9, "position 1 is missing before it"),
    ],
)
def test_an_edited_field_is_found_at_its_entry(field: str, value: object, message: str) -> None:
    entries, chains = a_log(3, 4, 5)
    setattr(entries[1], field, value)
    with pytest.raises(BadEntryError, match=message) as caught:
        verify(entries, chains)
    assert entries[1].place in str(caught.value)


def test_a_removed_entry_is_found_at_the_one_behind_it() -> None:
    entries, chains = a_log(3, 4, 5)
    del entries[1]
    with pytest.raises(BadEntryError, match=r"@5, at position 2: position 1 is missing"):
        verify(entries, chains)


def test_a_swapped_pair_is_found_at_the_first_of_them() -> None:
    entries, chains = a_log(3, 4, 5)
    entries[0], entries[1] = entries[1], entries[0]
    entries[0].position, entries[1].position = 0, 1
    with pytest.raises(BadEntryError, match=r"@4, at position 0: chain is"):
        verify(entries, chains)


def test_a_removed_end_is_found_by_its_chain() -> None:
    entries, chains = a_log(3, 4, 5)
    with pytest.raises(BadEntryError, match=r"@4: next_offset of the stored chain is 6, but the entries give 5"):
        verify(entries[:2], chains)


@pytest.mark.parametrize(
    "change",
    [
        lambda chain: msgspec.structs.replace(chain, head=bytes(32)),
        lambda chain: msgspec.structs.replace(chain, length=2),
        lambda chain: msgspec.structs.replace(chain, first_offset=0),
    ],
    ids=["head", "length", "first offset"],
)
def test_a_changed_chain_is_found(change: Callable[[Chain], Chain]) -> None:
    entries, chains = a_log(3, 4, 5)
    with pytest.raises(BadEntryError, match=r"user.events.v1\[0\]@5: \w+ of the stored chain is"):
        verify(entries, {key: change(chain) for key, chain in chains.items()})


def test_a_chain_without_entries_and_entries_without_a_chain_are_found() -> None:
    entries, chains = a_log(3)
    with pytest.raises(BadEntryError, match="has entries, but no stored chain"):
        verify(entries, {})
    with pytest.raises(BadEntryError, match="has a stored chain, but no entry"):
        verify([], chains)


def test_a_wrong_size_is_found() -> None:
    entries, chains = a_log(3)
    with pytest.raises(BadEntryError, match=r"position 1: .* size is 2"):
        verify(entries, chains, size=2)


@pytest.mark.parametrize("topic", sorted(TOPIC_IDS))
def test_gaps_are_normal_and_counted_on_every_topic(topic: str) -> None:
    entries, chains = a_log(3, 9, 10, topic=topic)
    verify(entries, chains)
    assert [chain.gaps for chain in chains.values()] == [5]
