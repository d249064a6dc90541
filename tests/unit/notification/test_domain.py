"""The notification service's decisions: the intents of a notice, and the state after a delivery result."""

from typing import Any, cast

import msgspec
import pytest

from services.contracts.user import Personal, UserState
from services.notification import domain
from services.notification.domain import Address, DeliveryStatus, Intent, IntentState, Notice, Reason, Replica
from tests.support.builders import USER_ID, ids
from tests.support.notification_builders import a_state

OLD, NEW, NEWEST = (f"ada@{name}.example.org" for name in ("old", "new", "newest"))


def a_notice(version: int = 1, kind: str = "user.registered") -> Notice:
    return Notice(f"notice-{version}", USER_ID, version, kind, "correlation-1")


def a_replica(state: UserState | None, version: int = 1) -> Replica:
    return Replica(USER_ID, state.version if state else version, "event-1", b"", state)


def a_history(*entries: tuple[int, str]) -> list[Address]:
    return [Address(USER_ID, version, email) for version, email in entries]


def intents(notice: Notice, replica: Replica, history: list[Address]) -> list[tuple[str, str | None, Reason | None]]:
    """Return template, recipient and reason of each intent."""
    found = domain.intents(notice, replica, history, ids())
    return [(intent.template, intent.recipient, intent.reason) for intent in found]


def test_a_personal_field_of_a_later_version_may_be_null() -> None:
    fields = [("time_zone", str | None, None)]
    later = cast("type[Any]", msgspec.defstruct("Later", fields, bases=(Personal,), frozen=True))
    assert domain.oversized(later("ada", OLD, "Ada", "en")) is None
    assert "personal.time_zone has 401" in str(domain.oversized(later("ada", OLD, "Ada", "en", "z" * 401)))


def test_an_intent_has_its_notice_and_two_new_ids() -> None:
    expected = Intent("id-1", "id-2", a_notice(), "welcome", OLD)
    assert domain.intents(a_notice(), a_replica(a_state(email=OLD)), [], ids()) == [expected]


def test_a_registration_is_welcomed_at_its_address() -> None:
    assert intents(a_notice(), a_replica(a_state(email=OLD)), []) == [("welcome", OLD, None)]


def test_a_deactivated_user_gets_a_goodbye_at_the_last_address_unless_opted_out() -> None:
    notice, history = a_notice(3, "user.deactivated"), a_history((1, OLD), (2, NEW))
    assert intents(notice, a_replica(a_state(3, email=NEW)), history) == [("goodbye", NEW, None)]
    silent = a_replica(a_state(3, email=NEW, wants_mail=False))
    assert intents(notice, silent, history) == [("goodbye", NEW, Reason.OPTED_OUT)]


def test_a_welcome_goes_to_the_address_of_its_time_even_when_it_has_changed_since() -> None:
    history = a_history((1, OLD), (2, NEW))
    assert intents(a_notice(), a_replica(a_state(2)), history) == [("welcome", OLD, None)]


def test_a_changed_address_is_reported_to_the_old_one_first_and_then_to_the_new_one() -> None:
    history = a_history((1, OLD), (3, NEW), (4, NEWEST))
    found = intents(a_notice(3, "user.email_changed"), a_replica(a_state(4)), history)
    assert found == [("email_changed", OLD, None), ("email_changed", NEW, None)]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([(1, OLD), (5, NEWEST)], [OLD, NEWEST]),  # the state of the change itself was removed by compaction
        ([(5, NEWEST)], [NEWEST]),  # and the one before it
        ([(1, OLD)], [OLD]),
        ([(1, OLD), (3, OLD)], [OLD]),
    ],
)
def test_if_the_history_has_gaps_the_nearest_known_addresses_get_the_mail_once(
    entries: list[tuple[int, str]], expected: list[str]
) -> None:
    assert domain.recipients(a_notice(3, "user.email_changed"), a_history(*entries)) == expected


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (a_state(email=OLD, wants_mail=False), Reason.OPTED_OUT),
        (a_state(email=OLD, flagged=True), Reason.FLAGGED),
        (a_state(email=OLD, flagged=True, wants_mail=False), Reason.FLAGGED),
    ],
)
def test_a_user_who_opted_out_or_is_flagged_gets_no_mail(state: UserState, reason: Reason) -> None:
    found = intents(a_notice(), a_replica(state), [])
    assert found == [("welcome", OLD, reason)]


