"""Two releases side by side: both read both versions of a fact, one still writes the first and the next the second."""

from services.chassis.consumer.decoding import Decoder
from services.chassis.messages.event import Metadata, StoredEvent
from services.chassis.messages.record import Outgoing, Record
from services.contracts.user import EmailChanged, Fact, NewAddress
from services.user import publisher
from services.user.domain import evolve
from services.user.handlers import new_event
from services.user.rebuild import FACTS
from services.workbench.tour.stops.event_sourcing import replay
from tests.support.builders import NOW, USER_ID, a_user_registered
from tests.support.versions import a_next_version

REGISTERED = a_user_registered()
CHANGES = [EmailChanged(NewAddress(f"ada{number}@example.org")) for number in range(4)]
NEXT = [False, False, True, False, True]  # whether the next release writes the fact: an upgrade, a rollback, an upgrade


def as_read(record: Outgoing, offset: int) -> Record:
    return Record(record.topic, 0, offset, 1, 0, record.key, record.value, record.headers)


def history() -> list[Record]:
    """Return a user's facts, each written by one release and published by the other."""
    facts: list[Fact] = [REGISTERED, *CHANGES]
    user, records = None, []
    for number, (fact, is_next) in enumerate(zip(facts, NEXT, strict=True), 1):
        with a_next_version(EmailChanged, written=is_next):
            user = evolve(USER_ID, user, fact)
            event = new_event(f"event-{number}", user, fact, Metadata("correlation-1"))
        with a_next_version(EmailChanged, written=not is_next):
            records.append(as_read(publisher.records(StoredEvent(number, NOW, event))[0], number))
    return records


def test_both_releases_read_what_both_have_written() -> None:
    records = history()
    assert [(record.header("ce_dataschema") or "")[-1] for record in records] == ["1", "1", "2", "1", "2"]
    for is_next in (False, True):
        with a_next_version(EmailChanged, written=is_next):
            assert [event.data for event in Decoder(FACTS).decode(records).events] == [REGISTERED, *CHANGES]
            last = list(replay(USER_ID, records))[-1]
            assert (last.version, last.personal.email) == (5, "ada3@example.org")
