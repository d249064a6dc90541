"""The audit API: pages of entries by topic, subject, correlation id and time."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, NamedTuple

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency, Provide
from litestar.params import QueryParameter
from litestar.types import ControllerRouterHandler

from services.audit import domain
from services.audit.domain import LONGEST_TEXT, Found, LargeValue, Page, Query, unpack_headers
from services.audit.masking import PERSONAL_ROLE, json_text, masked_text, text_headers
from services.chassis.http.application import ApiDocument
from services.chassis.http.auth.refusals import require_role
from services.chassis.http.problems import Refused, described
from services.chassis.http.request_checks import LARGEST_INTEGER
from services.chassis.messages.clock import from_micros, to_micros
from services.contracts.api_access import ROUTES
from services.contracts.envelope import to_text

LARGEST_PAGE = 1000

Personal = Annotated[bool, QueryParameter(description="show personal data; needs the role audit")]
Name = Annotated[str | None, QueryParameter(max_length=LONGEST_TEXT)]


class EntryBody(msgspec.Struct, frozen=True):
    """An entry and the record it covers. `value` is the text of a JSON value; `value_base64` has any other value.

    Personal data is masked in `headers` and `value`, and `value_base64` is null; with `personal=true` they are as
    recorded. A header is a list of its name and its value. Those of a dead letter have its reason: `dlq_reason`,
    `dlq_topic`, `dlq_detail`. `actor` is the caller whose command led to the record, null if nobody was authenticated.

    Of a value that no topic's limit allows uncompressed, `value_base64` has the first 64 KiB. `value_size` and
    `value_sha256` are the length and the digest of a value that is not shown whole, else null.

    `entry_hash` is SHA-256 of a zero byte and the entry, `chain` the head of the partition's chain after it, both
    in hex. `recorded_at` is the time of the transaction that appended it.
    """

    position: int
    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    type: str | None
    subject: str | None
    correlation_id: str | None
    actor: str | None
    event_id: str | None
    time: str | None
    recorded_at: str
    headers: list[list[str | None]]  # a tuple would have a schema that OpenAPI's linter refuses
    value: str | None
    value_base64: bytes | None
    value_size: int | None
    value_sha256: str | None
    entry_hash: str
    chain: str


class PageBody(msgspec.Struct, frozen=True):
    """Entries in order. `next` is the `after` of the next page, null if there is none yet."""

    items: list[EntryBody]
    next: int | None


class Period(msgspec.Struct, frozen=True):
    """A period: `since` is included, `until` is not."""

    since: datetime | None
    until: datetime | None


class Names(msgspec.Struct, frozen=True):
    """Texts that an entry's columns must have; None for any."""

    topic: str | None
    subject: str | None
    correlation_id: str | None
    actor: str | None


class Paging(msgspec.Struct, frozen=True):
    """The page: entries after a position, the most entries, and whether personal data is shown."""

    after: int
    limit: int
    personal: bool


def routes(find: Callable[[Query], Page]) -> list[ControllerRouterHandler]:
    """Return the handlers. `find` reads a page of entries."""

    @get(
        "/audit/entries",
        operation_id="listAuditEntries",
        summary="Find audit entries",
        description="Entries in the order of the log; every given filter must match.",
        responses=described(400, 422, 500, 503),
        dependencies={
            "names": Provide(_names, sync_to_thread=False),
            "period": Provide(_period, sync_to_thread=False),
            "paging": Provide(_paging, sync_to_thread=False),
        },
        sync_to_thread=True,
    )
    def entries(
        names: NamedDependency[Names], period: NamedDependency[Period], paging: NamedDependency[Paging]
    ) -> PageBody:
        query = Query(
            **msgspec.structs.asdict(names),
            since=None if period.since is None else to_micros(period.since),
            until=None if period.until is None else to_micros(period.until),
            after=paging.after,
            limit=paging.limit,
        )
        return _page(find(query), personal=paging.personal)

    return [entries]


