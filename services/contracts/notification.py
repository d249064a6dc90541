"""Facts of delivery, published by the notification service; the subject is the user.

A notification is one message to one recipient because of one notice. Its facts carry all that a notification
service rebuilt from nothing needs in order to mail nobody twice.
"""

import re

import msgspec

EVENTS = "/notification/events"
# The notices that lead to a mail, and its template.
MAILED = {"user.registered": "welcome", "user.email_changed": "email_changed", "user.deactivated": "goodbye"}


class Recipient(msgspec.Struct, frozen=True):
    """The personal part of a notification: where it goes."""

    email: str


class NotificationQueued(msgspec.Struct, frozen=True):
    """`notification.queued`: a message will be sent. `notice_id` is the `ce_id` of the notice that asked for it."""

    notification_id: str
    notice_id: str
    user_id: str
    user_version: int
    template: str
    personal: Recipient


class NotificationSuppressed(msgspec.Struct, frozen=True):
    """`notification.suppressed`: a message will not be sent, and why."""

    notification_id: str
    notice_id: str
    user_id: str
    user_version: int
    template: str
    reason: str


class NotificationSent(msgspec.Struct, frozen=True):
    """`notification.sent`: the mail server took it. `tries` counts from 1."""

    notification_id: str
    user_id: str
    message_id: str
    tries: int


class NotificationFailed(msgspec.Struct, frozen=True):
    """`notification.failed`: given up. `permanent`: the server refused the address in `personal` for good.

    That is a refusal about the address: 5.1.x to RCPT (RFC 3463), or 550, 551 or 553 without an enhanced code. `reason`
    is the reply's code with its enhanced code, or an error. Older events have the reply's text in it too.
    """

    notification_id: str
    user_id: str
    reason: str
    permanent: bool
    tries: int
    personal: Recipient


REPLY_CODES = re.compile(r"[2-5][0-9]{2}(?: [245]\.[0-9]{1,3}\.[0-9]{1,3})?(?!\S)")


def without_text(reason: str) -> str:
    """Return the reason of a failure without the text of a mail server's reply, which may have addresses and names."""
    found = REPLY_CODES.match(reason)
    return found[0] if found else reason


def codes_of(reason: str) -> str:
    """Return the codes of a mail server's reply, `refused` without any: any publisher may have written the reason."""
    found = REPLY_CODES.match(reason)
    return found[0] if found else "refused"


Fact = NotificationQueued | NotificationSuppressed | NotificationSent | NotificationFailed
