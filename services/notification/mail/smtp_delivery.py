"""SMTP client: delivers a mail step by step, so that each kind of failure has its own status.

Sources: RFC 5321 for the dialogue, RFC 6531 for addresses beyond ASCII.
"""

import smtplib

import msgspec

from services.notification.domain import ClaimedIntent, DeliveryResult, DeliveryStatus
from services.notification.mail.refusal_ceiling import RefusalCeiling
from services.notification.mail.smtp_connection import Server, connect, error_text
from services.notification.mail.smtp_replies import recipient_status, reply_codes, reply_status
from services.notification.mail.templates import CannotComposeError, Composer, Mail

DATA = b"DATA\r\n"
READY_FOR_DATA = 354
NO_UTF8 = "the address needs SMTPUTF8, which the mail server does not offer"


class Mailer:
    """One connection to a mail server, opened when needed. Not thread-safe: every sender has its own."""

    def __init__(self, server: Server, composer: Composer, ceiling: RefusalCeiling) -> None:
        self._server = server
        self._composer = composer
        self._ceiling = ceiling
        self._smtp: smtplib.SMTP | None = None
        self._has_sent = False  # on this connection

    def connect(self) -> None:
        """Connect if not connected. Raises ConnectionError, which names the reason."""
        if self._smtp is None:
            self._smtp, self._has_sent = connect(self._server), False

    def deliver(self, intent: ClaimedIntent) -> DeliveryResult:
        """Render and deliver the mail of an intent on the open connection."""
        try:
            mail = self._composer.compose(intent)
        except CannotComposeError as error:
            return DeliveryResult(DeliveryStatus.REFUSED, str(error))
        if self._smtp is None:
            return DeliveryResult(DeliveryStatus.UNTRIED, "not connected")
        if mail.needs_utf8 and not self._smtp.has_extn("smtputf8"):
            return DeliveryResult(DeliveryStatus.REFUSED, NO_UTF8)
        result = _deliver(self._smtp, mail)
        if result.status is DeliveryStatus.UNTRIED and self._has_sent:
            result = msgspec.structs.replace(result, status=DeliveryStatus.DROPPED)
        self._has_sent = result.status is DeliveryStatus.SENT
        if not self._has_sent:
            # The state of the dialogue is unknown and QUIT would wait for a reply: the next mail opens a connection.
            self._smtp.close()
            self._smtp = None
        return self._ceiling.limited(result)

    def close(self) -> None:
        """Close the connection, with QUIT if the server still replies."""
        if self._smtp is not None:
            smtp, self._smtp = self._smtp, None
            try:
                smtp.quit()
            except OSError:
                smtp.close()


def _deliver(smtp: smtplib.SMTP, mail: Mail) -> DeliveryResult:
    try:
        if refusal := _announce(smtp, mail):
            return refusal
        smtp.send(mail.content)  # it ends with the final dot: when this fails, the mail was not taken
    except OSError as error:
        return DeliveryResult(DeliveryStatus.DEFERRED, error_text(error))
    try:
        code, reply = smtp.getreply()
    except OSError as error:
        return DeliveryResult(DeliveryStatus.UNKNOWN, f"no answer to the final dot: {error_text(error)}")
    return DeliveryResult(reply_status(code) if code > 0 else DeliveryStatus.UNKNOWN, reply_codes(code, reply))


def _announce(smtp: smtplib.SMTP, mail: Mail) -> DeliveryResult | None:
    """Send MAIL, RCPT and DATA. Returns the result if the server refuses one, None if it waits for the content.

    They go out together where the server offers it (RFC 2920). After a refusal the connection is closed without the
    final dot, so a server that waits for the content all the same takes no mail.
    """
    mail_from, others = _commands(mail)
    together = smtp.has_extn("pipelining")
    try:
        smtp.send(b"".join([mail_from, *others]) if together else mail_from)
        code, reply = smtp.getreply()
    except OSError as error:
        # A server that takes all three together may check the recipient before it replies to the first.
        is_late = together and isinstance(error.__context__, TimeoutError)
        return DeliveryResult(DeliveryStatus.DEFERRED if is_late else DeliveryStatus.UNTRIED, error_text(error))
    status = reply_status(code)
    for command in others:
        if status is not DeliveryStatus.SENT:
            break
        if not together:
            smtp.send(command)
        code, reply = smtp.getreply()
        status = reply_status(code) if command is DATA else recipient_status(code, reply)
    if code == READY_FOR_DATA:
        return None
    return DeliveryResult(
        DeliveryStatus.DEFERRED if status is DeliveryStatus.SENT else status, reply_codes(code, reply)
    )


def _commands(mail: Mail) -> tuple[bytes, tuple[bytes, bytes]]:
    options = " SMTPUTF8" if mail.needs_utf8 else ""
    mail_from = f"MAIL FROM:{smtplib.quoteaddr(mail.sender)}{options}\r\n"
    return mail_from.encode(), (f"RCPT TO:{smtplib.quoteaddr(mail.recipient)}\r\n".encode(), DATA)
