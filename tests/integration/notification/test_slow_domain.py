"""A recipient domain that does not answer: the mails of all others arrive, by a real mail server and four senders."""

import threading

import pytest

from services.chassis.database.database import Database
from services.notification.mail.refusal_ceiling import RefusalCeiling
from services.notification.mail.sender import Sender
from services.notification.mail.smtp_connection import Server
from services.notification.mail.smtp_delivery import Mailer
from services.notification.mail.templates import Composer
from services.workbench.polling import until
from tests.support.builders import a_telemetry
from tests.support.mail_servers import HOST, MailServer
from tests.support.sender_harness import MAIL_FROM, Mailroom

SENDERS, SHARE = 4, 2
SLOW, OTHERS = range(100), range(100, 150)
TIMEOUT_S = 20.0  # of a reply: longer than the others' mails may take
DEADLINE_S = 10.0


@pytest.fixture
def room(database: Database) -> Mailroom:
    room = Mailroom(database)
    room.register(*SLOW, email="ada@slow.org")  # queued first, more than all senders claim at a time
    room.register(*OTHERS)
    return room


def test_a_domain_that_does_not_answer_holds_up_no_mail_of_another(room: Mailroom) -> None:
    stop, pool, telemetry = threading.Event(), room.pool(TIMEOUT_S / 10, SHARE), a_telemetry()
    with MailServer() as server:
        server.held = "slow.org"
        target = Server(HOST, server.port, TIMEOUT_S)
        senders = [
            Sender(f"s{number}", pool, Mailer(target, Composer(MAIL_FROM), RefusalCeiling(5, telemetry)), telemetry)
            for number in range(SENDERS)
        ]
        threads = [threading.Thread(target=sender.run, args=(stop,)) for sender in senders]
        try:
            for thread in threads:
                thread.start()
            until("the others' mails", lambda: len(server.mails), len(OTHERS).__eq__, DEADLINE_S)
            assert {mail.rcpt_tos[0] for mail in server.mails} == {"ada@example.org"}
            assert 1 <= server.most_held <= SHARE
            server.release()
            until("all mails", lambda: len(server.mails), (len(OTHERS) + len(SLOW)).__eq__, DEADLINE_S)
        finally:
            server.release()
            stop.set()
            for thread in threads:
                thread.join(DEADLINE_S)
    assert {state for state, _ in room.states()} == {"sent"}
