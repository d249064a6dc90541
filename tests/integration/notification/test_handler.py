"""A batch of states and notices becomes replica, waiting notices, intents and events; on both databases."""

from collections.abc import Sequence

import msgspec
import pytest
from sqlalchemy import select

from services.chassis.consumer.subscription import Outcome
from services.chassis.database.database import Database
from services.chassis.messages.event import Metadata, NewEvent
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store
from services.contracts.notification import NotificationQueued, NotificationSuppressed, Recipient
from services.notification.handlers import Handler
from services.notification.store.tables import addresses, intents, replica, waiting
from tests.support.builders import USER_ID, a_person, ids
from tests.support.notification_builders import (
    a_handler,
    a_notice_record,
    a_state,
    a_state_record,
    a_tombstone,
    prepare,
)

OLD, NEW = "ada@old.example.org", "ada@new.example.org"
OTHER = "01936d5e-0000-7000-8000-000000000002"


class Service:
    """The handler on a store, as the consumer calls it."""

    def __init__(self, database: Database) -> None:
        self.database = prepare(database)
        self.handler: Handler = a_handler(ids())

    def take(self, *records: Record) -> Outcome:
        """Commit one batch."""
        with self.database.write() as connection:
            return self.handler(connection, records)

    def rows(self, *columns: object) -> list[tuple[object, ...]]:
        """Return columns of a table, in order."""
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(*columns))]  # type: ignore[call-overload]

    def intent_rows(self) -> list[tuple[object, ...]]:
        """Return each intent's template, recipient and state, in the order in which they were decided."""
        columns = intents.c.template, intents.c.recipient, intents.c.state
        with self.database.read() as connection:
            return [tuple(row) for row in connection.execute(select(*columns).order_by(intents.c.id))]

    def events(self) -> list[NewEvent]:
        """Return the events in the store."""
        with self.database.read() as connection:
            return [event.event for event in event_store.read(connection, 0, 1000)]


@pytest.fixture
def service(database: Database) -> Service:
    return Service(database)


def reasons(outcome: Outcome) -> Sequence[str]:
    return [refusal.reason for refusal in outcome.refused]


def test_a_registered_user_is_welcomed(service: Service) -> None:
    outcome = service.take(a_state_record(a_state(email=OLD)), a_notice_record())
    assert service.intent_rows() == [("welcome", OLD, "open")]
    assert [kind for _, kind, _ in outcome.applied] == ["user.notice", "user.state"]
    [event] = service.events()
    assert (event.type, event.subject, event.version) == ("notification.queued", USER_ID, 1)
    assert event.metadata == Metadata("correlation-1", f"event-{USER_ID[-12:]}-1")
    fact = msgspec.json.decode(event.data, type=NotificationQueued)
    assert fact == NotificationQueued("id-1", f"event-{USER_ID[-12:]}-1", USER_ID, 1, "welcome", Recipient(OLD))


@pytest.mark.parametrize("context", ["x" * 1_500_000, "00-" + "0" * 1_047_992])
def test_a_notice_with_a_trace_context_of_megabytes_leads_to_an_event_of_normal_size(
    service: Service, context: str
) -> None:
    notice = a_notice_record()
    headers = [*(notice.headers or []), ("traceparent", context.encode())]
    service.take(a_state_record(a_state(email=OLD)), msgspec.structs.replace(notice, headers=headers))
    [event] = service.events()
    assert (event.type, event.metadata.traceparent) == ("notification.queued", None)


@pytest.mark.parametrize("name", ["login", "email", "full_name", "locale"])
def test_a_state_whose_texts_are_too_long_for_a_mail_or_an_event_is_refused(service: Service, name: str) -> None:
    outcome = service.take(
        a_state_record(msgspec.structs.replace(a_state(), personal=a_person(**{name: "x" * 1_000_000}))),
        a_notice_record(),
    )
    assert [(refusal.reason, refusal.detail) for refusal in outcome.refused] == [
        ("invalid", f"personal.{name} has 1000000 characters, at most 400 are accepted")
    ]
    assert service.events() == []


def test_a_notice_that_comes_before_its_state_in_a_batch_need_not_wait(service: Service) -> None:
    service.take(a_notice_record(), a_state_record(a_state()))
    assert [state for _, _, state in service.intent_rows()] == ["open"]
    assert service.rows(waiting.c.notice_id) == []


def test_a_notice_ahead_of_its_replica_waits_and_is_released_by_the_state(service: Service) -> None:
    service.take(a_state_record(a_state(1, email=OLD)))
    service.take(a_notice_record(2, "user.email_changed"))
    assert service.intent_rows() == []
    assert service.rows(waiting.c.user_id, waiting.c.version) == [(USER_ID, 2)]
    service.take(a_state_record(a_state(2, email=NEW)))
    assert service.intent_rows() == [("email_changed", OLD, "open"), ("email_changed", NEW, "open")]
    assert service.rows(waiting.c.notice_id) == []
    assert [event.metadata.correlation_id for event in service.events()] == ["correlation-2"] * 2


def test_a_state_releases_only_what_it_satisfies(service: Service) -> None:
    service.take(a_notice_record(1), a_notice_record(3, "user.email_changed"))
    service.take(a_state_record(a_state(2)))
    assert [template for template, _, _ in service.intent_rows()] == ["welcome"]
    assert service.rows(waiting.c.version) == [(3,)]


