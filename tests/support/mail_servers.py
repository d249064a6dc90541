"""Mail servers with configured replies: a real one, and one that follows a script byte by byte."""

import asyncio
import contextlib
import socket
import ssl
import threading
import weakref
from collections.abc import Sequence
from io import BufferedReader
from typing import AnyStr, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

HOST = "127.0.0.1"
HANG_UP = "hang up"
FINAL_DOT = "."
DIALOGUE = (b"220 hello", b"250 hello", b"250 sender ok", b"250 recipient ok", b"354 go on")


class MailServer:
    """A real mail server (aiosmtpd) in a thread. `mails` holds the accepted mails, `seen` all with a final dot.

    `replies` replaces its own replies, each once, by step: MAIL, AUTH, DATA, FINAL_DOT or a recipient. `steps` is the
    list of steps so far. `everybody` is the reply to every recipient. `after_mail` ends a connection that had a mail:
    HANG_UP at once, another text as the reply to its next MAIL. RCPT to the domain `held` is answered after `release`;
    `most_held` is the most connections that waited for it at a time.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        utf8: bool = True,
        certificate: ssl.SSLContext | None = None,
        tls_first: bool = False,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.replies: dict[str, list[str]] = {}
        self.mails: list[Envelope] = []
        self.seen: list[Envelope] = []
        self.steps: list[str] = []
        self.everybody: str | None = None
        self.after_mail: str | None = None
        self.held: str | None = None
        self.most_held = 0
        self._waiting = 0
        self._released = asyncio.Event()
        self._sessions = weakref.WeakSet[_Session]()
        starttls = None if tls_first else certificate
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            self._loop.create_server(
                lambda: _Session(
                    self,
                    enable_SMTPUTF8=utf8,
                    loop=self._loop,
                    tls_context=starttls,
                    authenticator=_authenticator(login),
                    auth_require_tls=starttls is not None,
                    timeout=30,
                ),
                HOST,
                port,
                ssl=certificate if tls_first else None,
            )
        )
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server, its connections and its thread."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    def release(self) -> None:
        """Answer what is held, now and from now on."""
        self._loop.call_soon_threadsafe(self._released.set)

    async def hold(self, recipient: str) -> None:
        """Wait for the release if a recipient is in the domain that is held."""
        if self.held is not None and recipient.endswith(f"@{self.held}"):
            self._waiting += 1
            self.most_held = max(self.most_held, self._waiting)
            await self._released.wait()
            self._waiting -= 1

    async def _end(self) -> None:
        self._server.close()
        talks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)
        for session in list(self._sessions):
            if isinstance(session.transport, asyncio.Transport):
                session.transport.abort()  # closed, one with TLS would wait for its client's farewell
        await asyncio.sleep(0)  # connections are let go in the loop's next round

    def meet(self, session: "_Session") -> None:
        """Take note of a new session, whose connection ends with the server."""
        self._sessions.add(session)

    def answer(self, key: str) -> str | None:
        """Return the configured reply to a step, None if there is none."""
        self.steps.append(key)
        answers = self.replies.get(key)
        return answers.pop(0) if answers else None


class _Session(SMTP):
    """One connection; its hooks are aiosmtpd's."""

    def __init__(self, owner: MailServer, **options: object) -> None:
        self._owner = owner
        self._had_mail = False
        super().__init__(self, **options)  # type: ignore[arg-type]  # handed on
        owner.meet(self)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802  # its name
        if answer := self._owner.answer("AUTH"):
            await self.push(answer)
        else:
            await super().smtp_AUTH(arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        if answer := self._owner.answer("DATA"):
            await self.push(answer)
        else:
            await super().smtp_DATA(arg)

    async def handle_EHLO(  # noqa: N802
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        session.host_name = hostname
        return [*replies[:1], "250-PIPELINING", *replies[1:]]

    async def handle_MAIL(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._had_mail and self._owner.after_mail:
            return self._owner.after_mail
        envelope.mail_from = address
        return self._owner.answer("MAIL") or "250 sender ok"

    async def handle_RCPT(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        await self._owner.hold(address)
        if answer := self._owner.answer(address) or self._owner.everybody:
            return answer
        envelope.rcpt_tos.append(address)
        return "250 recipient ok"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self._owner.seen.append(envelope)
        answer = self._owner.answer(FINAL_DOT) or "250 accepted"
        if answer == HANG_UP and isinstance(self.transport, asyncio.Transport):
            self.transport.abort()
        if answer.startswith("2"):
            self._owner.mails.append(envelope)
            self._had_mail = True
        return answer

    async def push(self, status: AnyStr) -> None:
        await super().push(status)
        if self._had_mail and self._owner.after_mail == HANG_UP and isinstance(self.transport, asyncio.Transport):
            self.transport.close()


def _authenticator(login: tuple[str, str] | None) -> object:
    def authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _how: str, given: object) -> AuthResult:
        right = isinstance(given, LoginPassword) and (given.login.decode(), given.password.decode()) == login
        return AuthResult(success=right, handled=False)

    return authenticate if login else None


class Script:
    """A mail server of one dialogue: sends its greeting and then one reply per command; None closes the connection.

    With a pace it sends one byte at a time, `pace_s` seconds apart.
    """

    def __init__(self, replies: Sequence[bytes | None], pace_s: float = 0) -> None:
        self._listening = socket.create_server((HOST, 0))
        self.port: int = self._listening.getsockname()[1]
        self._replies = replies
        self._pace_s = pace_s
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._talk)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        self._thread.join(10)
        self._listening.close()

    def _talk(self) -> None:
        connection, _ = self._listening.accept()
        with connection, connection.makefile("rb") as received, contextlib.suppress(ConnectionError):
            for number, reply in enumerate(self._replies):
                if number and not _read_command(received, in_content=number == len(DIALOGUE)):
                    return
                if reply is None:
                    return
                self._send(connection, reply)
            connection.settimeout(10)
            while line := received.readline():
                if line.upper() == b"QUIT\r\n":
                    connection.sendall(b"221 bye\r\n")

    def _send(self, connection: socket.socket, reply: bytes) -> None:
        if not self._pace_s:
            connection.sendall(reply)
            connection.sendall(b"\r\n")
            return
        for byte in reply + b"\r\n":
            connection.sendall(bytes([byte]))
            self._closed.wait(self._pace_s)


def _read_command(received: BufferedReader, *, in_content: bool) -> bool:
    line = received.readline()
    while in_content and line not in {b".\r\n", b""}:
        line = received.readline()
    return bool(line)