def test_an_erased_user_gets_no_mail() -> None:
    assert intents(a_notice(), a_replica(None), []) == [("welcome", None, Reason.ERASED)]


def test_a_notice_is_joined_with_a_replica_that_has_its_version_or_whose_user_is_erased() -> None:
    assert not domain.is_joined(a_notice(2), None)
    assert not domain.is_joined(a_notice(2), a_replica(a_state(1)))
    assert domain.is_joined(a_notice(2), a_replica(a_state(2)))
    assert domain.is_joined(a_notice(2), a_replica(a_state(3)))
    assert domain.is_joined(a_notice(9), a_replica(None, 3))


def test_a_deferred_mail_is_tried_eight_times_within_an_hour_and_then_fails() -> None:
    states = [domain.state_after(DeliveryStatus.DEFERRED, tries, 0) for tries in range(1, 9)]
    assert states == [IntentState.OPEN] * 7 + [IntentState.FAILED]
    waits = [domain.backoff_s(state, tries) for tries, state in enumerate(states, 1)]
    assert waits.pop() is None
    seconds = [wait for wait in waits if wait is not None]
    assert len(seconds) == 7
    assert seconds == sorted(seconds)
    assert 1800 < sum(seconds) <= 3600


@pytest.mark.parametrize("status", [DeliveryStatus.BOUNCED, DeliveryStatus.REFUSED])
def test_a_refused_mail_fails_at_once(status: DeliveryStatus) -> None:
    assert domain.state_after(status, 1, 0) is IntentState.FAILED
    assert domain.backoff_s(IntentState.FAILED, 1) is None


def test_a_mail_of_unknown_outcome_is_tried_once_more_and_then_fails() -> None:
    assert domain.state_after(DeliveryStatus.UNKNOWN, 1, 0) is IntentState.UNKNOWN
    assert domain.backoff_s(IntentState.UNKNOWN, 1) == 10
    assert domain.state_after(DeliveryStatus.UNKNOWN, 2, 1) is IntentState.FAILED
    assert domain.state_after(DeliveryStatus.SENT, 2, 1) is IntentState.SENT


def test_an_attempt_that_was_no_try_is_not_counted_and_waits_for_the_shortest_time() -> None:
    for tries in (1, 8):
        assert domain.state_after(DeliveryStatus.UNTRIED, tries, 0) is IntentState.OPEN
        assert domain.tries_after(DeliveryStatus.UNTRIED, tries) == tries - 1
    assert domain.tries_after(DeliveryStatus.DEFERRED, 2) == 2
    assert domain.backoff_s(IntentState.OPEN, 0) == 10


@pytest.mark.parametrize(
    ("wanted", "locale"),
    [
        ("en", "en"),
        ("de", "de"),
        ("DE", "de"),
        ("de-AT", "de"),
        ("pt-BR", "pt-br"),
        ("pt-PT", "en"),
        ("zh-Hant-TW", "zh-hant"),
        ("fr", "en"),
        ("../../etc", "en"),
        ("-", "en"),
        (None, "en"),
    ],
)
def test_a_locale_falls_back_to_its_language_and_then_to_english(wanted: str | None, locale: str) -> None:
    assert domain.locale_of(wanted, {"en", "de", "pt-br", "zh-hant"}) == locale


def test_a_message_id_is_the_same_at_every_try() -> None:
    assert domain.message_id("n-1", "no-reply@example.org") == "<n-1@example.org>"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (IntentState.OPEN, "queued"),
        (IntentState.ATTEMPTING, "queued"),
        (IntentState.UNKNOWN, "queued"),
        (IntentState.SENT, "sent"),
        (IntentState.FAILED, "failed"),
        (IntentState.SUPPRESSED, "suppressed"),
    ],
)
def test_an_unfinished_intent_has_the_status_queued(state: IntentState, status: str) -> None:
    assert domain.status_of(state) == status
