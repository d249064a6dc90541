"""The sender with a fake queue and a fake mail server: its claims, its stop and the claims it releases."""

import threading
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from functools import partial

import msgspec
import pytest
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from services.chassis.telemetry.health import Health
from services.chassis.telemetry.telemetry import Telemetry
from services.notification.domain import ClaimedIntent, DeliveryResult, DeliveryStatus
from services.notification.mail.bell import Bell
from services.notification.mail.recipient_domains import SLOW_S, Domains, RecipientDomains, domain_of
from services.notification.mail.sender import Limits, Pool, Sender
from tests.support.builders import NOW, Recording, a_telemetry
from tests.support.fakes import FakeClock
from tests.support.notification_builders import a_claimed_intent

SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
NONE: Domains = frozenset()
SENT = DeliveryResult(DeliveryStatus.SENT, "250 ok")


class FakeQueue:
    """Hands out claims once, fails to settle as often as configured."""

    def __init__(self, *claims: ClaimedIntent) -> None:
        self.claims = list(claims)
        self.results: list[tuple[ClaimedIntent, DeliveryResult]] = []
        self.unused: list[ClaimedIntent] = []
        self.unavailable = 0

    def claim(self, limit: int, *, but: Domains = NONE, only: Domains = NONE) -> list[ClaimedIntent]:
        due = [claim for claim in self.claims if _is_to(claim, only or {domain_of(claim.recipient)}, but)]
        taken = due[:limit]
        self.claims = [claim for claim in self.claims if claim not in taken]
        return taken

    def settle(self, results: Sequence[tuple[ClaimedIntent, DeliveryResult]], unused: Sequence[ClaimedIntent]) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise OperationalError("settle", {}, ConnectionError("the database is unreachable"))
        self.results += results
        self.unused += unused


def _is_to(claim: ClaimedIntent, only: Collection[str], but: Domains) -> bool:
    return domain_of(claim.recipient) in set(only) - but


class FakeMailer:
    """Gives each mail the next result, SENT if none is left; `connect` fails while `unreachable`."""

    def __init__(self, *results: DeliveryResult) -> None:
        self.results = list(results)
        self.message_ids: list[str] = []
        self.unreachable = False
        self.closed = 0
        self.on_connect: Callable[[], object] = lambda: None
        self.on_deliver: Callable[[], None] = lambda: None

    def connect(self) -> None:
        self.on_connect()
        if self.unreachable:
            raise ConnectionRefusedError("connection refused")

    def deliver(self, intent: ClaimedIntent) -> DeliveryResult:
        self.on_deliver()
        self.message_ids.append(intent.message_id)
        return self.results.pop(0) if self.results else SENT

    def close(self) -> None:
        self.closed += 1


def a_pool(queue: FakeQueue, limits: Limits | None = None, domains: RecipientDomains | None = None) -> Pool:
    return Pool(queue, limits or Limits(10, 40.0), domains or RecipientDomains(1), Bell())


def a_sender(
    queue: FakeQueue, mailer: FakeMailer, limits: Limits | None = None, telemetry: Telemetry | None = None
) -> Sender:
    return Sender("sender-1", a_pool(queue, limits), mailer, telemetry or a_telemetry())


def numbers(claims: Sequence[ClaimedIntent]) -> list[int]:
    return [claim.id for claim in claims]


def test_claimed_mails_are_sent_in_order_and_settled_together() -> None:
    queue, mailer = FakeQueue(a_claimed_intent(1), a_claimed_intent(2)), FakeMailer()
    assert a_sender(queue, mailer).step(threading.Event())
    assert mailer.message_ids == ["<n-1@example.org>", "<n-2@example.org>"]
    assert queue.results == [(a_claimed_intent(1), SENT), (a_claimed_intent(2), SENT)]
    assert queue.unused == []


def test_mails_to_slow_domains_and_all_others_are_claimed_by_turns() -> None:
    now = FakeClock(NOW)
    domains = RecipientDomains(1, lambda: now().timestamp())
    with domains.place("ada@slow.org"):
        now.now += timedelta(seconds=SLOW_S)
    slow = [a_claimed_intent(number, recipient="ada@slow.org") for number in (1, 2)]
    queue = FakeQueue(*slow, *(a_claimed_intent(number) for number in (3, 4, 5)))
    now.now += timedelta(seconds=1)
    mailer = FakeMailer()
    mailer.on_deliver = lambda: setattr(now, "now", now.now + timedelta(seconds=SLOW_S))
    sender = Sender("sender-1", a_pool(queue, Limits(3, 40.0), domains), mailer, a_telemetry())
    sent = [(sender.step(threading.Event()), numbers([claim for claim, _ in queue.results])) for _ in range(2)]
    assert sent == [(True, [1]), (True, [1, 3, 4, 5])]


