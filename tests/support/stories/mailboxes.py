"""Mailboxes of a system under test: the file of the local mail sink, or the API of Mailpit."""

from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
from aiosmtpd.smtp import Envelope

from services.workbench.local.sink import Mail, read_mail
from services.workbench.polling import PATIENCE_S, until

OPERATOR = "operator@eventline.local"  # recipient of Alertmanager


class SinkFile:
    """The file of the local run's mail sink, a JSON line for each mail."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def mails(self, address: str) -> list[Mail]:
        """Return the mails that an address was sent; a line that is still being written is none yet."""
        whole = self._path.read_bytes().rpartition(b"\n")[0] if self._path.exists() else b""
        found = (msgspec.json.decode(line, type=Mail) for line in whole.splitlines())
        return [mail for mail in found if address in mail.recipients]


class Mailpit:
    """Mailpit at an address."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10, limits=httpx.Limits(max_keepalive_connections=0))

    def mails(self, address: str) -> list[Mail]:
        """Return the mails that an address was sent."""
        answer = self._client.get("/api/v1/search", params={"query": f'to:"{address}"'}).raise_for_status()
        found = [self._read(summary) for summary in answer.json()["messages"]]
        return [mail for mail in found if address in mail.recipients]  # it also finds addresses that contain this one

    def await_alert(self, subject: str, seconds: float = PATIENCE_S) -> None:
        """Wait for an alert mail. Raises TimeoutError with the subjects of the operator's mails."""
        until(
            f"a mail {subject!r}",
            lambda: [mail.subject for mail in self.mails(OPERATOR)],
            lambda found: subject in found,
            seconds,
            httpx.HTTPError,
        )

    def forget(self) -> None:
        """Delete all mails."""
        self._client.delete("/api/v1/messages").raise_for_status()

    def close(self) -> None:
        """Free the client."""
        self._client.close()

    def _read(self, summary: dict[str, Any]) -> Mail:
        envelope = Envelope()
        envelope.mail_from = summary["From"]["Address"]
        envelope.rcpt_tos = [to["Address"] for to in summary["To"]]
        raw = self._client.get(f"/api/v1/message/{summary['ID']}/raw").raise_for_status()
        envelope.original_content = raw.content
        return read_mail(envelope, datetime.fromisoformat(summary["Created"]).timestamp())
