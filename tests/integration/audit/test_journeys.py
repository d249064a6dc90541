"""`GET /audit/journeys/{id}` over HTTP, on both databases: every id of a journey finds it."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from services.audit import api
from services.audit.journeys import api as journeys
from services.audit.journeys import search
from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.chassis.messages.clock import utc_now
from services.chassis.messages.ids import new_id
from services.chassis.messages.record import Record
from services.contracts import notification
from services.contracts.catalog import NOTIFICATION_EVENTS, USER_NOTICES
from tests.support.audit_log import TOPIC_IDS, open_log, record_all
from tests.support.builders import a_record, a_user_registered, an_envelope
from tests.support.query_plans import full_scans, plans

COMMAND, USER, FACT, SENT, MAIL = "command-1", "user-1", new_id(), new_id(), new_id()
NOW = utc_now()  # the ids' own time, however much later the test runs
MESSAGE_ID = f"<{MAIL}@eventline.local>"


def records() -> Iterator[Record]:
    """Return a fact without state and notice, a mail, and a change of the same user whose notice came first."""
    common = {"time": NOW, "subject": USER}
    fact = an_envelope(id=FACT, correlation_id=COMMAND, **common)
    yield a_record(fact, a_user_registered())
    sent = an_envelope(id=SENT, type="notification.sent", correlation_id=COMMAND, causation_id=FACT, **common)
    data = notification.NotificationSent(MAIL, USER, MESSAGE_ID, 1)
    yield a_record(sent, data, topic=NOTIFICATION_EVENTS.name)
    change = new_id()
    notice = an_envelope(id=change, type="user.notice", correlation_id="command-2", **common)
    yield a_record(notice, b"{}", topic=USER_NOTICES.name)
    yield a_record(an_envelope(id=change, correlation_id="command-2", **common), a_user_registered(), offset=1)


@pytest.fixture
def client(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient[Litestar]]:
    monkeypatch.setitem(TOPIC_IDS, NOTIFICATION_EVENTS.name, "D" * 22)
    open_log(database)
    record_all(database, *records())
    with TestClient(application(journeys.routes(database.reader(search.find)), api.DOCUMENT)) as client:
        yield client


def found(client: TestClient[Litestar], wanted: str) -> Any:  # JSON
    answer = client.get(f"/audit/journeys/{wanted}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "wanted",
    [COMMAND, FACT, SENT, MAIL, MESSAGE_ID, MESSAGE_ID.strip("<>")],
    ids=["correlation id", "event id", "effect's id", "notification id", "Message-ID", "Message-ID without brackets"],
)
def test_every_id_of_a_journey_finds_it(client: TestClient[Litestar], wanted: str) -> None:
    journey = found(client, wanted)["journey"]
    assert journey["correlation_id"] == COMMAND
    assert [event["id"] for event in journey["events"]] == [FACT, SENT]
    assert [mail["state"] for mail in journey["mails"]] == ["sent"]


@pytest.mark.parametrize(
    "wanted", [COMMAND, USER, FACT, MAIL, new_id()], ids=["command", "user", "event", "mail", "unknown"]
)
def test_an_index_serves_the_search_by_any_id(client: TestClient[Litestar], database: Database, wanted: str) -> None:
    steps = plans(database, "entries", lambda: client.get(f"/audit/journeys/{wanted}"))
    assert any("entries_by_correlation" in step for step in steps), steps
    assert full_scans("entries", steps) == [], steps


def test_a_user_s_id_gives_its_commands_the_newest_first(client: TestClient[Litestar]) -> None:
    body = found(client, USER)
    assert body["journey"] is None
    assert [(choice["correlation_id"], choice["records"]) for choice in body["choices"]] == [
        ("command-2", 2),
        (COMMAND, 2),
    ]
    page = client.get(f"/audit/journeys/{USER}.html").text
    assert {choice["type"] for choice in body["choices"]} == {"user.registered"}
    assert page.index('href="command-2.html"') < page.index(f'href="{COMMAND}.html"')


@pytest.mark.parametrize(
    "wanted",
    [
        "nobody",
        new_id(),
        "01936d5e-0000-7000-8000-00000000000z",
        "%00",
        "%F0%9F%A6%86",
        "a%2Fb",
        "a/b",
        "%FF",
        "x" * 5000,
    ],
    ids=["text", "UUIDv7", "no UUID", "NUL", "beyond ASCII", "encoded slash", "slash", "no UTF-8", "long"],
)
def test_an_unknown_id_is_a_clear_404(client: TestClient[Litestar], wanted: str) -> None:
    answer = client.get(f"/audit/journeys/{wanted}")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json"), answer.text
    assert "no record in the audit log has this" in answer.json()["detail"]
    assert client.get(f"/audit/journeys/{wanted}.html").status_code == 404


def test_the_page_shows_the_journey_and_allows_no_script(client: TestClient[Litestar]) -> None:
    answer = client.get(f"/audit/journeys/{COMMAND}.html")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "no record on user.state.v1 yet" in answer.text
    assert "ada@example.org" not in answer.text
    assert "ada@example.org" in client.get(f"/audit/journeys/{COMMAND}.html?personal=true").text
