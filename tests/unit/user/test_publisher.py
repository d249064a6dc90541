"""The outgoing records of a user's event."""

import msgspec
import pytest

from services.chassis.messages.event import Metadata, StoredEvent
from services.contracts.envelope import from_headers
from services.contracts.user import UserRegistered
from services.user import bootstrap, domain, handlers, publisher
from tests.support.builders import NOW, USER_ID, a_user_registered
from tests.support.versions import a_next_version, wrapped

CONTEXT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
STATE = domain.evolve(USER_ID, None, a_user_registered())
EVENT = handlers.new_event(
    "event-1", STATE, a_user_registered(), Metadata("c-1", "cause-1", CONTEXT, actor="support-7")
)
RECORDS = publisher.records(StoredEvent(41, NOW, EVENT))
TOPICS = ["user.events.v1", "user.state.v1", "user.notices.v1"]


def values(stored: StoredEvent) -> list[bytes | None]:
    """Return the values of fact, state and notice."""
    return [record.value for record in publisher.records(stored) if record.topic in TOPICS]


def test_fact_then_state_then_notice_on_a_topic_each_by_the_users_key() -> None:
    assert [record.topic for record in RECORDS if record.topic in TOPICS] == TOPICS
    assert {record.key for record in RECORDS} == {USER_ID.encode()}
    assert {record.topic for record in RECORDS} == set(bootstrap.PUBLISHED), "the relay checks the partitions of each"


def test_they_share_all_but_source_type_and_schema() -> None:
    envelopes = [from_headers(record.headers) for record in RECORDS]
    assert [(e.source, e.type, e.schema) for e in envelopes][: len(TOPICS)] == [
        ("/user/events", "user.registered", "urn:eventline:user.registered:1"),
        ("/user/state", "user.state", "urn:eventline:user.state:1"),
        ("/user/notices", "user.notice", "urn:eventline:user.notice:1"),
    ]
    shared = {(e.id, e.subject, e.time, e.sequence, e.version, e.correlation_id) for e in envelopes}
    assert shared == {("event-1", USER_ID, NOW, 41, 1, "c-1")}
    assert {(e.causation_id, e.traceparent, e.actor) for e in envelopes} == {("cause-1", CONTEXT, "support-7")}


def test_fact_and_state_are_published_as_stored_and_the_notice_has_no_other_data() -> None:
    fact, state, notice = values(StoredEvent(41, NOW, EVENT))
    assert (fact, state) == (msgspec.json.encode(a_user_registered()), msgspec.json.encode(STATE))
    assert notice == b'{"user_id":"%s","type":"user.registered","version":1}' % USER_ID.encode()


@pytest.mark.parametrize(("written", "version"), [(False, 1), (True, 2)], ids=["readers first", "then publishers"])
def test_a_fact_keeps_the_version_in_which_it_was_written_whoever_publishes_it(*, written: bool, version: int) -> None:
    with a_next_version(UserRegistered, written=written):
        event = handlers.new_event("event-1", STATE, a_user_registered(), EVENT.metadata)
    fact, state, notice = publisher.records(StoredEvent(41, NOW, event))[: len(TOPICS)]  # another version's program
    data = msgspec.json.encode(a_user_registered())
    assert fact.value == (data if written else wrapped(data))
    schemas = [from_headers(record.headers).schema.rpartition(":")[2] for record in (fact, state, notice)]
    assert schemas == [str(version), "1", "1"]


def test_an_event_without_a_record_after_it_leaves_a_tombstone() -> None:
    _, state, _ = values(StoredEvent(41, NOW, msgspec.structs.replace(EVENT, state=None)))
    assert state is None
