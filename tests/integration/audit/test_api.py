"""`GET /audit/entries` over HTTP, on both databases."""

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from services.audit import api, domain, store
from services.audit.domain import Page, Query
from services.chassis.database.database import Database
from services.chassis.http.application import application
from tests.support.audit_log import ORIGIN, a_fact, all_entries, open_log, record_all


@pytest.fixture
def client(database: Database) -> Iterator[TestClient[Litestar]]:
    """A client of the API of an empty log."""
    open_log(database)

    def find(query: Query) -> Page:
        with database.read() as connection:
            return store.find(connection, query, ORIGIN)

    with TestClient(application(api.routes(find), api.DOCUMENT)) as client:
        yield client


def get(client: TestClient[Litestar], **params: str | int) -> Any:  # JSON
    answer = client.get("/audit/entries", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_empty_log_gives_an_empty_page(client: TestClient[Litestar]) -> None:
    assert get(client) == {"items": [], "next": None}


def test_an_item_shows_the_record_and_the_entry_that_covers_it(
    client: TestClient[Litestar], database: Database
) -> None:
    fact = a_fact(3, partition=2)
    record_all(database, fact)
    (entry,) = all_entries(database)
    before = domain.new_chain(ORIGIN, "user.events.v1", "A" * 22, 2).head
    assert fact.value is not None
    assert get(client, personal="true")["items"] == [
        {
            "position": 0,
            "topic": "user.events.v1",
            "partition": 2,
            "offset": 3,
            "timestamp_ms": fact.timestamp_ms,
            "type": "user.registered",
            "subject": "user-3",
            "correlation_id": "command-3",
            "actor": None,
            "event_id": "01936d5e-0000-7000-8000-00000000000e",
            "time": "2026-11-22T12:00:00.000000Z",
            "recorded_at": "2026-11-22T12:00:00.000000Z",
            "headers": [[name, value and value.decode()] for name, value in fact.headers or ()],
            "value": fact.value.decode(),
            "value_base64": None,
            "value_size": None,
            "value_sha256": None,
            "entry_hash": hashlib.sha256(b"\0" + domain.encode(entry, before)).hexdigest(),
            "chain": hashlib.sha256(b"\2" + domain.encode(entry, before)).hexdigest(),
        }
    ]


def test_the_readable_parts_of_an_invalid_record_are_shown(client: TestClient[Litestar], database: Database) -> None:
    deep = b"[" * 100_000
    broken = [b"\xff\xfe", b"{", deep, None]
    record_all(database, *[a_fact(number, value=value, headers=None) for number, value in enumerate(broken)])
    items = get(client, personal="true")["items"]
    assert [item["value"] for item in items] == [None] * 4
    shown = [item["value_base64"] for item in items]
    assert shown == [None if value is None else base64.b64encode(value).decode() for value in broken]
    assert {item["event_id"] for item in items} == {item["time"] for item in items} == {None}


def test_personal_data_is_masked_unless_it_is_asked_for(client: TestClient[Litestar], database: Database) -> None:
    address = b"ada@example.org"
    letter = [("dlq_topic", b"user.notices.v1"), ("dlq_reason", b"invalid"), ("dlq_detail", b"no version: " + address)]
    record_all(database, a_fact(0), a_fact(1, value=address, headers=letter))
    fact, dead = get(client)["items"]
    assert fact["value"] == '{"personal":"(hidden)","preferences":{"email":true}}'
    assert (dead["value"], dead["value_base64"], dead["value_size"]) == (None, None, len(address))
    assert dict(dead["headers"])["dlq_reason"] == "invalid"
    assert dict(dead["headers"])["dlq_detail"] == "no version: (hidden)"
    shown = get(client, personal="true")["items"]
    assert "ada@example.org" in shown[0]["value"]
    assert base64.b64decode(shown[1]["value_base64"]) == address
    assert dict(shown[1]["headers"])["dlq_detail"] == "no version: ada@example.org"


def test_next_leads_from_page_to_page_until_it_is_null(client: TestClient[Litestar], database: Database) -> None:
    record_all(database, *[a_fact(offset) for offset in range(5)])
    seen, after = [], -1
    while after is not None:
        page = get(client, limit=2, after=after)
        seen += [item["offset"] for item in page["items"]]
        after = page["next"]
    assert seen == [0, 1, 2, 3, 4]


def test_filters_restrict_the_entries(client: TestClient[Litestar], database: Database) -> None:
    record_all(database, a_fact(0), a_fact(1), a_fact(0, topic="user.state.v1"))
    period = {"from": "2026-11-22T13:00:00+01:00", "to": "2026-11-22T12:00:01Z"}
    assert [item["position"] for item in get(client, subject="user-0")["items"]] == [0, 2]
    assert [item["position"] for item in get(client, correlation_id="command-1", topic="user.events.v1")["items"]] == [
        1
    ]
    assert [item["position"] for item in get(client, **period)["items"]] == [0, 1, 2]
    assert get(client, to="2026-11-22T12:00:00Z")["items"] == []
    assert get(client, after=2**63 - 1)["items"] == []
    assert len(get(client, **{"from": "0001-01-01T00:00:00+14:00", "to": "9999-12-31T23:59:59-14:00"})["items"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=many",
        "after=-2",
        "after=99999999999999999999",
        "from=yesterday",
        "from=2026-11-22T12:00:00",
        "topic=%00",
        "subject=" + "x" * 257,
        "topics=user.events.v1",
    ],
)
def test_a_bad_parameter_is_refused_and_named(client: TestClient[Litestar], query: str) -> None:
    answer = client.get(f"/audit/entries?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert query.partition("=")[0] in answer.text or "zone" in answer.text
