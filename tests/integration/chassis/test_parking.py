"""Parking: a key that cannot be applied waits with its later records, in order, and other keys go on."""

from collections.abc import Callable, Iterator, Sequence

import pytest
from sqlalchemy import Connection

from services.chassis.consumer.batch_processor import CannotApplyError
from services.chassis.consumer.held import selection
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.reasons import State, Why
from services.chassis.consumer.held.record import Place, key_of
from services.chassis.consumer.held.selection import Filters
from services.chassis.consumer.subscription import Outcome
from services.chassis.messages.record import Record
from tests.support.builders import a_record, a_telemetry, an_envelope
from tests.support.consumer_harness import P0, World


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    world = World(database_url)
    yield world
    world.database.close()


def write(world: World, *pairs: tuple[str, str]) -> None:
    for key, value in pairs:
        world.broker.write(P0, value.encode(), key.encode(), [("ce_id", b"x"), ("ce_null", None)])


def parked(world: World) -> list[list[str]]:
    """Return the places of what is parked, a list per key."""
    queues: dict[Place, list[str]] = {}
    for one in world.held(states=(State.PARKED,)):
        queues.setdefault(one.place, []).append(one.record.place)
    return list(queues.values())


def request_retry(world: World, key: str) -> int:
    with world.database.write() as connection:
        return selection.request_retry(connection, selection.find(connection, Filters(key=key)))


def test_a_key_that_fails_is_parked_and_the_others_go_on(world: World) -> None:
    consumer, member = world.consumer(parked_keys_ceiling=10)
    write(world, ("a", "a1"), ("b", "poison"), ("c", "c1"), ("b", "b2"), ("a", "a2"))
    consumer.process_batch(member)
    assert world.effects() == ["a1", "c1", "a2"]
    assert parked(world) == [["numbers.v1[0]@1", "numbers.v1[0]@3"]]
    assert world.progress() == {0: 5}
    assert world.metric("parked_keys") == 1


def test_later_records_of_a_parked_key_are_parked_behind_it(world: World) -> None:
    consumer, member = world.consumer(parked_keys_ceiling=10)
    write(world, ("b", "poison"))
    consumer.process_batch(member)
    write(world, ("b", "b2"), ("a", "a1"), ("b", "b3"))
    consumer.process_batch(member)
    assert world.effects() == ["a1"]
    assert parked(world) == [["numbers.v1[0]@0", "numbers.v1[0]@1", "numbers.v1[0]@3"]]


def cured(world: World) -> Callable[[Connection, Sequence[Record]], Outcome]:
    """Return the handler of a newer version, which can apply poison."""

    def handle(connection: Connection, records: Sequence[Record]) -> Outcome:
        return world.handle(connection, [replaced(record) for record in records])

    return handle


def replaced(record: Record) -> Record:
    value = b"antidote" if record.value == b"poison" else record.value
    return Record(record.topic, record.partition, record.offset, 1, 0, record.key, value, record.headers)


def test_a_fixed_version_applies_the_parked_records_of_a_key_in_order(world: World) -> None:
    old, member = world.consumer(parked_keys_ceiling=10)
    write(world, ("b", "b1"), ("b", "poison"), ("b", "b2"), ("a", "a1"), ("b", "b3"))
    old.process_batch(member)
    assert world.effects() == ["b1", "a1"]
    world.telemetry = a_telemetry(world.clock)
    new, member = world.consumer(parked_keys_ceiling=10, handle=cured(world))
    write(world, ("b", "b4"))
    new.process_batch(member)
    assert world.effects() == ["b1", "a1", "antidote", "b2", "b3", "b4"]
    assert parked(world) == []
    assert world.metric("parked_keys") == 0


def test_a_version_that_still_fails_leaves_the_records_parked(world: World) -> None:
    write(world, ("b", "poison"), ("b", "b2"))
    for _ in range(2):
        world.telemetry = a_telemetry(world.clock)
        consumer, member = world.consumer(parked_keys_ceiling=10)
        consumer.process_batch(member)
    assert world.effects() == []
    assert parked(world) == [["numbers.v1[0]@0", "numbers.v1[0]@1"]]


def test_a_retry_can_be_requested(world: World) -> None:
    broken = [True]

    def handle(connection: Connection, records: Sequence[Record]) -> Outcome:
        return world.handle(connection, records if broken else [replaced(record) for record in records])

    consumer, member = world.consumer(parked_keys_ceiling=10, handle=handle)
    write(world, ("b", "poison"), ("c", "poison"), ("b", "b2"))
    consumer.process_batch(member)
    broken.clear()
    consumer.process_batch(member)
    assert world.effects() == [], "nobody has asked"
    assert request_retry(world, "b") == 2
    consumer.process_batch(member)
    assert world.effects() == ["antidote", "b2"]
    assert parked(world) == [["numbers.v1[0]@1"]]


def test_a_parked_record_keeps_all_its_fields(world: World) -> None:
    consumer, member = world.consumer(parked_keys_ceiling=10)
    write(world, ("b", "poison"))
    consumer.process_batch(member)
    with world.database.read() as connection:
        [kept] = selection.whole(connection, Filters())
    assert kept.record == world.broker.logs[P0][0]
    assert (kept.reason, kept.topic_id) == ("handler_failed", "id-of-the-topic")
    assert "ZeroDivisionError" in kept.detail


@pytest.mark.parametrize(
    "key", [b"\0abc", b"\xff\0", b"\\x00abc", b"\x1b[2J", "\u00e9\u202e".encode(), b"\xed\xa0\x80"]
)
def test_any_bytes_are_a_key_that_is_parked_blocked_and_restored(world: World, key: bytes) -> None:
    consumer, member = world.consumer(parked_keys_ceiling=10)
    for value in (b"poison", b"b2"):
        world.broker.write(P0, value, key, [("ce_id", b"\0")])
    write(world, ("\\x00abd", "other"))
    consumer.process_batch(member)
    for value in (b"b3", b"b4"):
        world.broker.write(P0, value, key, [("ce_id", b"x")])
    consumer.process_batch(member)
    with world.database.read() as connection:
        queue = selection.whole(connection, Filters())
    asked = request_retry(world, key_of(queue[0].record))
    assert [(one.record.key, one.record.value) for one in queue] == [
        (key, value) for value in (b"poison", b"b2", b"b3", b"b4")
    ]
    assert asked == 4
    assert world.effects() == ["other"]


def test_a_detail_that_no_database_can_store_is_escaped(world: World) -> None:
    records = HeldRecords(world.clock, 1, 1)
    with world.database.write() as connection:
        records.park(connection, a_record(an_envelope(), b"1"), {}, Why("handler_failed", "\0 and \ud800"))
    [one] = world.held()
    with world.database.write() as connection:
        records.failed_again(connection, one, Why("handler_failed", "again \0 and \ud800"))
    assert [one.detail for one in world.held()] == [r"again \x00 and \ud800"]
    assert request_retry(world, "\ud800\0") == 0


def test_too_many_parked_keys_stop_the_consumer(world: World) -> None:
    consumer, member = world.consumer(parked_keys_ceiling=2)
    write(world, ("a", "poison"), ("b", "poison"), ("c", "poison"))
    with pytest.raises(CannotApplyError, match=r"@2: ZeroDivisionError.*2 keys are parked already"):
        consumer.process_batch(member)
    assert world.progress() == {0: 2}
