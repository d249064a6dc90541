"""Consumer lag of groups, from offsets of a broker."""

from collections.abc import Iterable, Mapping

import pytest

from services.chassis.messages.record import TopicPartition
from services.console.lag import Lag, lags, unasked
from services.contracts import catalog


class FakeTopics:
    """Every partition has the records from 2 to 9; groups have committed what they are given."""

    def __init__(self, committed: Mapping[str, Mapping[TopicPartition, int]]) -> None:
        self._committed = committed

    def begins(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 2)

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 10)

    def committed(self, group: str, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        committed = self._committed.get(group, {})
        return {place: committed[place] for place in partitions if place in committed}


def places(topic: catalog.Topic) -> list[TopicPartition]:
    return [TopicPartition(topic.name, number) for number in range(topic.partitions)]


def of(found: list[Lag], group: str, topic: catalog.Topic) -> Lag:
    return next(lag for lag in found if (lag.group, lag.topic) == (group, topic.name))


def test_every_reader_of_the_catalog_is_looked_at() -> None:
    found = lags(FakeTopics({}), unasked)
    assert {(lag.group, lag.topic) for lag in found} == {(r, t.name) for t in catalog.TOPICS for r in t.readers}


def test_a_group_that_has_committed_nothing_has_all_before_it_that_is_still_there() -> None:
    assert of(lags(FakeTopics({}), unasked), "audit", catalog.USER_EVENTS).records == 6 * 8


def test_a_group_has_before_it_what_lies_between_its_offsets_and_the_ends() -> None:
    committed = {"audit": {place: 7 + place.partition for place in places(catalog.USER_EVENTS)}}
    assert of(lags(FakeTopics(committed), unasked), "audit", catalog.USER_EVENTS).records == 3 + 2 + 1


@pytest.mark.parametrize(("offset", "records", "seconds"), [(10, 0, 0), (9, 6, 5), (0, 48, 5)])
def test_the_oldest_unread_record_reports_how_late_a_group_is(offset: int, records: int, seconds: int) -> None:
    asked: list[Mapping[TopicPartition, int]] = []

    def ages(unread: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        asked.append(unread)
        return {place: place.partition for place in unread}

    committed = {"audit": dict.fromkeys(places(catalog.USER_EVENTS), offset)}
    assert of(lags(FakeTopics(committed), ages), "audit", catalog.USER_EVENTS) == Lag(
        "audit", catalog.USER_EVENTS.name, records, seconds
    )
    assert all(place >= 2 for unread in asked for place in unread.values())  # what is gone cannot be read
