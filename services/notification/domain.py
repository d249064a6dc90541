"""Which notices make which messages, and what follows from a mail server's answer. Pure: no clock, no SQL, no SMTP."""

import enum
from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec

from services.contracts.user import UserState

TEMPLATES = {"user.registered": "welcome", "user.email_changed": "email_changed", "user.deactivated": "goodbye"}
FALLBACK_LOCALE = "en"
RETRY_AFTER_S = (10, 30, 60, 120, 300, 900, 1800)  # seven waits between eight tries, 54 minutes in all
CLAIM_S = 60.0  # how long a claimed intent is its sender's
WAITS_PER_MAIL = 5  # MAIL, RCPT, DATA, the content, the final dot: each may take the time-out
POLICY = b"5.7."  # RFC 3463: the server's rules or its doubts about us, whatever the recipient is


class Reason(enum.StrEnum):
    """Why a message is suppressed."""

    ERASED = "erased"
    FLAGGED = "contact_flagged"
    OPTED_OUT = "opted_out"


class Notice(msgspec.Struct, frozen=True):
    """Somebody's word that something happened to a user. `type` names the fact, `id` is the `ce_id`."""

    id: str
    user_id: str
    version: int
    type: str
    correlation_id: str
    traceparent: str | None = None


class Replica(msgspec.Struct, frozen=True):
    """A user as this service knows it, and by which event. `state` is None once the user is erased."""

    user_id: str
    version: int
    event_id: str
    digest: bytes
    state: UserState | None

    @property
    def erased(self) -> bool:
        """Return True if the last record of the user was a tombstone."""
        return self.state is None


class Address(msgspec.Struct, frozen=True):
    """The address a user has had from a version on."""

    user_id: str
    version: int
    email: str


class Message(msgspec.Struct, frozen=True):
    """A message to be sent or, with a reason, not. `recipient` is None where an erased user's address is gone."""

    template: str
    recipient: str | None
    reason: Reason | None = None


class Intent(msgspec.Struct, frozen=True):
    """A message of a notice, with its id and the id of the event that records it."""

    notification_id: str
    event_id: str
    notice: Notice
    message: Message


class Letter(msgspec.Struct, frozen=True):
    """All that a mail is made of. Name and locale are None where the user is not known (any more)."""

    message_id: str
    template: str
    recipient: str
    full_name: str | None
    correlation_id: str
    queued_at: datetime
    locale: str | None = None


class Claim(msgspec.Struct, frozen=True):
    """An intent that is its sender's until a time: milliseconds since 1970 by the database's clock.

    `tries` counts this one, `event_id` is that of the event that queued it.
    """

    id: int
    until: int
    tries: int
    doubts: int
    notification_id: str
    user_id: str
    event_id: str
    traceparent: str | None
    letter: Letter


class Fate(enum.Enum):
    """The outcome of an attempt to deliver a mail."""

    SENT = "sent"
    DEFERRED = "deferred"  # not now: 4xx, or the connection broke before the final dot
    REFUSED = "refused"  # never: 5xx, or no mail can be made of it
    BOUNCED = "bounced"  # never, and no other mail to this recipient either: 5xx to the address
    UNKNOWN = "unknown"  # the connection broke after the final dot: it may have been taken
    UNTRIED = "untried"  # the server was lost before it received this mail


class Delivery(msgspec.Struct, frozen=True):
    """The fate of an attempt and the server's words."""

    fate: Fate
    detail: str


class Attempt(msgspec.Struct, frozen=True):
    """A claim that was used, and what came of it."""

    claim: Claim
    delivery: Delivery


class State(enum.StrEnum):
    """Where an intent stands. The first three are unfinished."""

    OPEN = "open"
    ATTEMPTING = "attempting"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


class Next(msgspec.Struct, frozen=True):
    """Where an intent goes after an attempt. `wait_s` is None when it is finished.

    `permanent`: the recipient's address is at fault.
    """

    state: State
    wait_s: int | None = None
    permanent: bool = False


class Listed(msgspec.Struct, frozen=True):
    """An intent as it stands. `place` orders a user's; `updated_at` is UTC."""

    place: int
    notification_id: str
    user_version: int
    template: str
    recipient: str | None
    state: str
    detail: str
    correlation_id: str
    tries: int
    updated_at: datetime