def test_released_notices_come_before_fresh_ones_so_that_a_users_mails_keep_their_order(service: Service) -> None:
    service.take(a_notice_record(1))
    fresh = a_notice_record(2, "user.email_changed")
    service.take(a_state_record(a_state(1, email=OLD)), fresh, a_state_record(a_state(2, email=NEW)))
    assert [(template, recipient) for template, recipient, _ in service.intent_rows()] == [
        ("welcome", OLD),
        ("email_changed", OLD),
        ("email_changed", NEW),
    ]
    assert [event.version for event in service.events()] == [1, 2, 3]


def test_repeats_are_recognised_and_change_nothing(service: Service) -> None:
    batch = a_state_record(a_state(email=OLD)), a_notice_record()
    service.take(*batch)
    for outcome in (service.take(*batch), service.take(*batch, *batch)):
        assert outcome.applied == []
        assert outcome.refused == []
    assert service.intent_rows() == [("welcome", OLD, "open")]
    assert len(service.events()) == 1


def test_a_repeat_within_one_batch_is_recognised(service: Service) -> None:
    batch = a_state_record(a_state()), a_notice_record()
    outcome = service.take(*batch, *batch)
    assert outcome.repeats == {"user.state.v1": 1, "user.notices.v1": 1}
    assert len(service.intent_rows()) == 1


def test_a_user_who_wants_no_mail_gets_none_and_an_event_records_it(service: Service) -> None:
    service.take(a_state_record(a_state(wants_mail=False, email=OLD)), a_notice_record())
    assert service.intent_rows() == [("welcome", OLD, "suppressed")]
    [event] = service.events()
    assert event.type == "notification.suppressed"
    assert msgspec.json.decode(event.data, type=NotificationSuppressed).reason == "opted_out"


def test_the_newest_preferences_decide(service: Service) -> None:
    service.take(a_notice_record())
    service.take(a_state_record(a_state(1)), a_state_record(a_state(2, wants_mail=False)))
    assert [state for _, _, state in service.intent_rows()] == ["suppressed"]


def test_types_without_a_template_lead_to_nothing_and_do_not_wait(service: Service) -> None:
    outcome = service.take(a_notice_record(2, "user.profile_changed"), a_notice_record(3, "user.never_heard_of"))
    assert len(outcome.applied) == 2
    assert not service.intent_rows()
    assert not service.events()
    assert not service.rows(waiting.c.notice_id)


def test_a_tombstone_leaves_the_version_alone_and_suppresses_what_waits(service: Service) -> None:
    service.take(a_state_record(a_state(1, email=OLD)), a_notice_record(5, "user.email_changed"))
    service.take(a_tombstone(2))
    assert service.rows(replica.c.user_id, replica.c.version, replica.c.state) == [(USER_ID, 2, None)]
    assert service.rows(addresses.c.email) == []
    assert service.rows(waiting.c.notice_id) == []
    assert service.intent_rows() == [("email_changed", None, "suppressed")]
    assert msgspec.json.decode(service.events()[0].data, type=NotificationSuppressed).reason == "erased"


def test_addresses_are_kept_whenever_they_change(service: Service) -> None:
    states = [a_state(1, email=OLD), a_state(2, email=OLD, name="Countess"), a_state(4, email=NEW)]
    service.take(*(a_state_record(state) for state in states))
    service.take(a_state_record(a_state(5, email=NEW)), a_state_record(a_state(6, email=OLD)))
    assert service.rows(addresses.c.version, addresses.c.email) == [(1, OLD), (4, NEW), (6, OLD)]


def test_an_older_state_changes_nothing(service: Service) -> None:
    service.take(a_state_record(a_state(3, email=NEW)))
    assert service.take(a_state_record(a_state(2, email=OLD))).repeats == {"user.state.v1": 1}
    assert service.rows(replica.c.version) == [(3,)]


def test_the_same_version_with_other_content_or_another_id_is_a_conflict(service: Service) -> None:
    service.take(a_state_record(a_state(1, email=OLD)), a_notice_record(1))
    for contradiction in (
        a_state_record(a_state(1, email=NEW)),
        a_state_record(a_state(1, email=OLD), event_id="another"),
        a_notice_record(1, "user.email_changed"),
        a_notice_record(1, event_id="another"),
    ):
        assert reasons(service.take(contradiction)) == ["conflict"]
    assert service.intent_rows() == [("welcome", OLD, "open")]


def test_a_conflict_within_one_batch_is_found_and_the_others_go_on(service: Service) -> None:
    outcome = service.take(
        a_state_record(a_state(user_id=OTHER)),
        a_notice_record(1),
        a_notice_record(1, event_id="another"),
        a_notice_record(1, user_id=OTHER),
    )
    assert [refusal.record for refusal in outcome.refused] == [a_notice_record(1, event_id="another")]
    assert len(service.intent_rows()) == 1
    assert service.rows(waiting.c.user_id) == [(USER_ID,)]


def test_a_value_that_contradicts_its_envelope_is_refused(service: Service) -> None:
    honest = a_state_record(a_state(1))
    lying = msgspec.structs.replace(honest, value=msgspec.json.encode(a_state(2)))
    assert reasons(service.take(lying)) == ["envelope"]
    assert service.rows(replica.c.version) == []


def test_a_batch_of_a_thousand_takes_a_handful_of_statements(service: Service) -> None:
    users = [f"{number:036}" for number in range(500)]
    batch = [
        record for user in users for record in (a_state_record(a_state(user_id=user)), a_notice_record(1, user_id=user))
    ]
    assert len(service.take(*batch).applied) == 1000
    assert len(service.intent_rows()) == 500
