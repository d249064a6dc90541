"""The API's list of a user's notifications; on both databases."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from litestar.testing import TestClient

from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.chassis.messages.record import Record
from services.notification.api import DOCUMENT, Api
from services.notification.domain import DeliveryResult, DeliveryStatus, ListedIntent
from services.notification.mail_queue import MailQueue
from services.notification.store import views
from tests.support.builders import NOW, USER_ID, ids
from tests.support.notification_builders import a_handler, a_notice_record, a_state, a_state_record, prepare

Take = Callable[..., None]


@pytest.fixture
def take(database: Database) -> Take:
    prepare(database)
    handler = a_handler(ids())

    def take(*records: Record) -> None:
        with database.write() as connection:
            assert not handler(connection, records).refused

    return take


@pytest.fixture
def client(database: Database, take: Take) -> Iterator[TestClient[Any]]:  # noqa: ARG001  # makes the tables
    def version(user_id: str) -> int:
        with database.read() as connection:
            return views.version(connection, user_id)

    def notifications(user_id: str, after: int, limit: int) -> list[ListedIntent]:
        with database.read() as connection:
            return views.notifications(connection, user_id, after, limit)

    with TestClient(application(Api(version, notifications, longest_wait_s=2.0).routes(), DOCUMENT)) as client:
        yield client


def test_an_unknown_user_has_no_notifications_yet(client: TestClient[Any]) -> None:
    answer = client.get("/notifications", params={"user_id": "unknown"})
    assert (answer.status_code, answer.json()) == (
        200,
        {"user_id": "unknown", "user_version": 0, "items": [], "next": None},
    )


def test_notifications_are_listed_with_their_outcomes(client: TestClient[Any], take: Take, database: Database) -> None:
    take(a_state_record(a_state(1, email="ada@old.example.org")), a_notice_record(1))
    queue = MailQueue(database, lambda: NOW, ids("sent"), "no-reply@example.org", threading.Event())
    queue.settle([(claim, DeliveryResult(DeliveryStatus.SENT, "250 ok")) for claim in queue.claim(1)], [])
    take(a_state_record(a_state(2, wants_mail=False)), a_notice_record(2, "user.email_changed"))
    answer = client.get("/notifications", params={"user_id": USER_ID, "min_version": 2}).json()
    assert answer["user_version"] == 2
    assert [(item["template"], item["status"], item["detail"], item["tries"]) for item in answer["items"]] == [
        ("welcome", "sent", "250 ok", 1),
        ("email_changed", "suppressed", "opted_out", 0),
        ("email_changed", "suppressed", "opted_out", 0),
    ]
    assert answer["items"][0]["correlation_id"] == "correlation-1"
    assert answer["items"][0]["recipient"] == "ada@old.example.org"
    assert answer["items"][0]["updated_at"] == "2026-11-22T12:00:00Z"


def test_pages_follow_each_other(client: TestClient[Any], take: Take) -> None:
    take(a_state_record(a_state(1, email="ada@old.example.org")), a_notice_record(1))
    take(a_state_record(a_state(2)), a_notice_record(2, "user.email_changed"))
    first = client.get("/notifications", params={"user_id": USER_ID, "limit": 2}).json()
    second = client.get("/notifications", params={"user_id": USER_ID, "limit": 2, "after": first["next"]}).json()
    assert [len(first["items"]), len(second["items"]), second["next"]] == [2, 1, None]


def test_the_largest_place_has_nothing_after_it(client: TestClient[Any], take: Take) -> None:
    take(a_state_record(a_state(1)), a_notice_record(1))
    answer = client.get("/notifications", params={"user_id": USER_ID, "after": 2**63 - 1})
    assert (answer.status_code, answer.json()["items"]) == (200, [])


def test_a_version_that_was_asked_for_is_waited_for(client: TestClient[Any], take: Take) -> None:
    take(a_state_record(a_state(1)))
    late = threading.Timer(0.2, take, [a_notice_record(1)])
    late.start()
    answer = client.get("/notifications", params={"user_id": USER_ID, "min_version": 1})
    late.join()
    assert answer.status_code == 200
    assert [item["status"] for item in answer.json()["items"]] == ["queued"]


def test_a_version_that_does_not_arrive_is_a_problem_with_the_reason(client: TestClient[Any], take: Take) -> None:
    take(a_state_record(a_state(1)), a_notice_record(1))
    answer = client.get("/notifications", params={"user_id": USER_ID, "min_version": 2})
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "up to version 1, not 2 yet" in answer.json()["detail"]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"user_id": ""},
        {"user_id": "u", "limit": "0"},
        {"user_id": "u", "min_version": "x"},
        {"user_id": "u", "limitt": "3"},
        {"user_id": "u", "after": str(2**63)},
        {"user_id": "u", "min_version": str(2**63)},
        {"user_id": "\0"},
    ],
)
def test_an_invalid_query_is_refused(client: TestClient[Any], params: dict[str, str]) -> None:
    assert client.get("/notifications", params=params).status_code == 422


def test_an_unknown_parameter_is_refused_with_the_nearest_known_one(client: TestClient[Any]) -> None:
    answer = client.get("/notifications", params={"user_id": "u", "limitt": "3"})
    assert answer.status_code == 422
    assert "did you mean 'limit'?" in answer.json()["detail"]
    assert client.get("/notifications?user_id=u&limit=1&limit=2").status_code == 422