class Unfinished(msgspec.Struct, frozen=True):
    """Mails in one state that are not finished: how many, and since when the oldest is queued."""

    state: str
    number: int
    oldest: datetime


class Overdue(msgspec.Struct, frozen=True):
    """Notices that have waited since before a moment: how many, and the oldest of them."""

    number: int
    notice_id: str
    user_id: str
    version: int


def is_joined(notice: Notice, replica: Replica | None) -> bool:
    """Return whether the replica has caught up with a notice. Of an erased user nothing more will come."""
    return replica is not None and (replica.erased or replica.version >= notice.version)


def needs_history(notice: Notice, replica: Replica) -> bool:
    """Return whether a notice's recipients are others than the replica's own address."""
    return notice.type == "user.email_changed" or replica.version != notice.version


def messages(notice: Notice, replica: Replica, history: Sequence[Address]) -> list[Message]:
    """Return what a notice with a template leads to. `history` has the user's addresses by version, where it is needed.

    The newest preferences decide, the addresses of the notice's version receive.
    """
    template = TEMPLATES[notice.type]
    if replica.state is None:
        return [Message(template, None, Reason.ERASED)]
    reason = why_not(replica.state)
    to = recipients(notice, history) if needs_history(notice, replica) else [replica.state.personal.email]
    return [Message(template, recipient, reason) for recipient in to]


def why_not(state: UserState) -> Reason | None:
    """Return why a user gets no mail, None where mail is welcome."""
    if state.contact_flagged:
        return Reason.FLAGGED
    return None if state.preferences.email else Reason.OPTED_OUT


def recipients(notice: Notice, history: Sequence[Address]) -> list[str]:
    """Return the recipients: the address at the notice's version, and of a change the one before it, which comes first.

    Where compaction has removed the version's own state, the next known address replaces it.
    """
    before = [address.email for address in history if address.version < notice.version]
    since = [address.email for address in history if address.version >= notice.version]
    at_version = [address.email for address in history if address.version <= notice.version]
    if notice.type == "user.email_changed":
        return list(dict.fromkeys(before[-1:] + (since or before)[:1]))
    return at_version[-1:] or since[:1]


def after(fate: Fate, tries: int, doubts: int) -> Next:
    """Return where an intent goes after its `tries`-th try, when `doubts` earlier ones ended unknown."""
    if fate is Fate.SENT:
        return Next(State.SENT)
    if fate in {Fate.REFUSED, Fate.BOUNCED}:
        return Next(State.FAILED, permanent=fate is Fate.BOUNCED)
    if tries > len(RETRY_AFTER_S) or (fate is Fate.UNKNOWN and doubts):
        return Next(State.FAILED)
    return Next(State.UNKNOWN if fate is Fate.UNKNOWN else State.OPEN, RETRY_AFTER_S[tries - 1])


def fate_of(code: int) -> Fate:
    """Return the fate that an SMTP reply code means (RFC 5321, section 4.2.1)."""
    return {2: Fate.SENT, 4: Fate.DEFERRED, 5: Fate.REFUSED}.get(code // 100, Fate.DEFERRED)


def fate_of_recipient(code: int, reply: bytes) -> Fate:
    """Return the fate that a reply to RCPT means: a refusal is the address's fault unless its code means policy."""
    fate = fate_of(code)
    return Fate.BOUNCED if fate is Fate.REFUSED and not reply.startswith(POLICY) else fate


def locale_of(wanted: str | None, offered: Collection[str]) -> str:
    """Return the locale to write in: the wanted one, else its language, else English (RFC 4647, section 3.4)."""
    tag = (wanted or "").lower()
    while tag and tag not in offered:
        tag = tag.rpartition("-")[0]
    return tag or FALLBACK_LOCALE


def status_of(state: State) -> str:
    """Return what the API calls a state: whatever is unfinished is queued."""
    return state if state in {State.SENT, State.FAILED, State.SUPPRESSED} else "queued"


def message_id(notification_id: str, mail_from: str) -> str:
    """Return the Message-ID of a notification: every try has the same."""
    return f"<{notification_id}@{mail_from.rpartition('@')[2]}>"
