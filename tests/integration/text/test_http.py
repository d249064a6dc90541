"""Arbitrary text through every door of the HTTP APIs: headers, path, query and body."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from litestar import Litestar
from litestar.testing import TestClient
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.chassis.http.problems import MEDIA_TYPE
from services.chassis.telemetry import logs
from services.contracts.envelope import ID, from_headers
from services.notification.api import DOCUMENT, Api
from services.notification.store import views
from services.user.publisher import records
from tests.support.hostile_text import MARK, few, json_texts, leaked, marked, raw, texts
from tests.support.notification_builders import prepare
from tests.support.user_client import Service

NAMES = ("Idempotency-Key", "If-Match", "traceparent", "Content-Type", "Accept", "X-Other")
PARAMETERS = ("after", "limit", "status", "user_id", "min_version", "topic", "subject", "correlation_id", "from", "to")
headers = st.fixed_dictionaries({"X-Correlation-ID": raw}, optional=dict.fromkeys(NAMES, raw))
queries = st.lists(st.tuples(st.sampled_from(PARAMETERS) | json_texts, json_texts), max_size=3)
bodies = st.fixed_dictionaries(
    {"login": marked, "full_name": marked, "email": texts.map(lambda text: f"{text[:20]}{MARK}@example.org")},
    optional={"locale": texts, "preferences": st.fixed_dictionaries({}, optional={"email": texts | st.booleans()})},
)
plain = st.fixed_dictionaries({"full_name": marked}).map(
    lambda body: {"login": body["full_name"], "email": f"{MARK}@example.org", **body}
)


@pytest.fixture
def printed(capsysbinary: pytest.CaptureFixture[bytes]) -> Iterator[pytest.CaptureFixture[bytes]]:
    handlers = logging.getLogger().handlers
    logs.configure("user", "info")
    structlog.configure(cache_logger_on_first_use=False)
    yield capsysbinary
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    service = Service(database)
    with service.running():
        yield service


def checked(response: httpx.Response) -> None:
    """Fail unless a response is one of the documented forms and nothing was added to its head."""
    assert response.status_code < 500, response.text
    assert ID.fullmatch(response.headers["x-correlation-id"])
    assert response.headers["content-type"] in {"application/json", MEDIA_TYPE}
    assert not any(character in value for value in response.headers.values() for character in "\r\n\0")
    msgspec.json.decode(response.content)


@few
@given(st.tuples(bodies | plain, headers, queries, json_texts))
def test_the_user_api(service: Service, printed: pytest.CaptureFixture[bytes], doors: Any) -> None:
    body, heads, query, path = doors
    content = json.dumps(body).encode()

    async def talk(client: httpx.AsyncClient) -> None:
        checked(await client.post("/users", content=content, headers={"Content-Type": "application/json"} | heads))
        checked(await client.get("/users", params=query, headers=heads))
        for method in ("GET", "PATCH", "DELETE"):
            url = f"/users/{quote(path, safe='')}" if path.strip("./") else "/users"
            checked(await client.request(method, url, content=content if method == "PATCH" else b"", headers=heads))

    asyncio.run(service.talk(talk))
    for event in service.events():
        assert not leaked(msgspec.json.decode(event.event.data))
        for record in records(event):
            for _, value in record.headers:
                assert value is not None
                assert MARK.encode() not in value
            assert from_headers(record.headers).correlation_id == event.event.metadata.correlation_id
    lines = printed.readouterr().out.splitlines()
    assert all(msgspec.json.decode(line)["service"] == "user" for line in lines)
    assert not any(MARK.encode() in line for line in lines)
    exposition = generate_latest(service.instruments.metrics.registry).decode()
    assert list(text_string_to_metric_families(exposition))
    assert MARK not in exposition


@pytest.fixture
def notifications(database: Database) -> Iterator[TestClient[Litestar]]:
    prepare(database)
    api = Api(database.reader(views.version), database.reader(views.notifications), longest_wait_s=0.0)
    with TestClient(application(api.routes(), DOCUMENT)) as client:
        yield client


@few
@given(json_texts, queries)
def test_the_notification_api(notifications: TestClient[Litestar], user_id: str, query: Any) -> None:
    questions: list[Any] = [[("user_id", user_id)], [("user_id", "ada"), *query], query]
    for question in questions:
        answer = notifications.get("/notifications", params=question)
        assert answer.status_code in {200, 400, 422, 503}, answer.text


@few
@given(json_texts, queries)
def test_the_audit_api(entries: TestClient[Litestar], subject: str, query: Any) -> None:
    questions: list[Any] = [[("subject", subject)], query]
    for question in questions:
        answer = entries.get("/audit/entries", params=question)
        assert answer.status_code in {200, 400, 422}, answer.text
