"""Claims mails for a sender, and commits the outcomes together with the events that record them."""

import threading
from collections.abc import Callable, Sequence

import msgspec

from services.chassis.database.database import Database
from services.chassis.messages.clock import Clock
from services.chassis.messages.event import Metadata, NewEvent
from services.chassis.outbox.event_store import appending, last_versions
from services.contracts.catalog import TYPE_NAMES
from services.contracts.notification import NotificationFailed, NotificationSent, Recipient
from services.notification.domain import CLAIM_S, Attempt, Claim, Next, State, after
from services.notification.store import intents


class MailQueue(msgspec.Struct, frozen=True):
    """The unfinished mails; each user's are sent in order. See `sender.Queue`."""

    database: Database
    clock: Clock
    new_id: Callable[[], str]
    mail_from: str
    appended: threading.Event
    claim_s: float = CLAIM_S

    def claim(self, limit: int) -> list[Claim]:
        """Claim up to `limit` due mails, each the oldest unfinished one of its user; committed on return."""
        with self.database.write() as connection:
            return intents.claim(connection, limit, self.claim_s, self.mail_from)

    def settle(self, attempts: Sequence[Attempt], unused: Sequence[Claim]) -> None:
        """Commit the outcomes of claims with their events; give unused claims back without counting a try."""
        with self.database.write() as connection, appending(connection, self.clock()) as pending:
            claimed = intents.lock(connection, [*(attempt.claim for attempt in attempts), *unused])
            outcomes = [(attempt, _next(attempt)) for attempt in attempts if attempt.claim.id in claimed]
            intents.write_outcomes(connection, outcomes, pending.time)
            intents.give_back(connection, [claim.id for claim in unused if claim.id in claimed])
            finished = [(attempt, following) for attempt, following in outcomes if following.wait_s is None]
            versions = last_versions(connection, [attempt.claim.user_id for attempt, _ in finished])
            for attempt, following in finished:  # one per user: a claim is the oldest of its user's
                version = versions.get(attempt.claim.user_id, 0) + 1
                pending.append(_event(self.new_id(), version, attempt, following))
        self.appended.set()


def _next(attempt: Attempt) -> Next:
    return after(attempt.delivery.fate, attempt.claim.tries, attempt.claim.doubts)


def _event(event_id: str, version: int, attempt: Attempt, following: Next) -> NewEvent:
    claim = attempt.claim
    fact = _fact(attempt, following)
    return NewEvent(
        event_id=event_id,
        subject=claim.user_id,
        version=version,
        type=TYPE_NAMES[type(fact)],
        data=msgspec.json.encode(fact).decode(),
        metadata=Metadata(claim.letter.correlation_id, claim.event_id, claim.traceparent),
    )


def _fact(attempt: Attempt, following: Next) -> NotificationSent | NotificationFailed:
    claim = attempt.claim
    if following.state is State.SENT:
        return NotificationSent(claim.notification_id, claim.user_id, claim.letter.message_id, claim.tries)
    what = (claim.notification_id, claim.user_id, attempt.delivery.detail, following.permanent, claim.tries)
    return NotificationFailed(*what, Recipient(claim.letter.recipient))
