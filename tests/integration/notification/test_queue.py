"""The queue of mails: claims, their leases and the results of settlements; on both databases."""

import shutil
import threading
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import text

import services.notification
from services.chassis.database.database import Database
from services.chassis.database.migrations import upgrade
from services.chassis.messages import event
from services.contracts.notification import NotificationFailed, NotificationSent
from services.notification import mail_queue
from services.notification.domain import ClaimedIntent, DeliveryResult, DeliveryStatus
from services.notification.mail.templates import Composer, Mail
from services.notification.store import views
from tests.support.builders import NOW
from tests.support.notification_builders import a_notice_record, a_state, a_state_record
from tests.support.query_plans import plans
from tests.support.sender_harness import MAIL_FROM, Mailroom, user

SENT = DeliveryResult(DeliveryStatus.SENT, "250 ok")
DEFERRED = DeliveryResult(DeliveryStatus.DEFERRED, "451 later")
BOUNCED = DeliveryResult(DeliveryStatus.BOUNCED, "550 no such user")
REFUSED = DeliveryResult(DeliveryStatus.REFUSED, "554 spam")
UNKNOWN = DeliveryResult(DeliveryStatus.UNKNOWN, "no answer")
DAY_MS = 86_400_000
MIGRATIONS = Path(services.notification.__path__[0]) / "migrations"
QUEUED_BEFORE = (
    "INSERT INTO intents (notification_id, notice_id, template, recipient, user_id, user_version, event_id, "
    "correlation_id, state, detail, tries, doubts, due_at, queued_at, updated_at) VALUES "
    "('m', 'n', 'welcome', 'ada@example.org', 'u', 1, 'e', 'c', 'open', '', 0, 0, 0, 0, 0)"
)


def mail_of(claim: ClaimedIntent) -> Mail:
    return Composer(MAIL_FROM).compose(claim)


@pytest.fixture
def room(database: Database) -> Mailroom:
    return Mailroom(database)


def test_a_claim_is_committed_before_anything_is_sent_and_nobody_else_gets_it(room: Mailroom) -> None:
    room.register(1, 2, 3)
    assert [claim.user_id for claim in room.queue.claim(2)] == [user(1), user(2)]
    assert room.states() == [("attempting", 1), ("attempting", 1), ("open", 0)]
    assert [claim.user_id for claim in room.queue.claim(2)] == [user(3)]
    assert room.queue.claim(2) == []


def test_a_claim_carries_the_fields_of_its_mail(room: Mailroom) -> None:
    room.register(1, locale="de-AT")
    [claim] = room.queue.claim(1)
    assert claim.full_name == "Ada Lovelace"
    assert claim.recipient == "ada@example.org"
    assert claim.message_id == f"<{claim.notification_id}@example.org>"
    assert claim.correlation_id == "correlation-1"
    assert claim.queued_at == NOW
    assert claim.locale == "de-AT"


def test_mails_to_some_domains_are_claimed_apart_from_all_others(room: Mailroom) -> None:
    for number, email in enumerate(("ada@slow.org", "ada@not-slow.org", "ada@x.slow.org", "a%b@sl_w.org"), start=1):
        room.register(number, email=email)
    slow = frozenset({"slow.org", "sl_w.org", "nobody.org"})
    assert [claim.recipient for claim in room.queue.claim(9, but=slow)] == ["ada@not-slow.org", "ada@x.slow.org"]
    assert [claim.recipient for claim in room.queue.claim(1, only=slow)] == ["ada@slow.org"]
    assert [claim.recipient for claim in room.queue.claim(9)] == ["a%b@sl_w.org"]


def test_a_users_mail_to_a_domain_that_is_left_out_keeps_its_later_mails_back(room: Mailroom) -> None:
    room.register(1, email="ada@slow.org")
    room.move(1, 2)
    assert room.queue.claim(9, but=frozenset({"slow.org"})) == []


def test_a_claim_reads_none_of_a_users_finished_mails(database: Database, room: Mailroom) -> None:
    room.register(1)
    found = plans(database, "intents", lambda: room.queue.claim(1))
    assert any("intents_unfinished_by_user" in step for step in found), found  # looks for earlier ones of the user
    assert any(step.endswith("INDEX intents_unfinished") or "intents_unfinished on" in step for step in found), found


