"""The mails that Mailpit keeps, by its API. It keeps the newest only: what is missing proves nothing."""

from collections.abc import Iterator, Sequence
from email import message_from_bytes
from http import HTTPStatus

import httpx
import msgspec

from services.workbench.reconcile.evidence import Mail

PAGE = 500


class _Address(msgspec.Struct, rename="pascal"):
    address: str


class _Summary(msgspec.Struct):
    id: str = msgspec.field(name="ID")
    to: list[_Address] = msgspec.field(name="To")


class _Found(msgspec.Struct):
    messages: list[_Summary]


def mails(client: httpx.Client) -> list[Mail]:
    """Return the mails that a command led to; others, such as those of alerts, are no effects of one.

    Raises httpx.HTTPError.
    """
    found = (_read(client, summary) for page in _pages(client) for summary in page)
    return [mail for mail in found if mail and mail.correlation_id]


def _pages(client: httpx.Client) -> Iterator[Sequence[_Summary]]:
    start = 0
    while True:
        answer = client.get("/api/v1/messages", params={"start": start, "limit": PAGE}).raise_for_status()
        page = msgspec.json.decode(answer.content, type=_Found).messages
        yield page
        if len(page) < PAGE:
            return
        start += PAGE


def _read(client: httpx.Client, summary: _Summary) -> Mail | None:
    # A summary has no header of ours.
    answer = client.get(f"/api/v1/message/{summary.id}/raw")
    if answer.status_code == HTTPStatus.NOT_FOUND:  # newer mails have taken its place since the list was read
        return None
    headers = message_from_bytes(answer.raise_for_status().content)
    recipients = [to.address for to in summary.to]
    return Mail(headers.get("Message-ID", "").strip(), headers.get("X-Correlation-ID", "").strip(), recipients)
