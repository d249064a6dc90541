"""The sender: what it claims, when it stops, what it gives back. The queue and the mail server are fakes."""

import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import msgspec
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from services.chassis.telemetry.telemetry import Telemetry
from services.notification.domain import Attempt, Claim, Delivery, Fate, Letter
from services.notification.mail.sender import Limits, Sender
from tests.support.builders import NOW, Recording, a_telemetry
from tests.support.fakes import FakeClock

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
SENT = Delivery(Fate.SENT, "250 ok")


def a_claim(number: int) -> Claim:
    letter = Letter(f"<{number}@example.org>", "welcome", f"user{number}@example.org", "Ada", "c-1", NOW)
    return Claim(number, 0, 1, 0, f"n-{number}", f"user-{number}", f"e-{number}", None, letter)


class FakeQueue:
    """Hands out claims once, fails to settle as often as configured."""

    def __init__(self, *claims: Claim) -> None:
        self.claims = list(claims)
        self.attempts: list[Attempt] = []
        self.unused: list[Claim] = []
        self.unavailable = 0

    def claim(self, limit: int) -> list[Claim]:
        taken, self.claims = self.claims[:limit], self.claims[limit:]
        return taken

    def settle(self, attempts: Sequence[Attempt], unused: Sequence[Claim]) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise OperationalError("settle", {}, ConnectionError("the database is unreachable"))
        self.attempts += attempts
        self.unused += unused


class FakeMailer:
    """Gives each mail the next fate, SENT when none is left; cannot be reached while `away`."""

    def __init__(self, *fates: Delivery) -> None:
        self.fates = list(fates)
        self.letters: list[str] = []
        self.away = False
        self.closed = 0
        self.on_connect: Callable[[], object] = lambda: None
        self.on_deliver: Callable[[], None] = lambda: None

    def connect(self) -> None:
        self.on_connect()
        if self.away:
            raise ConnectionRefusedError("nobody listens")

    def deliver(self, letter: Letter) -> Delivery:
        self.on_deliver()
        self.letters.append(letter.message_id)
        return self.fates.pop(0) if self.fates else SENT

    def close(self) -> None:
        self.closed += 1


def a_sender(
    queue: FakeQueue, mailer: FakeMailer, limits: Limits | None = None, told: Telemetry | None = None
) -> Sender:
    return Sender("sender-1", queue, mailer, limits or Limits(10, 40.0), told or a_telemetry())


def numbers(claims: Sequence[Claim]) -> list[int]:
    return [claim.id for claim in claims]


def test_what_is_claimed_is_sent_in_order_and_settled_at_once() -> None:
    queue, mailer = FakeQueue(a_claim(1), a_claim(2)), FakeMailer()
    assert a_sender(queue, mailer).step(threading.Event())
    assert mailer.letters == ["<1@example.org>", "<2@example.org>"]
    assert queue.attempts == [Attempt(a_claim(1), SENT), Attempt(a_claim(2), SENT)]
    assert queue.unused == []


def test_without_due_mails_nothing_is_settled() -> None:
    queue = FakeQueue()
    assert not a_sender(queue, FakeMailer()).step(threading.Event())


def test_a_deferred_mail_does_not_keep_the_next_from_being_sent() -> None:
    deferred = Delivery(Fate.DEFERRED, "451 later")
    queue = FakeQueue(a_claim(1), a_claim(2))
    a_sender(queue, FakeMailer(deferred)).step(threading.Event())
    assert [attempt.delivery for attempt in queue.attempts] == [deferred, SENT]


def test_while_the_mail_server_is_away_claims_are_given_back_and_no_try_is_counted() -> None:
    queue, mailer = FakeQueue(a_claim(1), a_claim(2)), FakeMailer()
    mailer.away = True
    with pytest.raises(ConnectionRefusedError):
        a_sender(queue, mailer).step(threading.Event())
    assert queue.attempts == []
    assert numbers(queue.unused) == [1, 2]


def test_a_server_that_goes_away_between_two_mails_costs_only_the_claims_that_are_left() -> None:
    queue = FakeQueue(a_claim(1), a_claim(2), a_claim(3))
    with pytest.raises(ConnectionError, match="421 closing"):
        a_sender(queue, FakeMailer(SENT, Delivery(Fate.UNTRIED, "421 closing"))).step(threading.Event())
    assert numbers([attempt.claim for attempt in queue.attempts]) == [1]
    assert numbers(queue.unused) == [2, 3]


def test_a_stop_finishes_the_mail_in_hand_and_gives_the_rest_back() -> None:
    queue, mailer, stop = FakeQueue(a_claim(1), a_claim(2)), FakeMailer(), threading.Event()
    mailer.on_deliver = stop.set
    a_sender(queue, mailer).run(stop)
    assert numbers([attempt.claim for attempt in queue.attempts]) == [1]
    assert numbers(queue.unused) == [2]
    assert mailer.closed


