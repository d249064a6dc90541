"""Which intents a notice leads to, and which state follows a delivery result. Pure: no clock, no SQL, no SMTP.

| Type | One mail, from the record to its outcome |
|---|---|
| `Notice` | the record from Kafka: something happened to a user |
| `Intent` | the durable row: one template for one recipient, or the reason why it is suppressed |
| `ClaimedIntent` | an intent that one sender holds under a lease |
| `Mail` (in `mail.templates`) | the rendered bytes and their SMTP envelope |
| `DeliveryResult` | the outcome of one SMTP transaction: a `DeliveryStatus` and the codes of the server's reply |
| `IntentState` | the intent's row afterwards: finished, or due again after a backoff |
"""

import enum
import re
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import msgspec

from services.contracts.notification import MAILED
from services.contracts.user import Personal, UserState

FALLBACK_LOCALE = "en"
RETRY_AFTER_S = (10, 30, 60, 120, 300, 900, 1800)  # seven waits between eight tries, 54 minutes in all
CLAIM_S = 60.0  # the lease of a claimed intent
WAITS_PER_MAIL = 5  # MAIL, RCPT, DATA, the content, the final dot: each may take the time-out
LONGEST_PERSONAL = 400  # characters of an address or a name; the user service accepts at most 254 and 200
ENCODED_WORD = "=?"  # RFC 2047: mail programs decode what begins like this
MAILBOX = re.compile(r"[^\s@()<>\[\]:;\\,\"]+@[^\s@()<>\[\]:;\\,\"]+")


class Reason(enum.StrEnum):
    """Why an intent is suppressed."""

    ERASED = "erased"
    FLAGGED = "contact_flagged"
    OPTED_OUT = "opted_out"


class Notice(msgspec.Struct, frozen=True):
    """A fact about a user, without its content. `type` names the fact, `id` is the `ce_id`.

    `actor` is the caller whose command led to it, passed on to every event that it causes.
    """

    id: str
    user_id: str
    version: int
    type: str
    correlation_id: str
    traceparent: str | None = None
    actor: str | None = None


class Replica(msgspec.Struct, frozen=True):
    """A user's newest known record and the event that carried it. `state` is None once the user is erased."""

    user_id: str
    version: int
    event_id: str
    digest: bytes
    state: UserState | None

    @property
    def erased(self) -> bool:
        """True if the newest record is a tombstone."""
        return self.state is None


class Address(msgspec.Struct, frozen=True):
    """The address that a user has from a version on."""

    user_id: str
    version: int
    email: str


class Intent(msgspec.Struct, frozen=True):
    """One template for one recipient because of one notice; with a `reason` it is suppressed.

    `event_id` is that of the event that publishes the intent. `recipient` is None if the address of an erased user
    is no longer known.
    """

    notification_id: str
    event_id: str
    notice: Notice
    template: str
    recipient: str | None
    reason: Reason | None = None


class ClaimedIntent(msgspec.Struct, frozen=True):
    """An intent under a lease, with everything that its mail needs.

    `lease_until` is in milliseconds since 1970 by the database's clock. `tries` includes this one; `unknown_tries`
    are those with an unknown outcome. `full_name` and `locale` are None if the user's record is not known.
    """

    id: int
    lease_until: int
    tries: int
    unknown_tries: int
    notification_id: str
    message_id: str
    user_id: str
    event_id: str
    correlation_id: str
    traceparent: str | None
    template: str
    recipient: str
    queued_at: datetime
    full_name: str | None = None
    locale: str | None = None
    actor: str | None = None


class DeliveryStatus(enum.Enum):
    """The outcome of one SMTP transaction."""

    SENT = "sent"
    DEFERRED = "deferred"  # 4xx, or the connection broke before the final dot
    REFUSED = "refused"  # 5xx, or no mail can be rendered
    BOUNCED = "bounced"  # 5xx about the recipient's address: no other mail to it will pass either
    UNKNOWN = "unknown"  # the connection broke after the final dot: the server may have accepted the mail
    UNTRIED = "untried"  # the connection broke before MAIL was accepted, or the server refused all mail: no try
    DROPPED = "dropped"  # the same on a connection that has sent before: the server may only have ended it


class DeliveryResult(msgspec.Struct, frozen=True):
    """The outcome of one SMTP transaction with the codes of the server's reply, or the error."""

    status: DeliveryStatus
    detail: str


class IntentState(enum.StrEnum):
    """The state of an intent's row. The first three are unfinished."""

    OPEN = "open"
    ATTEMPTING = "attempting"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"

    @property
    def finished(self) -> bool:
        """True if no further try follows."""
        return self in {IntentState.SENT, IntentState.FAILED, IntentState.SUPPRESSED}


class ListedIntent(msgspec.Struct, frozen=True):
    """An intent as the API lists it. `place` orders a user's intents; `updated_at` is UTC."""

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


class UnfinishedIntents(msgspec.Struct, frozen=True):
    """The unfinished intents in one state: their count and the queueing time of the oldest."""

    state: str
    number: int
    oldest: datetime


