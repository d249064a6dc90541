"""A mail server that accepts everything and writes one JSON line per accepted mail. Knows no service.

The line is in the file before the sender gets "250": every accepted mail is there.
"""

import asyncio
import email
import signal
import time
from collections.abc import Callable
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path

import msgspec
from aiosmtpd.smtp import SMTP, Envelope, Session

from services.workbench.local.ports import HOST


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """One accepted mail. `received_at` is in seconds since 1970."""

    received_at: float
    message_id: str
    sender: str
    recipients: list[str]
    subject: str
    correlation_id: str
    body: str


class AddedLines:
    """The lines of a file that grows, such as the sink's: each is returned once, and whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def read(self) -> list[bytes]:
        """Return the lines that were added; one that is still being written waits."""
        if not self._path.exists():
            return []
        with self._path.open("rb") as file:
            file.seek(self._read)
            added = file.read()
        whole = added[: added.rfind(b"\n") + 1]
        self._read += len(whole)
        return whole.splitlines()


class Recorder:
    """The handler that aiosmtpd calls for each mail."""

    def __init__(self, path: Path, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now

    async def handle_EHLO(  # noqa: N802  # its name
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        """Offer PIPELINING (RFC 2920), as most mail servers do: commands are read one by one in any case."""
        session.host_name = hostname
        return [*replies[:1], "250-PIPELINING", *replies[1:]]

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802  # its name
        """Write the mail down and answer the sender."""
        mail = read_mail(envelope, self._now())
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(mail) + b"\n")
        return "250 accepted"


def read_mail(envelope: Envelope, received_at: float) -> Mail:
    """Return what an SMTP envelope carried; a header that is absent is empty text."""
    # Not `email.policy.default`, whose header objects took ten times the work: a queue would wait for the sink.
    message = email.message_from_bytes(envelope.original_content or b"")
    headers = {name.lower(): value for name, value in message.raw_items()}
    return Mail(
        received_at=received_at,
        message_id=_decoded(headers.get("message-id", "")).strip(),
        sender=envelope.mail_from or "",
        recipients=list(envelope.rcpt_tos),
        subject=_decoded(headers.get("subject", "")),
        correlation_id=_decoded(headers.get("x-correlation-id", "")),
        body=_plain_text(message),
    )


def _decoded(header: str) -> str:
    unfolded = "".join(header.splitlines()).encode("ascii", "surrogateescape")  # how the parser keeps UTF-8
    return str(make_header(decode_header(unfolded.decode(errors="replace"))))


def _plain_text(message: Message) -> str:
    for part in message.walk():
        content = part.get_payload(decode=True) if part.get_content_type() == "text/plain" else None
        if isinstance(content, bytes):
            return content.decode(part.get_content_charset("ascii"), "replace").replace("\r\n", "\n")
    return ""


async def serve(port: int, path: Path) -> None:
    """Accept mail on this machine until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    server = await loop.create_server(lambda: SMTP(Recorder(path, time.time), enable_SMTPUTF8=True), HOST, port)
    async with server:
        await ended.wait()
