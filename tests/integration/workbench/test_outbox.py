"""`console outbox` on a service's own database: stopped events are listed, retried, and skipped with a reason."""

from pathlib import Path

import pytest

from services.chassis.database.database import Database
from services.chassis.messages.event import StoredEvent
from services.chassis.outbox import operator_events, stopped_events
from tests.support.builders import NOW, USER_ID, a_new_event
from tests.support.console_process import console

pytestmark = pytest.mark.long


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/service.db"
    database = Database(url)
    with database.write() as connection:
        stopped_events.stopped.create(connection)
        operator_events.operations.create(connection)
        events = [StoredEvent(number, NOW, a_new_event(number)) for number in (7, 8)]
        stopped_events.put(connection, events, "MSG_SIZE_TOO_LARGE: it is large", NOW)
    database.close()
    return url


def test_stopped_events_are_listed_with_number_subject_and_reason(url: str) -> None:
    code, output = console({"APP_DATABASE_URL": url}, "outbox", "list")
    assert code == 0, output
    assert f"7  subject {USER_ID}  stopped" in output
    assert "MSG_SIZE_TOO_LARGE: it is large" in output


def test_a_retry_is_asked_for_all_events_of_the_subject(url: str) -> None:
    code, output = console({"APP_DATABASE_URL": url}, "outbox", "retry", "7")
    assert (code, "another try of 2 events" in output) == (0, True), output
    code, output = console({"APP_DATABASE_URL": url}, "outbox", "retry", "9")
    assert (code, "no event with the sequence number 9 is stopped" in output) == (5, True), output


def test_an_event_is_skipped_with_a_reason_and_only_the_first_of_its_subject(url: str) -> None:
    given = {"APP_DATABASE_URL": url}
    code, output = console(given, "outbox", "skip", "8", "--because", "not its turn")
    assert (code, "event 7 of the same subject comes first" in output) == (2, True), output
    code, output = console(given, "outbox", "skip", "7", "--because", "a test")
    assert code == 0, output
    code, output = console(given, "outbox", "list")
    assert "skipped because a test" in output
    assert f"8  subject {USER_ID}  to be retried" in output
