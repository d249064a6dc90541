"""The mail sink as its own process."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import msgspec

from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Process
from services.workbench.local.sink import Mail
from services.workbench.local.system import MAILS, sink

DEADLINE = 20.0


def a_message(subject: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "eventline@example.org", "ada@example.org"
    message["Message-ID"], message["Subject"], message["X-Correlation-ID"] = f"<{subject}@x>", subject, "c-1"
    message.set_content("Grüße")
    return message


def test_an_accepted_mail_stands_in_the_file_before_the_sender_knows(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    process = Process(sink(port, tmp_path))
    try:
        process.wait_ready(DEADLINE)
        with smtplib.SMTP(HOST, port) as client:
            for number, subject in enumerate(("first", "second"), start=1):
                client.send_message(a_message(subject))
                lines = (tmp_path / MAILS).read_bytes().splitlines()
                mail = msgspec.json.decode(lines[-1], type=Mail)
                assert (len(lines), mail.message_id, mail.body) == (number, f"<{subject}@x>", "Grüße\n")
    finally:
        process.ask_to_stop()
        assert process.wait_end(DEADLINE) == 0
