"""Mails handed to an SMTP server step by step, so that failures are distinguished.

Source: RFC 5321 for the dialogue, RFC 6531 for addresses beyond ASCII. Knows nothing of queues and tries.
"""

import smtplib

from services.notification.domain import Delivery, Fate, Letter, fate_of, fate_of_recipient
from services.notification.mail.smtp_connection import Server, connect, said, words
from services.notification.mail.templates import CannotComposeError, Composer, Mail

READY_FOR_DATA = 354
CLOSING = 421
WANTS_LOGIN = 530  # RFC 4954; of STARTTLS too, RFC 3207
NO_UTF8 = "the address needs SMTPUTF8, which the mail server does not offer"


class Mailer:
    """One connection to a mail server, opened when needed. Not thread-safe: every sender has its own."""

    def __init__(self, server: Server, composer: Composer) -> None:
        self._server = server
        self._composer = composer
        self._smtp: smtplib.SMTP | None = None

    def connect(self) -> None:
        """Be connected. Raises ConnectionError, which names the reason."""
        if self._smtp is None:
            self._smtp = connect(self._server)

    def deliver(self, letter: Letter) -> Delivery:
        """Hand a mail over on the open connection."""
        try:
            mail = self._composer.compose(letter)
        except CannotComposeError as error:
            return Delivery(Fate.REFUSED, str(error))
        if self._smtp is None:
            return Delivery(Fate.UNTRIED, "not connected")
        delivery = _hand_over(self._smtp, mail)
        if delivery.fate is not Fate.SENT:
            # Whatever state the dialogue is in, the next mail starts afresh, and QUIT would wait for an answer.
            self._smtp.close()
            self._smtp = None
        return delivery

    def close(self) -> None:
        """Leave the server, politely where it still listens."""
        if self._smtp is not None:
            smtp, self._smtp = self._smtp, None
            try:
                smtp.quit()
            except OSError:
                smtp.close()


def _hand_over(smtp: smtplib.SMTP, mail: Mail) -> Delivery:
    if mail.needs_utf8 and not smtp.has_extn("smtputf8"):
        return Delivery(Fate.REFUSED, NO_UTF8)
    try:
        if problem := _announce(smtp, mail):
            return problem
        smtp.send(mail.content)  # it ends with the final dot: when this fails, the mail was not taken
    except OSError as error:
        return Delivery(Fate.DEFERRED, words(error))
    try:
        code, reply = smtp.getreply()
    except OSError as error:
        return Delivery(Fate.UNKNOWN, f"no answer to the final dot: {words(error)}")
    return Delivery(fate_of(code) if code > 0 else Fate.UNKNOWN, said(code, reply))


def _announce(smtp: smtplib.SMTP, mail: Mail) -> Delivery | None:
    """Return why the server does not want the content, None when it waits for it."""
    try:
        code, reply = smtp.mail(mail.sender, ["SMTPUTF8"] if mail.needs_utf8 else [])
    except OSError as error:
        return Delivery(Fate.UNTRIED, words(error))
    if code in {CLOSING, WANTS_LOGIN}:  # it refuses every mail
        return Delivery(Fate.UNTRIED, said(code, reply))
    fate = fate_of(code)
    if fate is Fate.SENT:
        code, reply = smtp.rcpt(mail.recipient)
        fate = fate_of_recipient(code, reply)
    if fate is Fate.SENT:
        code, reply = smtp.docmd("DATA")
        fate = fate_of(code)
    if code == READY_FOR_DATA:
        return None
    return Delivery(Fate.DEFERRED if fate is Fate.SENT else fate, said(code, reply))