def test_a_mail_that_could_outlive_its_claim_is_not_begun() -> None:
    queue = FakeQueue(a_claim(1))
    a_sender(queue, FakeMailer(), Limits(10, mail_s=61.0)).step(threading.Event())
    assert numbers(queue.unused) == [1]


def test_a_connection_that_took_as_long_as_the_claim_begins_no_mail() -> None:
    queue, mailer = FakeQueue(a_claim(1)), FakeMailer()
    mailer.on_connect = lambda: threading.Event().wait(0.05)
    a_sender(queue, mailer, Limits(10, mail_s=0.0, claim_s=0.04)).step(threading.Event())
    assert (mailer.letters, numbers(queue.unused)) == ([], [1])


def test_what_was_sent_is_written_down_although_the_database_was_away_for_a_moment() -> None:
    queue = FakeQueue(a_claim(1))
    queue.unavailable = 1
    a_sender(queue, FakeMailer()).step(threading.Event())
    assert numbers([attempt.claim for attempt in queue.attempts]) == [1]


def test_a_server_that_is_away_is_tried_again_and_all_is_sent_in_the_end() -> None:
    queue, mailer, stop = FakeQueue(a_claim(1)), FakeMailer(), threading.Event()
    mailer.away = True
    sender = a_sender(queue, mailer)
    waits: list[float] = []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            queue.claims, queue.unused = queue.unused, []
            mailer.away = len(waits) < 2
            return self.is_set()

    stop = Impatient()
    mailer.on_deliver = stop.set
    sender.run(stop)
    assert waits == [1.0, 2.0]
    assert mailer.letters == ["<1@example.org>"]


def test_that_the_server_is_away_is_told_until_it_takes_a_mail_again() -> None:
    queue, mailer, told = FakeQueue(a_claim(1)), FakeMailer(), a_telemetry()
    up = partial(told.metrics.registry.get_sample_value, "mail_server_up")
    mailer.away = True
    sender = a_sender(queue, mailer, told=told)
    seen: list[float | None] = [up()]

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # nothing here takes time
            seen.append(up())
            queue.claims, queue.unused = queue.unused, []
            mailer.away = False
            return self.is_set()

    stop = Impatient()
    mailer.on_deliver = stop.set
    sender.run(stop)
    assert [*seen, up()] == [1, 0, 1]


def test_outcomes_are_counted_and_how_long_a_mail_waited_where_it_was_sent() -> None:
    fates = [SENT, Delivery(Fate.REFUSED, ""), Delivery(Fate.DEFERRED, ""), Delivery(Fate.UNKNOWN, "")]
    told = a_telemetry(FakeClock(NOW + timedelta(seconds=3)))
    queue = FakeQueue(*[a_claim(number) for number in range(4)])
    a_sender(queue, FakeMailer(*fates), told=told).step(threading.Event())
    read = told.metrics.registry.get_sample_value
    outcomes = "sent", "failed", "retried", "unknown"
    assert [read("mails_total", {"outcome": outcome}) for outcome in outcomes] == [1, 1, 1, 1]
    waited = "mail_delivery_latency_seconds"
    assert [read(f"{waited}_{what}", {"template": "welcome"}) for what in ("count", "sum")] == [1, 3]


def test_a_mails_span_is_in_the_trace_of_its_intent_and_the_event_of_its_outcome_leads_on_from_it() -> None:
    made, queue = Recording(), FakeQueue(msgspec.structs.replace(a_claim(1), traceparent=SAMPLED))
    told = msgspec.structs.replace(a_telemetry(), tracing=made)
    Sender("sender-1", queue, FakeMailer(), Limits(10, 40.0), told).step(threading.Event())
    (span,) = made.spans
    assert (span.parent, span.work.kind, span.noted["eventline.mail.fate"]) == (SAMPLED, "client", "sent")
    assert [attempt.claim.traceparent for attempt in queue.attempts] == [span.traceparent]
    assert "example.org" not in repr(span)


def test_a_mail_has_one_line_with_its_outcome() -> None:
    queue, refused = FakeQueue(a_claim(1), a_claim(2)), Delivery(Fate.REFUSED, "550 no")
    with capture_logs() as lines:
        a_sender(queue, FakeMailer(refused)).step(threading.Event())
    assert [(line["event"], line["log_level"], line["correlation_id"], line["ce_id"]) for line in lines] == [
        ("mail not sent", "warning", "c-1", "e-1"),
        ("mail sent", "info", "c-1", "e-2"),
    ]