def _names(
    topic: Name = None,
    subject: Name = None,
    correlation_id: Name = None,
    actor: Annotated[
        str | None, QueryParameter(max_length=LONGEST_TEXT, description="the caller whose command led to the record")
    ] = None,
) -> Names:
    return Names(topic, subject, correlation_id, actor)


def _period(
    from_: Annotated[datetime | None, QueryParameter(name="from", description="RFC 3339, with a zone")] = None,
    to: Annotated[datetime | None, QueryParameter(description="RFC 3339, with a zone; not included")] = None,
) -> Period:
    for moment in (from_, to):
        if moment is not None and moment.tzinfo is None:
            raise Refused(422, f"{moment.isoformat()} has no zone: write it like 2026-11-22T12:00:00Z")
    return Period(from_, to)


def _paging(
    request: Request[Any, Any, Any],
    after: Annotated[int, QueryParameter(ge=-1, le=LARGEST_INTEGER, description="`next` of the previous page")] = -1,
    limit: Annotated[int, QueryParameter(ge=1, le=LARGEST_PAGE, description="page size")] = 100,
    personal: Personal = False,  # noqa: FBT002  # a query
) -> Paging:
    if personal:
        require_role(request.scope, PERSONAL_ROLE)
    return Paging(after, limit, personal)


def _page(page: Page, *, personal: bool) -> PageBody:
    last = page.found[-1].entry.position if page.more else None
    return PageBody([_body(found, personal=personal) for found in page.found], last)


def _body(found: Found, *, personal: bool) -> EntryBody:
    entry = found.entry
    event_id = dict(unpack_headers(entry.headers) or ()).get("ce_id")
    shown = _shown(entry.value, personal=personal)
    return EntryBody(
        position=entry.position,
        topic=entry.topic,
        partition=entry.partition,
        offset=entry.offset,
        timestamp_ms=entry.ts_ms,
        type=entry.type,
        subject=entry.subject,
        correlation_id=entry.correlation_id,
        actor=entry.actor if personal else masked_text(entry.actor),
        event_id=None if event_id is None else event_id.decode(errors="replace"),
        time=None if entry.event_time is None else to_text(from_micros(entry.event_time)),
        recorded_at=to_text(from_micros(entry.recorded_at)),
        headers=[list(header) for header in text_headers(entry, personal=personal)],
        value=shown.text,
        value_base64=shown.content,
        value_size=shown.size,
        value_sha256=shown.sha256,
        entry_hash=domain.leaf(*found).hex(),
        chain=entry.chain.hex(),
    )


class _Shown(NamedTuple):
    text: str | None = None
    content: bytes | None = None
    size: int | None = None
    sha256: str | None = None


def _shown(value: bytes | LargeValue | None, *, personal: bool) -> _Shown:
    if value is None:
        return _Shown()
    if isinstance(value, LargeValue):
        return _Shown(content=value.start if personal else None, size=value.size, sha256=value.sha256.hex())
    text = json_text(value, personal=personal)
    if text is None and not personal:
        return _Shown(size=len(value), sha256=hashlib.sha256(value).hexdigest())
    return _Shown(text, value if text is None else None)


DOCUMENT = ApiDocument(
    access=ROUTES["audit"],
    title="Eventline audit",
    tag="Audit",
    tag_description="Entries of the hash-chained log, which detects accidental and partial changes.",
    examples={
        "listAuditEntries": PageBody(
            [
                EntryBody(
                    position=0,
                    topic="user.notices.v1",
                    partition=2,
                    offset=3,
                    timestamp_ms=1795348800000,
                    type="user.notice",
                    subject="01936d5e-0000-7000-8000-000000000001",
                    correlation_id="command-1",
                    actor="support-7",
                    event_id="01936d5e-0000-7000-8000-000000000002",
                    time="2026-11-22T12:00:00.000000Z",
                    recorded_at="2026-11-22T12:00:00.250000Z",
                    headers=[["ce_type", "user.notice"], ["ce_correlationid", "command-1"]],
                    value='{"version":1}',
                    value_base64=None,
                    value_size=None,
                    value_sha256=None,
                    entry_hash="ab" * 32,
                    chain="cd" * 32,
                )
            ],
            0,
        )
    },
)
