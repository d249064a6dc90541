"""The mails of a system: the file of the local sink, or the API of Mailpit."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import aiohttp
import msgspec

from services.workbench.demo.counting import Sighting
from services.workbench.demo.observation import Inbox

MOST_MAILS = 1000  # of one answer


class Mails(Protocol):
    """The mails that commands led to."""

    async def look(self) -> None:
        """Read what has arrived. Raises aiohttp.ClientError, TimeoutError."""

    def seen(self) -> Sequence[Sighting]:
        """Return each mail by its Message-ID and as an effect: command and recipient."""

    def arrivals(self) -> Sequence[tuple[str, float]]:
        """Return the command of each mail, and when it arrived, in seconds since 1970."""


class SinkMails:
    """The mails in the file of the local sink."""

    def __init__(self, path: Path) -> None:
        self._inbox = Inbox(path)

    async def look(self) -> None:
        """Read the lines that were added."""
        self._inbox.poll()

    def seen(self) -> Sequence[Sighting]:
        """Return each mail."""
        return self._inbox.seen()

    def arrivals(self) -> Sequence[tuple[str, float]]:
        """Return the times."""
        return [(mail.correlation_id, mail.received_at) for mail in self._inbox.mails]


class MailpitMails:
    """The mails of Mailpit whose recipients begin with the name of a run.

    A summary has no correlation id: the recipient's name begins with it. Mails are remembered, as Mailpit forgets.
    """

    def __init__(self, session: aiohttp.ClientSession, url: str, run: str) -> None:
        self._session = session
        self._url = url
        self._run = run
        self._found: dict[str, _Summary] = {}

    async def look(self) -> None:
        """Ask for the newest mails of the run."""
        params = {"query": f'to:"{self._run}"', "limit": str(MOST_MAILS)}
        async with self._session.get(f"{self._url}/api/v1/search", params=params) as answer:
            answer.raise_for_status()
            page = msgspec.json.decode(await answer.read(), type=_Found)
        self._found |= {mail.id: mail for mail in page.messages}

    def seen(self) -> Sequence[Sighting]:
        """Return each mail."""
        return [Sighting((mail.message_id,), (mail.command, mail.recipient)) for mail in self._found.values()]

    def arrivals(self) -> Sequence[tuple[str, float]]:
        """Return the times."""
        return [(mail.command, mail.created.timestamp()) for mail in self._found.values()]


class _Address(msgspec.Struct, rename="pascal"):
    address: str


class _Summary(msgspec.Struct):
    id: str = msgspec.field(name="ID")
    message_id: str = msgspec.field(name="MessageID")
    to: list[_Address] = msgspec.field(name="To")
    created: datetime = msgspec.field(name="Created")

    @property
    def recipient(self) -> str:
        return self.to[0].address

    @property
    def command(self) -> str:
        return self.recipient.partition("@")[0]


class _Found(msgspec.Struct):
    messages: list[_Summary]
