"""Builders of the notification service's input records, claimed intents and handler."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from services.chassis.consumer.decoding import Decoder
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.contracts import user
from services.contracts.catalog import TYPES, USER_NOTICES, USER_STATE
from services.contracts.user import Preferences, Status, UserNotice, UserState
from services.notification.domain import ClaimedIntent
from services.notification.handlers import Handler, Tools
from services.notification.store.batch import Rows
from tests.support.builders import NOW, USER_ID, a_person, a_record, an_envelope
from tests.support.schemas import upgrade

REVISIONS = Path(migrations.__file__).parents[3] / "notification" / "migrations"


def a_state(  # noqa: PLR0913  # each part changeable by its name
    version: int = 1,
    *,
    user_id: str = USER_ID,
    email: str = "ada@example.org",
    wants_mail: bool = True,
    flagged: bool = False,
    name: str = "Ada Lovelace",
    locale: str = "en",
) -> UserState:
    """Return a user as the topic of states carries it."""
    person = a_person(email=email, full_name=name, locale=locale)
    return UserState(user_id, version, Status.ACTIVE, person, Preferences(wants_mail), flagged)


def a_state_record(state: UserState, event_id: str | None = None) -> Record:
    """Return the record of a state."""
    return _record(USER_STATE.name, user.STATE, state, event_id)


def a_notice_record(
    version: int = 1, kind: str = "user.registered", user_id: str = USER_ID, event_id: str | None = None
) -> Record:
    """Return the record of a notice."""
    return _record(USER_NOTICES.name, user.NOTICES, UserNotice(user_id, kind, version), event_id)


def a_tombstone(version: int, user_id: str = USER_ID) -> Record:
    """Return the tombstone of a user."""
    envelope = an_envelope(
        id=f"erased-{user_id[-12:]}", source=user.STATE, type="user.state", subject=user_id, version=version
    )
    return a_record(envelope, None, topic=USER_STATE.name)


def a_handler(new_id: Callable[[], str]) -> Handler:
    """Return the service's handler."""
    types = {name: TYPES[name] for name in ("user.state", "user.notice")}
    decoder = Decoder(types, tombstones=frozenset({USER_STATE.name}))
    return Handler(Tools(decoder, Rows, new_id, lambda: NOW, timedelta(days=45)))


def a_claimed_intent(number: int = 1, recipient: str = "ada@example.org") -> ClaimedIntent:
    """Return the first claim of a welcome to Ada."""
    return ClaimedIntent(
        id=number,
        lease_until=0,
        tries=1,
        unknown_tries=0,
        notification_id=f"n-{number}",
        message_id=f"<n-{number}@example.org>",
        user_id=f"user-{number}",
        event_id=f"e-{number}",
        correlation_id="correlation-1",
        traceparent=None,
        template="welcome",
        recipient=recipient,
        queued_at=NOW,
        full_name="Ada Lovelace",
    )


def prepare(database: Database) -> Database:
    """Give a database the service's tables."""
    upgrade(database, REVISIONS)
    return database


def _record(topic: str, source: str, data: UserState | UserNotice, event_id: str | None) -> Record:
    kind = "user.state" if isinstance(data, UserState) else "user.notice"
    envelope = an_envelope(
        id=event_id or f"event-{data.user_id[-12:]}-{data.version}",
        source=source,
        type=kind,
        subject=data.user_id,
        version=data.version,
        correlation_id=f"correlation-{data.version}",
    )
    return a_record(envelope, data, topic=topic)