def test_mails_whose_domain_has_its_share_of_the_connections_are_released_and_the_others_sent() -> None:
    domains = RecipientDomains(1, lambda: 0.0)
    queue = FakeQueue(a_claimed_intent(1, recipient="ada@slow.org"), a_claimed_intent(2))
    sender = Sender("sender-1", a_pool(queue, domains=domains), FakeMailer(), a_telemetry())
    with domains.place("bob@slow.org"):
        sender.step(threading.Event())
    assert (numbers([claim for claim, _ in queue.results]), numbers(queue.unused)) == ([2], [1])


def test_results_of_a_long_claim_are_stored_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.notification.mail.sender.SETTLE_S", 0.0)
    queue, mailer, stored = FakeQueue(a_claimed_intent(1), a_claimed_intent(2), a_claimed_intent(3)), FakeMailer(), []
    mailer.on_deliver = lambda: stored.append(len(queue.results))
    a_sender(queue, mailer).step(threading.Event())
    assert (stored, numbers([claim for claim, _ in queue.results])) == ([0, 1, 2], [1, 2, 3])


def test_without_due_mails_nothing_is_settled() -> None:
    queue = FakeQueue()
    assert not a_sender(queue, FakeMailer()).step(threading.Event())


def test_a_deferred_mail_does_not_keep_the_next_from_being_sent() -> None:
    deferred = DeliveryResult(DeliveryStatus.DEFERRED, "451 later")
    queue = FakeQueue(a_claimed_intent(1), a_claimed_intent(2))
    a_sender(queue, FakeMailer(deferred)).step(threading.Event())
    assert [result for _, result in queue.results] == [deferred, SENT]


def test_while_the_mail_server_is_unreachable_claims_are_released_and_no_try_is_counted() -> None:
    queue, mailer = FakeQueue(a_claimed_intent(1), a_claimed_intent(2)), FakeMailer()
    mailer.unreachable = True
    with pytest.raises(ConnectionRefusedError):
        a_sender(queue, mailer).step(threading.Event())
    assert queue.results == []
    assert numbers(queue.unused) == [1, 2]


def test_a_server_that_is_lost_between_two_mails_costs_only_the_remaining_claims() -> None:
    queue = FakeQueue(a_claimed_intent(1), a_claimed_intent(2), a_claimed_intent(3))
    with pytest.raises(ConnectionError, match="421 closing"):
        a_sender(queue, FakeMailer(SENT, DeliveryResult(DeliveryStatus.UNTRIED, "421 closing"))).step(threading.Event())
    assert numbers([claim for claim, _ in queue.results]) == [1, 2]
    assert numbers(queue.unused) == [3]


def test_a_server_that_ends_a_used_connection_is_connected_to_again_at_once() -> None:
    dropped, queue, mailer = DeliveryResult(DeliveryStatus.DROPPED, "421"), FakeQueue(), FakeMailer()
    queue.claims, mailer.results = [a_claimed_intent(1), a_claimed_intent(2)], [SENT, dropped, SENT]
    assert a_sender(queue, mailer).step(threading.Event())
    assert [result for _, result in queue.results] == [SENT, SENT]
    assert mailer.message_ids == ["<n-1@example.org>", "<n-2@example.org>", "<n-2@example.org>"]


def test_a_mail_that_was_sent_ends_the_count_of_failures() -> None:
    untried, queue, mailer, waits = DeliveryResult(DeliveryStatus.UNTRIED, "421"), FakeQueue(), FakeMailer(), []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            queue.claims, mailer.results = [a_claimed_intent(1), a_claimed_intent(2)], [SENT, untried]
            return len(waits) == 4

        def is_set(self) -> bool:
            return len(waits) == 4

    mailer.unreachable = False
    queue.claims, mailer.results = [a_claimed_intent(1)], [untried]
    a_sender(queue, mailer).run(Impatient())
    assert waits == [1.0] * 4


def test_a_stop_finishes_the_current_mail_and_releases_the_rest() -> None:
    queue, mailer, stop = FakeQueue(a_claimed_intent(1), a_claimed_intent(2)), FakeMailer(), threading.Event()
    mailer.on_deliver = stop.set
    a_sender(queue, mailer).run(stop)
    assert numbers([claim for claim, _ in queue.results]) == [1]
    assert numbers(queue.unused) == [2]
    assert mailer.closed


def test_a_mail_that_could_outlive_its_claim_is_not_begun() -> None:
    queue = FakeQueue(a_claimed_intent(1))
    a_sender(queue, FakeMailer(), Limits(10, mail_s=61.0)).step(threading.Event())
    assert numbers(queue.unused) == [1]


def test_a_connection_that_took_as_long_as_the_claim_begins_no_mail() -> None:
    queue, mailer = FakeQueue(a_claimed_intent(1)), FakeMailer()
    mailer.on_connect = lambda: threading.Event().wait(0.05)
    a_sender(queue, mailer, Limits(10, mail_s=0.0, claim_s=0.04)).step(threading.Event())
    assert (mailer.message_ids, numbers(queue.unused)) == ([], [1])