def test_a_mail_that_the_release_before_the_index_queued_is_claimed(database: Database, tmp_path: Path) -> None:
    before = shutil.copytree(MIGRATIONS, tmp_path / "before")
    (before / "unfinished_by_user.py").unlink()
    (before / "actors.py").unlink()
    upgrade(database, before)
    with database.write() as connection:
        connection.execute(text(QUEUED_BEFORE))
    assert [claim.recipient for claim in Mailroom(database).queue.claim(2)] == ["ada@example.org"]


def test_claimers_in_threads_never_get_the_same_intent(room: Mailroom) -> None:
    room.register(*range(60))
    claimed: list[int] = []

    def work() -> None:
        while claims := room.queue.claim(3):
            claimed.extend(claim.id for claim in claims)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(claimed) == len(set(claimed)) == 60


def test_a_users_mails_leave_one_after_the_other(room: Mailroom) -> None:
    room.register(1)
    room.move(1, 2)
    recipients = []
    while claims := room.queue.claim(10):
        assert len(claims) == 1
        assert room.queue.claim(10) == []
        recipients += [claim.recipient for claim in claims]
        room.settle(claims, SENT)
    assert recipients == ["ada@example.org", "ada@example.org", "ada2@example.org"]


def test_a_sent_mail_is_published_with_its_cause_and_the_next_version_of_its_user(room: Mailroom) -> None:
    room.register(1)
    claims = room.queue.claim(1)
    room.settle(claims, SENT)
    queued, sent = room.last_events(2)
    assert (sent.type, sent.version) == ("notification.sent", queued.version + 1)
    assert sent.metadata == event.Metadata("correlation-1", queued.event_id)
    fact = msgspec.json.decode(sent.data, type=NotificationSent)
    assert fact == NotificationSent(claims[0].notification_id, user(1), claims[0].message_id, 1)
    assert room.appended.is_set()


@pytest.mark.parametrize(("result", "permanent"), [(BOUNCED, True), (REFUSED, False)])
def test_a_refused_mail_fails_at_once_and_is_permanent_only_if_the_address_bounced(
    room: Mailroom, result: DeliveryResult, *, permanent: bool
) -> None:
    room.register(1)
    room.settle(room.queue.claim(1), result)
    assert room.states() == [("failed", 1)]
    fact = msgspec.json.decode(room.last_events(1)[0].data, type=NotificationFailed)
    assert (fact.permanent, fact.reason, fact.tries) == (permanent, result.detail, 1)


@pytest.mark.parametrize("detail", ["250 queued as \0abc", "\ud800", "250 " + "\0" * 300])
def test_a_reply_that_no_database_can_store_settles_its_mail(room: Mailroom, detail: str) -> None:
    room.register(1, 2)
    room.settle(room.queue.claim(1), DeliveryResult(DeliveryStatus.SENT, detail))
    room.settle(room.queue.claim(1), DeliveryResult(DeliveryStatus.REFUSED, detail))
    assert room.states() == [("sent", 1), ("failed", 1)]
    assert room.queue.claim(1) == []


def test_a_result_whose_detail_the_database_refuses_is_settled_without_it(
    room: Mailroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_queue, "storable", lambda detail: detail)
    room.register(1)
    room.settle(room.queue.claim(1), DeliveryResult(DeliveryStatus.SENT, "\ud800"))
    assert room.outcomes() == [("ada@example.org", "sent", mail_queue.NO_DETAIL)]
    assert room.appended.is_set()


def test_an_address_of_a_record_that_no_database_can_store_blocks_nobody(room: Mailroom) -> None:
    states = [
        a_state_record(a_state(1, user_id=user(n), email=email)) for n, email in ((1, "a\0@x.org"), (2, "b@x.org"))
    ]
    room.handle(*states, *(a_notice_record(1, user_id=user(n)) for n in (1, 2)))
    room.handle(a_state_record(a_state(2, user_id=user(1), email="\0")))
    assert [outcome[0] for outcome in room.outcomes()] == ["a\\x00@x.org", "b@x.org"]


