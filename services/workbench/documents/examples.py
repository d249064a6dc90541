"""One event per type of the catalog, as its publisher would send it."""

from datetime import UTC, datetime

import msgspec

from services.contracts import notification, operations, user
from services.contracts.catalog import TOPICS, TYPE_NAMES, TYPES
from services.contracts.envelope import Envelope, schema_of
from services.contracts.shapes import written_version
from services.contracts.user import Personal, Preferences, Status

TIME = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USER_ID = "01936d5e-0000-7000-8000-000000000001"
NOTICE_ID = "01936d5e-0000-7000-8000-00000000000a"
NOTIFICATION_ID = "01936d5e-0000-7000-8000-00000000000b"
ADA = Personal("ada", "ada@example.org", "Ada Lovelace 🦆", "en")
DATA: tuple[msgspec.Struct, ...] = (
    user.UserRegistered(ADA, Preferences(email=True)),
    user.EmailChanged(user.NewAddress("countess@example.org")),
    user.ProfileChanged(user.Profile("Ada King", "en-GB")),
    user.PreferencesChanged(Preferences(email=False)),
    user.ContactFlagged("550 5.1.1"),
    user.ContactCleared(),
    user.UserDeactivated(),
    user.UserState(USER_ID, 7, Status.ACTIVE, ADA, Preferences(email=True)),
    user.UserNotice(USER_ID, "user.registered", 7),
    notification.NotificationQueued(
        NOTIFICATION_ID, NOTICE_ID, USER_ID, 7, "welcome", notification.Recipient("ada@example.org")
    ),
    notification.NotificationSuppressed(NOTIFICATION_ID, NOTICE_ID, USER_ID, 7, "welcome", "preferences"),
    notification.NotificationSent(NOTIFICATION_ID, USER_ID, "<b@eventline.local>", 2),
    notification.NotificationFailed(
        notification_id=NOTIFICATION_ID,
        user_id=USER_ID,
        reason="550 5.1.1",
        permanent=True,
        tries=1,
        personal=notification.Recipient("ada@example.org"),
    ),
    operations.OperatorActed(
        action="outbox.retry",
        selection="sequence 12",
        count=3,
        reason="",
        operator="grace",
        host="ops-1",
        verified=False,
    ),
)
SOURCES = {kind: topic.sources[0] for topic in TOPICS for kind in topic.types}


def _envelope(kind: str) -> Envelope:
    source = SOURCES[kind]
    return Envelope(
        id="01936d5e-0000-7000-8000-00000000000e",
        source=source,
        type=kind,
        subject="user.outbox" if kind == operations.ACTED else USER_ID,
        time=TIME,
        schema=schema_of(kind, written_version(TYPES[kind])),
        sequence=41,
        version=7,
        correlation_id="correlation-1",
        causation_id=NOTICE_ID if source == notification.EVENTS else None,
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


EXAMPLES = {TYPE_NAMES[type(data)]: (_envelope(TYPE_NAMES[type(data)]), data) for data in DATA}
