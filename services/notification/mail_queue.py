"""Claims mails for a sender, and commits the outcomes together with the events that record them."""

import threading
from collections.abc import Callable, Sequence

import msgspec
import structlog
from sqlalchemy.exc import DataError

from services.chassis.database.database import Database
from services.chassis.database.text import storable
from services.chassis.messages.clock import Clock
from services.chassis.messages.event import Metadata, NewEvent
from services.chassis.outbox.event_store import appending, last_versions
from services.contracts import shapes
from services.contracts.catalog import TYPE_NAMES
from services.contracts.notification import NotificationFailed, NotificationSent, Recipient
from services.notification.domain import (
    CLAIM_S,
    ClaimedIntent,
    DeliveryResult,
    DeliveryStatus,
    IntentState,
    state_after,
)
from services.notification.store import intents

NO_DETAIL = "the detail cannot be stored"
Domains = frozenset[str]
Results = Sequence[tuple[ClaimedIntent, DeliveryResult]]

log = structlog.get_logger()


class MailQueue(msgspec.Struct, frozen=True):
    """The unfinished mails; each user's are sent in order. See `sender.Queue`."""

    database: Database
    clock: Clock
    new_id: Callable[[], str]
    mail_from: str
    appended: threading.Event
    claim_s: float = CLAIM_S

    def claim(self, limit: int, *, but: Domains = frozenset(), only: Domains = frozenset()) -> list[ClaimedIntent]:
        """Claim up to `limit` due mails, each the oldest unfinished one of its user; committed on return.

        Mails to the domains in `but` are left; if there are domains in `only`, mails to all others are.
        """
        with self.database.write() as connection:
            rows = intents.claim(connection, limit, self.claim_s, intents.to_domains(but, only))
            return intents.claimed(connection, rows, self.mail_from)

    def settle(self, results: Results, unused: Sequence[ClaimedIntent]) -> None:
        """Commit results with their events; release unused claims without counting a try.

        A result whose detail the database refuses is committed without it: the mail was sent, and would be again.
        """
        try:
            self._settle([_detailed(claimed, result, storable(result.detail)) for claimed, result in results], unused)
        except (DataError, UnicodeError) as error:
            log.exception("details not stored", error=str(error), intents=[claimed.id for claimed, _ in results])
            self._settle([_detailed(claimed, result, NO_DETAIL) for claimed, result in results], unused)
        self.appended.set()

    def _settle(self, results: Results, unused: Sequence[ClaimedIntent]) -> None:
        with self.database.write() as connection, appending(connection, self.clock()) as pending:
            held = intents.lock(connection, [*(claimed for claimed, _ in results), *unused])
            outcomes = [(claimed, result, _state(claimed, result)) for claimed, result in results if claimed.id in held]
            intents.write_outcomes(connection, outcomes, pending.time)
            intents.release(connection, [claimed.id for claimed in unused if claimed.id in held])
            finished = [outcome for outcome in outcomes if outcome[2].finished]
            versions = last_versions(connection, [claimed.user_id for claimed, _, _ in finished])
            for claimed, result, state in finished:  # one per user: a claim is the oldest of its user's
                version = versions.get(claimed.user_id, 0) + 1
                pending.append(_event(self.new_id(), version, claimed, _fact(claimed, result, state)))


def _detailed(claimed: ClaimedIntent, result: DeliveryResult, detail: str) -> tuple[ClaimedIntent, DeliveryResult]:
    return claimed, result if result.detail == detail else msgspec.structs.replace(result, detail=detail)


def _state(claimed: ClaimedIntent, result: DeliveryResult) -> IntentState:
    return state_after(result.status, claimed.tries, claimed.unknown_tries)


def _event(
    event_id: str, version: int, claimed: ClaimedIntent, fact: NotificationSent | NotificationFailed
) -> NewEvent:
    shape = shapes.written_version(type(fact))
    return NewEvent(
        event_id=event_id,
        subject=claimed.user_id,
        version=version,
        type=TYPE_NAMES[type(fact)],
        data=shapes.written(fact).decode(),
        metadata=Metadata(claimed.correlation_id, claimed.event_id, claimed.traceparent, shape, claimed.actor),
    )


def _fact(claimed: ClaimedIntent, result: DeliveryResult, state: IntentState) -> NotificationSent | NotificationFailed:
    if state is IntentState.SENT:
        return NotificationSent(claimed.notification_id, claimed.user_id, claimed.message_id, claimed.tries)
    permanent = result.status is DeliveryStatus.BOUNCED
    what = (claimed.notification_id, claimed.user_id, result.detail, permanent, claimed.tries)
    return NotificationFailed(*what, Recipient(claimed.recipient))
