"""The merge of partitions by sequence number, and the moments that a build accepts."""

from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from services.chassis.consumer.decoding import Decoder, Event
from services.chassis.messages.record import Record
from services.user.as_of import merge
from services.user.as_of.merge import LogError, MergedLog
from services.user.as_of.target import Target, TargetError, target
from services.user.rebuild import FACTS
from tests.support.builders import NOW, a_record, a_user_registered, an_envelope


def an_event(sequence: int, **changed: object) -> Record:
    """Return a record whose ids and time follow its sequence number; partition 0."""
    subject = f"user-{sequence}"
    time = NOW + timedelta(seconds=sequence)
    envelope = an_envelope(id=f"event-{sequence}", subject=subject, sequence=sequence, time=time)
    return a_record(msgspec.structs.replace(envelope, **changed), a_user_registered(), offset=sequence)


def log_of(*partitions: list[Record]) -> MergedLog:
    """Return a log whose partitions come in batches of two."""
    batches = [[records[at : at + 2] for at in range(0, len(records), 2)] for records in partitions]
    return MergedLog(batches, Decoder(FACTS))


def sequences(events: Iterator[Event]) -> list[int]:
    return [event.envelope.sequence for event in events]


def events(*numbers: int) -> list[Record]:
    return [an_event(number) for number in numbers]


def test_partitions_are_merged_in_the_order_of_sequence_numbers() -> None:
    assert sequences(iter(log_of(events(2, 3, 6), [], events(1, 5), events(4)))) == [1, 2, 3, 4, 5, 6]


def test_what_the_relay_published_again_is_applied_once() -> None:
    log = log_of(events(1, 3, 1, 3, 5), events(2, 2, 4, 2, 4, 6))
    assert sequences(iter(log)) == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("late", [[1, 3, 4, 2, 5], [3, 2, 1, 4, 5], [1, 3, 4, 3, 2, 4, 5]])
def test_an_event_that_was_refused_and_published_late_comes_in_its_place(late: list[int]) -> None:
    assert sequences(iter(log_of(events(*late)))) == [1, 2, 3, 4, 5]


def test_only_so_many_events_wait_for_a_late_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "LATE", 2)
    assert sequences(iter(log_of(events(1, 3, 4, 2)))) == [1, 2, 3, 4]
    with pytest.raises(LogError, match=r"@3 has sequence 3, 2 must follow"):
        sequences(iter(log_of(events(1, 3, 4, 5, 2))))


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 2, 1, 4)])
def test_a_gap_stops_the_replay_with_its_place(numbers: tuple[int, ...]) -> None:
    last = numbers[-1]
    with pytest.raises(LogError, match=rf"user\.events\.v1\[0\]@{last} has sequence {last}, {last - 1} must follow"):
        sequences(iter(log_of(events(*numbers))))


@pytest.mark.parametrize("changed", [{"id": "other"}, {"subject": "other"}, {"version": 2}])
def test_two_events_with_one_sequence_number_stop_the_replay_with_the_place(changed: dict[str, object]) -> None:
    with pytest.raises(LogError, match=r"user\.events\.v1\[0\]@2 has sequence 2, as another event has"):
        sequences(iter(log_of([*events(1, 2, 3), an_event(2, **changed)])))


def test_other_data_under_a_known_sequence_number_is_a_conflict() -> None:
    other = msgspec.structs.replace(an_event(1), value=msgspec.json.encode(a_user_registered(login="eve")))
    with pytest.raises(LogError, match="conflict"):
        sequences(iter(log_of([*events(1), other])))


def test_records_that_are_no_events_are_counted() -> None:
    log = log_of([*events(1), a_record(an_envelope(), b"{", offset=7), *events(2)])
    assert sequences(iter(log)) == [1, 2]
    assert log.skipped == 1
    assert log.first_skipped.startswith("user.events.v1[0]@7: ")


@pytest.mark.parametrize("changed", [{"schema": "urn:eventline:user.registered:9"}, {"type": "user.renamed"}])
def test_an_event_of_a_newer_program_stops_the_replay(changed: dict[str, object]) -> None:
    with pytest.raises(LogError, match="newer program"):
        sequences(iter(log_of([*events(1), an_event(2, **changed)])))


def test_an_event_behind_the_moment_does_not_stop_the_replay() -> None:
    log = log_of([*events(1), an_event(2, schema="urn:eventline:user.registered:9")])
    assert sequences(Target(sequence=1).until(iter(log))) == [1]


def test_a_moment_ends_the_events() -> None:
    records = events(1, 2, 3, 5)  # behind 3 is a gap, which a sequence number does not reach
    assert sequences(Target(sequence=3).until(iter(log_of(records)))) == [1, 2, 3]
    second = Target(time=NOW + timedelta(seconds=2))
    assert sequences(second.until(iter(log_of(records)))) == [1, 2]


def test_a_moment_before_the_first_event_is_refused_with_the_range() -> None:
    with pytest.raises(TargetError, match=r"name a time from 2026-11-22T12:00:01\.000000Z to now"):
        sequences(Target(time=NOW).until(iter(log_of(events(1)))))


def test_a_moment_behind_the_end_of_the_log_is_refused_with_the_range() -> None:
    last = an_envelope(sequence=2)
    assert Target(sequence=2).require(last) == last
    with pytest.raises(TargetError, match="name one from 1 to 2"):
        Target(sequence=3).require(last)
    with pytest.raises(TargetError, match="no event"):
        Target(time=NOW).require(None)


def test_a_moment_is_a_sequence_number_or_a_time() -> None:
    assert target("17", NOW) == Target(sequence=17)
    assert target("2026-11-22T13:00:00+02:00", NOW) == Target(time=NOW - timedelta(hours=1))


WRONG = {
    "0": "from 1",
    "99999999999999999999": "from 1",
    "²": "is no moment",
    "yesterday": "is no moment",
    "2026-11-22T12:00:00": "has no zone",
    "2026-11-22T12:00:01Z": "is in the future",
}


@pytest.mark.parametrize("text", WRONG)
def test_another_moment_is_refused(text: str) -> None:
    with pytest.raises(TargetError, match=WRONG[text]):
        target(text, NOW)
