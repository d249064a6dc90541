"""`console journey ID`: what one command led to, as a tree; the audit service builds it from its log."""

import http.client
import json
import os
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from rich.console import Console
from rich.markup import escape

from services.chassis.messages.printable import printable
from services.console.failures import UnknownIdError, UsageError
from services.console.running import find
from services.console.settings import ConsoleSettings
from services.console.tokens.sent import of_environment

TIMEOUT_S = 10.0
FOUND, NOT_FOUND = 200, 404
REFUSED = {401, 403}
REMEDY = "set APP_TOKEN, or APP_TOKEN_KEY_FILE to the key of its development issuer; personal data needs the role audit"


class JourneyOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `console journey`."""

    personal: bool = False
    audit_url: str | None = None


def show(settings: ConsoleSettings, wanted: str, options: JourneyOptions, console: Console) -> None:
    """Print the journey that an id belongs to. Raises UnknownIdError, NothingRunsError, ConnectionError."""
    base = options.audit_url or _found(settings)
    path = f"/audit/journeys/{quote(wanted, safe='')}{'?personal=true' if options.personal else ''}"
    body = _get(base, path, wanted, of_environment(os.environ).headers())
    for line in lines(body, base):
        console.print(printable(line), highlight=False, soft_wrap=True)


def _found(settings: ConsoleSettings) -> str:
    running = find(settings, os.environ)
    running.lend_token(settings.state_dir)
    return running.urls["audit"]


def lines(body: Any, base: str) -> Iterator[str]:  # noqa: ANN401  # decoded JSON
    """Return the lines to print, in rich's markup."""
    journey = body["journey"]
    if journey is None:
        yield "this user's commands, the newest first; ask for one by its id"
        for choice in body["choices"]:
            what = f"{choice['type']}, {choice['records']} records{_actor(choice)}"
            yield f"  {choice['time']}  {escape(choice['correlation_id'])}  {what}"
        return
    yield f"[bold]journey of {escape(journey['correlation_id'])}[/]"
    for event in journey["events"]:
        indent = "  " * (event["depth"] + 1)
        yield f"{indent}[bold]{escape(event['type'])}[/]  {event['time']}  by {event['publisher']}{_actor(event)}"
        for record in event["records"]:
            note = ", published again" if record["repeat"] else ""
            note += f", dead letter: {escape(record['reason'] or '')}" if record["refused"] else ""
            place = escape(f"{record['topic']}[{record['partition']}]@{record['offset']}")
            yield f"{indent}  {place}{note}  [dim]{escape(str(record['value']))}[/]"
    for mail in journey["mails"]:
        yield f"  mail {escape(mail['template'])}: {mail['state']} {escape(mail['message_id'] or mail['reason'] or '')}"
    yield from (f"  [yellow]missing[/] {escape(line)}" for line in journey["missing"])
    yield f"  {base}/audit/journeys/{quote(journey['correlation_id'])}.html"


def _actor(event: Any) -> str:  # noqa: ANN401  # decoded JSON
    actor = event.get("actor")  # an audit service of before has none
    return f", asked for by {escape(actor)}" if actor else ""


def _get(base: str, path: str, wanted: str, headers: Mapping[str, str]) -> Any:  # noqa: ANN401  # decoded JSON
    address = urlsplit(base)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers=dict(headers))
        answer = connection.getresponse()
        body = json.loads(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConnectionError(f"{base} does not answer as the audit API: {error!r}") from error
    finally:
        connection.close()
    if answer.status == NOT_FOUND:
        raise UnknownIdError(f"{wanted}: {body['detail']}")
    if answer.status in REFUSED:
        raise UsageError(f"{base} answered {answer.status}: {body.get('detail')}; {REMEDY}")
    if answer.status != FOUND:
        raise ConnectionError(f"{base} answered {answer.status}: {body.get('detail')}")
    return body
