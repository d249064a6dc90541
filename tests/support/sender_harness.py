"""A notification store with queued mails, and a sender for them."""

import threading
from collections.abc import Iterable

from sqlalchemy import select, update

from services.chassis.database.database import Database
from services.chassis.messages import event
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store
from services.notification.domain import ClaimedIntent, DeliveryResult
from services.notification.mail.bell import Bell
from services.notification.mail.recipient_domains import RecipientDomains
from services.notification.mail.refusal_ceiling import RefusalCeiling
from services.notification.mail.sender import Limits, Pool, Sender
from services.notification.mail.smtp_connection import Server
from services.notification.mail.smtp_delivery import Mailer
from services.notification.mail.templates import Composer
from services.notification.mail_queue import MailQueue
from services.notification.store.tables import intents
from tests.support.builders import NOW, a_telemetry, ids
from tests.support.notification_builders import a_handler, a_notice_record, a_state, a_state_record, prepare

MAIL_FROM = "hello@example.org"


def user(number: int) -> str:
    """Return the id of a user."""
    return f"{number:036}"


class Mailroom:
    """A store with queued mails."""

    def __init__(self, database: Database) -> None:
        self.database = prepare(database)
        self.appended = threading.Event()
        self.queue = MailQueue(database, lambda: NOW, ids("sent"), MAIL_FROM, self.appended)
        self._handler = a_handler(ids())
        self._ceiling = RefusalCeiling(5, a_telemetry())

    def register(self, *users: int, locale: str = "en", email: str = "ada@example.org") -> None:
        """Queue a welcome for each user."""
        records = [
            record
            for number in users
            for record in (
                a_state_record(a_state(1, user_id=user(number), locale=locale, email=email)),
                a_notice_record(1, user_id=user(number)),
            )
        ]
        self.handle(*records)

    def handle_any(self, *records: Record) -> None:
        """Apply records, some of which may be refused."""
        with self.database.write() as connection:
            self._handler(connection, records)

    def handle(self, *records: Record) -> None:
        """Apply records, none of which is refused."""
        with self.database.write() as connection:
            assert not self._handler(connection, records).refused

    def move(self, number: int, version: int) -> None:
        """Queue two mails about a changed address."""
        state = a_state(version, user_id=user(number), email=f"ada{version}@example.org")
        notice = a_notice_record(version, "user.email_changed", user_id=user(number))
        self.handle(a_state_record(state), notice)

    def settle(self, claims: Iterable[ClaimedIntent], result: DeliveryResult) -> None:
        """Settle each claim with a result."""
        self.queue.settle([(claim, result) for claim in claims], [])

    def send(self, server: Server) -> None:
        """Send the due mails to a mail server. Raises ConnectionError: the server is unreachable."""
        mailer = Mailer(server, Composer(MAIL_FROM), self._ceiling)
        sender = Sender("sender-1", self.pool(server.timeout_s), mailer, a_telemetry())
        try:
            sender.step(threading.Event())
        finally:
            mailer.close()

    def pool(self, timeout_s: float = 5.0, share: int = 1) -> Pool:
        """Return what senders of this store share."""
        return Pool(self.queue, Limits.of(10, timeout_s, 60.0), RecipientDomains(share), Bell())

    def expire(self) -> None:
        """Let backoffs and claims end."""
        with self.database.write() as connection:
            connection.execute(update(intents).where(intents.c.due_at.is_not(None)).values(due_at=1))

    def postpone(self, milliseconds: int) -> None:
        """Move the ends of backoffs and claims, as a clock does that was ahead when they were written."""
        with self.database.write() as connection:
            later = {"due_at": intents.c.due_at + milliseconds}
            connection.execute(update(intents).where(intents.c.due_at.is_not(None)).values(later))

    def states(self) -> list[tuple[str, int]]:
        """Return state and tries of each intent."""
        with self.database.read() as connection:
            rows = connection.execute(select(intents.c.state, intents.c.tries).order_by(intents.c.id))
            return [(row.state, row.tries) for row in rows]

    def outcomes(self) -> list[tuple[str, str, str]]:
        """Return recipient, state and detail of each intent."""
        with self.database.read() as connection:
            columns = intents.c.recipient, intents.c.state, intents.c.detail
            return [(row[0], row[1], row[2]) for row in connection.execute(select(*columns).order_by(intents.c.id))]

    def last_events(self, number: int) -> list[event.NewEvent]:
        """Return the events behind those of the registrations."""
        with self.database.read() as connection:
            return [event.event for event in event_store.read(connection, 0, 1000)][-number:]
