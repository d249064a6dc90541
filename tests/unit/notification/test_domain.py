"""The notification service's decisions: recipients and messages, and what follows from a mail server's answer."""

import pytest

from services.contracts.user import UserState
from services.notification import domain
from services.notification.domain import Address, Fate, Message, Next, Notice, Reason, Replica, State
from tests.support.builders import USER_ID
from tests.support.notification_builders import a_state

OLD, NEW, NEWEST = (f"ada@{name}.example.org" for name in ("old", "new", "newest"))


def a_notice(version: int = 1, kind: str = "user.registered") -> Notice:
    return Notice(f"notice-{version}", USER_ID, version, kind, "correlation-1")


def a_replica(state: UserState | None, version: int = 1) -> Replica:
    return Replica(USER_ID, state.version if state else version, "event-1", b"", state)


def a_history(*entries: tuple[int, str]) -> list[Address]:
    return [Address(USER_ID, version, email) for version, email in entries]


def test_a_registration_is_welcomed_at_its_address() -> None:
    assert domain.messages(a_notice(), a_replica(a_state(email=OLD)), []) == [Message("welcome", OLD)]


def test_who_leaves_is_told_goodbye_at_the_last_address_unless_mail_is_unwelcome() -> None:
    notice, history = a_notice(3, "user.deactivated"), a_history((1, OLD), (2, NEW))
    assert domain.messages(notice, a_replica(a_state(3, email=NEW)), history) == [Message("goodbye", NEW)]
    silent = a_replica(a_state(3, email=NEW, wants_mail=False))
    assert domain.messages(notice, silent, history) == [Message("goodbye", NEW, Reason.OPTED_OUT)]


def test_a_welcome_goes_to_the_address_of_its_time_even_when_it_has_changed_since() -> None:
    history = a_history((1, OLD), (2, NEW))
    assert domain.messages(a_notice(), a_replica(a_state(2)), history) == [Message("welcome", OLD)]


def test_a_changed_address_is_told_to_the_old_one_first_and_to_the_new_one() -> None:
    history = a_history((1, OLD), (3, NEW), (4, NEWEST))
    messages = domain.messages(a_notice(3, "user.email_changed"), a_replica(a_state(4)), history)
    assert messages == [Message("email_changed", OLD), Message("email_changed", NEW)]


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([(1, OLD), (5, NEWEST)], [OLD, NEWEST]),  # the state of the change itself was removed by compaction
        ([(5, NEWEST)], [NEWEST]),  # and the one before it
        ([(1, OLD)], [OLD]),
        ([(1, OLD), (3, OLD)], [OLD]),
    ],
)
def test_where_history_has_holes_the_nearest_known_addresses_are_told_once(
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
def test_who_wants_or_can_have_no_mail_gets_none(state: UserState, reason: Reason) -> None:
    messages = domain.messages(a_notice(), a_replica(state), [])
    assert messages == [Message("welcome", OLD, reason)]


def test_an_erased_user_is_told_nothing() -> None:
    assert domain.messages(a_notice(), a_replica(None), []) == [Message("welcome", None, Reason.ERASED)]


def test_a_notice_is_joined_with_a_replica_that_has_its_version_or_whose_user_is_erased() -> None:
    assert not domain.is_joined(a_notice(2), None)
    assert not domain.is_joined(a_notice(2), a_replica(a_state(1)))
    assert domain.is_joined(a_notice(2), a_replica(a_state(2)))
    assert domain.is_joined(a_notice(2), a_replica(a_state(3)))
    assert domain.is_joined(a_notice(9), a_replica(None, 3))


def test_a_deferred_mail_is_tried_eight_times_within_an_hour_and_then_given_up() -> None:
    steps = [domain.after(Fate.DEFERRED, tries, 0) for tries in range(1, 9)]
    waits = [step.wait_s for step in steps[:-1] if step.wait_s is not None]
    assert [step.state for step in steps] == [State.OPEN] * 7 + [State.FAILED]
    assert len(waits) == 7
    assert waits == sorted(waits)
    assert 1800 < sum(waits) <= 3600
    assert not steps[-1].permanent


def test_a_refused_mail_fails_at_once_and_for_good_where_the_address_is_at_fault() -> None:
    assert domain.after(Fate.BOUNCED, 1, 0) == Next(State.FAILED, permanent=True)
    assert domain.after(Fate.REFUSED, 1, 0) == Next(State.FAILED)


def test_a_mail_of_unknown_outcome_is_tried_once_more_and_then_given_up() -> None:
    assert domain.after(Fate.UNKNOWN, 1, 0) == Next(State.UNKNOWN, 10)
    assert domain.after(Fate.UNKNOWN, 2, 1) == Next(State.FAILED)
    assert domain.after(Fate.SENT, 2, 1) == Next(State.SENT)


@pytest.mark.parametrize(
    ("code", "fate"),
    [(250, Fate.SENT), (451, Fate.DEFERRED), (550, Fate.REFUSED), (-1, Fate.DEFERRED), (354, Fate.DEFERRED)],
)
def test_a_reply_code_means_what_its_first_digit_says(code: int, fate: Fate) -> None:
    assert domain.fate_of(code) is fate


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
        (State.OPEN, "queued"),
        (State.ATTEMPTING, "queued"),
        (State.UNKNOWN, "queued"),
        (State.SENT, "sent"),
        (State.FAILED, "failed"),
        (State.SUPPRESSED, "suppressed"),
    ],
)
def test_what_is_unfinished_is_called_queued(state: State, status: str) -> None:
    assert domain.status_of(state) == status
