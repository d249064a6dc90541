"""The status of a running system."""

from pathlib import Path

import msgspec

from services.console.lag import Lag
from services.workbench.live.run import Mails
from services.workbench.live.status import Moment, rows
from services.workbench.usage import MIB, Usage

SENT, CONSUMED = "messaging_client_sent_messages_total", "messaging_client_consumed_messages_total"


def a_moment(at: float, number: float, lags: list[Lag] | None) -> Moment:
    values = {
        "http_server_request_duration_seconds_count": number,
        SENT: 3 * number,
        CONSUMED: 2 * number,
        "outbox_pending_events": 4.0,
        "outbox_oldest_age_seconds": 0.25,
    }
    metrics = dict.fromkeys(("user", "notification"), values) | {"audit": {CONSUMED: number}}
    return Moment(at=at, metrics=metrics, lags=lags, mails=int(number), used={"user": Usage(90 * MIB, 0, 0.0)})


def test_rates_are_what_grew_between_two_moments() -> None:
    lags = [Lag("audit", "a", 3, None), Lag("audit", "b", 4, None), Lag("notification", "a", 0, None)]
    found = dict(rows(a_moment(10.0, 100, []), a_moment(12.0, 120, lags)))
    assert found == {
        "requests": "user 10/s",
        "records sent": "user 30/s, notification 30/s",
        "records consumed": "user 20/s, notification 20/s, audit 10/s",
        "outbox": "user 4 pending, oldest 0.2 s, notification 4 pending, oldest 0.2 s",
        "lag in records": "audit 7, notification 0",
        "mails": "120 in the sink, 10/s",
        "memory": "user 90 MiB",
    }


def test_a_broker_that_is_unreachable_is_reported_to_be() -> None:
    found = dict(rows(a_moment(1.0, 1, []), a_moment(1.0, 1, None)))
    assert found["lag in records"] == "the broker does not answer"


def test_of_a_service_that_does_not_answer_no_rate_is_made_up() -> None:
    silent = msgspec.structs.replace(a_moment(2.0, 2, []), metrics={"user": {}, "notification": {}, "audit": {}})
    found = dict(rows(a_moment(1.0, 1, []), silent))
    assert found["records sent"] == "user ?/s, notification ?/s"


def test_mails_are_counted_as_they_come(tmp_path: Path) -> None:
    path = tmp_path / "mails"
    mails, counted = Mails(path), []
    for content in (b"", b"one\ntw", b"one\ntwo\nthree\n"):
        path.write_bytes(content)
        mails.read()
        counted.append(mails.number)
    assert counted == [0, 1, 3]