def test_results_are_stored_although_the_database_was_unreachable_for_a_moment() -> None:
    queue = FakeQueue(a_claimed_intent(1))
    queue.unavailable = 1
    a_sender(queue, FakeMailer()).step(threading.Event())
    assert numbers([claim for claim, _ in queue.results]) == [1]


def test_an_unreachable_server_is_tried_again_and_every_mail_is_sent() -> None:
    queue, mailer, stop = FakeQueue(a_claimed_intent(1)), FakeMailer(), threading.Event()
    mailer.unreachable = True
    sender = a_sender(queue, mailer)
    waits: list[float] = []

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout or 0)
            queue.claims, queue.unused = queue.unused, []
            mailer.unreachable = len(waits) < 2
            return self.is_set()

    stop = Impatient()
    mailer.on_deliver = stop.set
    sender.run(stop)
    assert waits == [1.0, 2.0]
    assert mailer.message_ids == ["<n-1@example.org>"]


def test_the_gauge_shows_an_unreachable_server_until_it_accepts_a_mail_again() -> None:
    queue, mailer, telemetry = FakeQueue(a_claimed_intent(1)), FakeMailer(), a_telemetry()
    up = partial(telemetry.metrics.registry.get_sample_value, "mail_server_up")
    mailer.unreachable = True
    sender = a_sender(queue, mailer, telemetry=telemetry)
    seen: list[float | None] = [up()]

    class Impatient(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # nothing here takes time
            seen.append(up())
            queue.claims, queue.unused = queue.unused, []
            mailer.unreachable = False
            return self.is_set()

    stop = Impatient()
    mailer.on_deliver = stop.set
    sender.run(stop)
    assert [*seen, up()] == [1, 0, 1]


def test_an_unreachable_mail_server_is_no_reason_to_be_restarted_or_unready() -> None:
    now = FakeClock(NOW)
    health = Health(lambda: now().timestamp())
    health.has("start")
    queue, mailer = FakeQueue(a_claimed_intent(1)), FakeMailer()
    mailer.unreachable = True
    seen: list[object] = []

    class Outage(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout
            now.now += timedelta(seconds=timeout)
            queue.claims, queue.unused = queue.unused, []
            seen.append((health.stalled(), health.missing()))
            return self.is_set()

        def is_set(self) -> bool:
            return len(seen) > 20

    a_sender(queue, mailer, telemetry=msgspec.structs.replace(a_telemetry(), health=health)).run(Outage())
    assert now() - NOW > timedelta(minutes=2)
    assert seen == [([], {})] * len(seen)


def test_outcomes_are_counted_and_the_latency_of_sent_mails_is_measured() -> None:
    results = [
        SENT,
        DeliveryResult(DeliveryStatus.REFUSED, ""),
        DeliveryResult(DeliveryStatus.DEFERRED, ""),
        DeliveryResult(DeliveryStatus.UNKNOWN, ""),
    ]
    telemetry = a_telemetry(FakeClock(NOW + timedelta(seconds=3)))
    queue = FakeQueue(*[a_claimed_intent(number) for number in range(4)])
    a_sender(queue, FakeMailer(*results), telemetry=telemetry).step(threading.Event())
    read = telemetry.metrics.registry.get_sample_value
    outcomes = "sent", "failed", "retried", "unknown"
    assert [read("mails_total", {"outcome": outcome}) for outcome in outcomes] == [1, 1, 1, 1]
    waited = "mail_delivery_latency_seconds"
    assert [read(f"{waited}_{what}", {"template": "welcome"}) for what in ("count", "sum")] == [1, 3]


def test_a_mails_span_is_in_the_trace_of_its_intent_and_the_event_of_its_outcome_leads_on_from_it() -> None:
    made, queue = Recording(), FakeQueue(msgspec.structs.replace(a_claimed_intent(1), traceparent=SAMPLED))
    telemetry = msgspec.structs.replace(a_telemetry(), tracing=made)
    a_sender(queue, FakeMailer(), telemetry=telemetry).step(threading.Event())
    (span,) = made.spans
    assert (span.parent, span.work.kind, span.noted["eventline.mail.fate"]) == (SAMPLED, "client", "sent")
    assert [claim.traceparent for claim, _ in queue.results] == [span.traceparent]
    assert "example.org" not in repr(span)


def test_a_mail_has_one_line_with_its_outcome() -> None:
    queue, refused = (
        FakeQueue(a_claimed_intent(1), a_claimed_intent(2)),
        DeliveryResult(DeliveryStatus.REFUSED, "550 no"),
    )
    with capture_logs() as lines:
        a_sender(queue, FakeMailer(refused)).step(threading.Event())
    assert [(line["event"], line["log_level"], line["correlation_id"], line["ce_id"]) for line in lines] == [
        ("mail not sent", "warning", "correlation-1", "e-1"),
        ("mail sent", "info", "correlation-1", "e-2"),
    ]