class OverdueNotices(msgspec.Struct, frozen=True):
    """The notices that wait too long for their users' states: their count and the oldest of them."""

    number: int
    notice_id: str
    user_id: str
    version: int


def is_joined(notice: Notice, replica: Replica | None) -> bool:
    """Return True if the replica has reached the notice's version. An erased user's replica is final."""
    return replica is not None and (replica.erased or replica.version >= notice.version)


def needs_history(notice: Notice, replica: Replica) -> bool:
    """Return True if a notice's recipients differ from the replica's own address."""
    return notice.type == "user.email_changed" or replica.version != notice.version


def intents(notice: Notice, replica: Replica, history: Sequence[Address], new_id: Callable[[], str]) -> list[Intent]:
    """Return the intents of a notice that has a template. `history`, if needed, holds the user's addresses by version.

    The newest preferences decide; the recipients are the addresses at the notice's version.
    """
    reason: Reason | None = Reason.ERASED
    to: Sequence[str | None] = [None]
    if replica.state is not None:
        reason = suppression_reason(replica.state)
        to = recipients(notice, history) if needs_history(notice, replica) else [replica.state.personal.email]
    template = MAILED[notice.type]
    return [Intent(new_id(), new_id(), notice, template, recipient, reason) for recipient in to]


def undecided(intents: Sequence[Intent], decided: Collection[str | None], history: Sequence[Address]) -> list[Intent]:
    """Return the intents of a notice that must still be made, where `decided` has the recipients of those that exist.

    A change of address has two. The other one is made if the user's address at the change is known: where compaction
    has removed it, the nearest known address is that of another version, and would get a mail that it never should.
    """
    if not decided:
        return list(intents)
    known = {address.version for address in history}
    return [
        intent
        for intent in intents
        if intent.notice.type == "user.email_changed"
        and intent.notice.version in known
        and None not in decided
        and intent.recipient not in decided
    ]


def oversized(personal: Personal) -> str | None:
    """Return what is wrong with personal data whose texts would not fit into a mail or an event; None if they do."""
    for name in personal.__struct_fields__:
        if (length := len(getattr(personal, name) or "")) > LONGEST_PERSONAL:  # a field of a later version may be null
            return f"personal.{name} has {length} characters, at most {LONGEST_PERSONAL} are accepted"
    return None


def suppression_reason(state: UserState) -> Reason | None:
    """Return why a user gets no mail, None if mail is allowed."""
    if state.contact_flagged:
        return Reason.FLAGGED
    return None if state.preferences.email else Reason.OPTED_OUT


def recipients(notice: Notice, history: Sequence[Address]) -> list[str]:
    """Return the address at the notice's version; for a changed address, the previous one first.

    If compaction has removed that version's state, the nearest known address is used.
    """
    before = [address.email for address in history if address.version < notice.version]
    since = [address.email for address in history if address.version >= notice.version]
    at_version = [address.email for address in history if address.version <= notice.version]
    if notice.type == "user.email_changed":
        return list(dict.fromkeys(before[-1:] + (since or before)[:1]))
    return at_version[-1:] or since[:1]


def state_after(status: DeliveryStatus, tries: int, unknown_tries: int) -> IntentState:
    """Return an intent's state after its `tries`-th try, of which `unknown_tries` earlier ones ended unknown."""
    if status is DeliveryStatus.SENT:
        return IntentState.SENT
    if status is DeliveryStatus.UNTRIED:
        return IntentState.OPEN
    if status in {DeliveryStatus.REFUSED, DeliveryStatus.BOUNCED} or tries > len(RETRY_AFTER_S):
        return IntentState.FAILED
    if status is DeliveryStatus.UNKNOWN:
        return IntentState.FAILED if unknown_tries else IntentState.UNKNOWN
    return IntentState.OPEN


def tries_after(status: DeliveryStatus, tries: int) -> int:
    """Return the number of tries that count, after the `tries`-th."""
    return tries - 1 if status is DeliveryStatus.UNTRIED else tries


def backoff_s(state: IntentState, tries: int) -> int | None:
    """Return the seconds until the next try after `tries` that count, None if the intent is finished."""
    return None if state.finished else RETRY_AFTER_S[max(tries - 1, 0)]


def is_mailbox(text: str) -> bool:
    """Return True for a single address without a name, which a header can hold as it is."""
    return bool(MAILBOX.fullmatch(text)) and text.isprintable() and ENCODED_WORD not in text


def locale_of(preferred: str | None, available: Collection[str]) -> str:
    """Return the preferred locale if available, else its language, else English (RFC 4647, section 3.4)."""
    tag = (preferred or "").lower()
    while tag and tag not in available:
        tag = tag.rpartition("-")[0]
    return tag or FALLBACK_LOCALE


def status_of(state: IntentState) -> str:
    """Return the API's name of a state: every unfinished state is `queued`."""
    return state.value if state.finished else "queued"


def message_id(notification_id: str, mail_from: str) -> str:
    """Return the Message-ID of a notification, the same for every try."""
    return f"<{notification_id}@{mail_from.rpartition('@')[2]}>"