def test_a_deferred_mail_waits_out_its_backoff_and_fails_after_eight_tries(room: Mailroom) -> None:
    room.register(1)
    for tries in range(1, 9):
        claims = room.queue.claim(1)
        assert [claim.tries for claim in claims] == [tries]
        room.settle(claims, DEFERRED)
        assert room.queue.claim(1) == []
        room.expire()
    assert room.states() == [("failed", 8)]
    fact = msgspec.json.decode(room.last_events(1)[0].data, type=NotificationFailed)
    assert (fact.permanent, fact.tries) == (False, 8)


def test_a_mail_of_unknown_outcome_goes_out_once_more_with_the_same_message_id(room: Mailroom) -> None:
    room.register(1)
    first = room.queue.claim(1)
    room.settle(first, UNKNOWN)
    assert room.states() == [("unknown", 1)]
    room.expire()
    second = room.queue.claim(1)
    assert mail_of(second[0]) == mail_of(first[0])
    room.settle(second, UNKNOWN)
    assert room.states() == [("failed", 2)]


def test_a_sender_that_died_leaves_a_claim_that_ends_and_the_mail_repeats_with_its_message_id(room: Mailroom) -> None:
    room.register(1)
    first = room.queue.claim(1)
    room.expire()
    second = room.queue.claim(1)
    assert mail_of(second[0]) == mail_of(first[0])
    assert second[0].tries == 2


@pytest.mark.parametrize("result", [None, DEFERRED], ids=["claim", "backoff"])
def test_a_claim_or_a_backoff_that_ends_a_day_ahead_is_due(room: Mailroom, result: DeliveryResult | None) -> None:
    room.register(1)
    claims = room.queue.claim(1)
    if result is not None:
        room.settle(claims, result)
    room.postpone(DAY_MS)
    assert [claim.tries for claim in room.queue.claim(1)] == [2]


def test_a_clock_that_is_set_back_a_little_ends_no_claim(room: Mailroom) -> None:
    room.register(1)
    room.queue.claim(1)
    room.postpone(5_000)
    assert room.queue.claim(1) == []


def test_a_claim_whose_lease_was_taken_over_can_no_longer_be_settled_by_its_former_holder(room: Mailroom) -> None:
    room.register(1)
    late = room.queue.claim(1)
    room.expire()
    current = room.queue.claim(1)
    room.settle(late, SENT)
    room.queue.settle([], late)
    assert room.states() == [("attempting", 2)]
    room.settle(current, SENT)
    assert room.states() == [("sent", 2)]
    assert [event.type for event in room.last_events(9)] == ["notification.queued", "notification.sent"]


def test_released_claims_cost_no_try_and_are_due_at_once(room: Mailroom) -> None:
    room.register(1, 2)
    claims = room.queue.claim(2)
    room.queue.settle([(claims[0], SENT)], claims[1:])
    assert room.states() == [("sent", 1), ("open", 0)]
    assert [claim.user_id for claim in room.queue.claim(2)] == [user(2)]


def test_a_mail_in_backoff_keeps_its_users_later_mails_back_and_nobody_elses(room: Mailroom) -> None:
    room.register(1, 2)
    room.settle([claim for claim in room.queue.claim(1) if claim.user_id == user(1)], DEFERRED)
    room.move(1, 2)
    assert [claim.user_id for claim in room.queue.claim(10)] == [user(2)]


def test_unfinished_mails_are_counted_by_state_with_the_time_of_the_oldest(room: Mailroom) -> None:
    room.register(1, 2, 3)
    [claim] = room.queue.claim(1)
    room.queue.settle([(claim, UNKNOWN)], [])
    room.queue.claim(1)
    with room.database.read() as connection:
        found = {item.state: (item.number, item.oldest) for item in views.unfinished(connection)}
    assert found == {"unknown": (1, NOW), "attempting": (1, NOW), "open": (1, NOW)}
    [claim] = room.queue.claim(1)
    room.queue.settle([(claim, SENT)], [])
    with room.database.read() as connection:
        assert [item.state for item in views.unfinished(connection)] == ["attempting", "unknown"]
