"""The meaning of a mail server's replies, as tables.

Sources: RFC 5321 for reply codes, 4954 for 530, 7504 for 521; RFC 3463 and 7505 for enhanced codes. Only the two codes
of a reply are kept: its text may have addresses and names, and the outcome is published in events.
"""

import re

from services.notification.domain import DeliveryStatus

BOUNCED, REFUSED, DEFERRED, UNTRIED = (
    DeliveryStatus.BOUNCED,
    DeliveryStatus.REFUSED,
    DeliveryStatus.DEFERRED,
    DeliveryStatus.UNTRIED,
)
CLASSES = {2: DeliveryStatus.SENT, 4: DEFERRED, 5: REFUSED}
AT_ANY_STEP = {
    421: UNTRIED,  # the server closes the connection
    503: DEFERRED,  # bad sequence of commands: the dialogue is out of step, a new connection is not
    521: UNTRIED,  # this host accepts no mail
    530: UNTRIED,  # login or STARTTLS is required
}
TO_RECIPIENT = {  # without an enhanced code
    550: BOUNCED,  # mailbox unavailable
    551: BOUNCED,  # user not local
    552: DEFERRED,  # too many recipients or a full mailbox: RFC 5321, section 4.5.3.1.10, asks to retry
    553: BOUNCED,  # mailbox name not allowed
}
TO_RECIPIENT_ENHANCED = {  # the longest entry that fits; what is not here concerns neither address nor server
    b"5.1": BOUNCED,  # the address
    b"5.1.5": REFUSED,  # a valid address
    b"5.1.7": REFUSED,  # the sender's address
    b"5.1.8": REFUSED,  # the sender's domain
    b"5.1.9": REFUSED,  # relayed to a system that cannot report
    b"5.2.2": DEFERRED,  # mailbox full: "a persistent transient failure"
    b"5.3": DEFERRED,  # the state of the mail system
    b"5.3.3": REFUSED,  # it lacks a feature
    b"5.3.4": REFUSED,  # the mail is too big
}
# A text about the sender, or a passing state, with a general code: an address is flagged only without doubt.
NOT_ABOUT_ADDRESS = re.compile(rb"(?i)relay|block|black|grey|spam|polic|denied|permit|authent|quota|full|limit")
ENHANCED = re.compile(rb"([245]\.[0-9]{1,3})\.[0-9]{1,3}(?!\S)")
NO_REPLY = "a reply without a code"


def reply_status(code: int) -> DeliveryStatus:
    """Return the status that a reply code means at any step but RCPT."""
    return AT_ANY_STEP.get(code, CLASSES.get(code // 100, DEFERRED))


def recipient_status(code: int, text: bytes) -> DeliveryStatus:
    """Return the status that a reply to RCPT means: it bounces if it is about the recipient's address."""
    status = reply_status(code)
    if status is not REFUSED:
        return status
    if enhanced := ENHANCED.match(text):
        return TO_RECIPIENT_ENHANCED.get(enhanced[0]) or TO_RECIPIENT_ENHANCED.get(enhanced[1], REFUSED)
    status = TO_RECIPIENT.get(code, REFUSED)
    return REFUSED if status is BOUNCED and NOT_ABOUT_ADDRESS.search(text) else status


def reply_codes(code: int, text: bytes) -> str:
    """Return a reply's code and enhanced code, such as `550 5.1.1`."""
    enhanced = ENHANCED.match(text)
    if code < 0:
        return NO_REPLY
    return f"{code} {enhanced[0].decode()}" if enhanced else str(code)
