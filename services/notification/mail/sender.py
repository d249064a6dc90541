"""Sender of due mails: claims intents, delivers their mails one by one and stores the results."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from services.chassis.database.database import UNAVAILABLE
from services.chassis.messages.clock import seconds_since
from services.chassis.net.backoff import Backoff
from services.chassis.net.pace import Pace
from services.chassis.telemetry.metrics.registry import observe
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.telemetry.tracing import Work, span
from services.notification.domain import (
    CLAIM_S,
    WAITS_PER_MAIL,
    ClaimedIntent,
    DeliveryResult,
    DeliveryStatus,
    IntentState,
    state_after,
)
from services.notification.metrics import MAIL_LATENCY, MAIL_SERVER_UP, MAILS

GATHER_S = 0.1  # while mails become due steadily
IDLE_S = 0.5  # poll interval for mails of other processes and ended backoffs
BACKOFF_S = (1.0, 2.0, 5.0, 10.0)  # while the mail server or the database is unreachable
SETTLE_BACKOFF_S = (0.1, 0.2, 0.5)
NO_TRY = {DeliveryStatus.UNTRIED, DeliveryStatus.DROPPED}
SENDING = Work("send mail", "client")
OUTCOMES = {
    IntentState.SENT: "sent",
    IntentState.FAILED: "failed",
    IntentState.OPEN: "retried",
    IntentState.UNKNOWN: "unknown",
}

Delivered = tuple[ClaimedIntent, DeliveryResult]
Results = Sequence[Delivered]

log = structlog.get_logger()


class Queue(Protocol):
    """Durable queue of intents; see `mail_queue.MailQueue`."""

    def claim(self, limit: int) -> list[ClaimedIntent]:
        """Claim due intents under a lease."""

    def settle(self, results: Results, unused: Sequence[ClaimedIntent]) -> None:
        """Commit the results; release the unused claims."""


class Mailer(Protocol):
    """A connection to the mail server; see `smtp_delivery.Mailer`."""

    def connect(self) -> None:
        """Connect if not connected. Raises OSError."""

    def deliver(self, intent: ClaimedIntent) -> DeliveryResult:
        """Render and deliver the mail of an intent. A failure is a status, not an exception."""

    def close(self) -> None:
        """Close the connection, if open."""


class Limits(msgspec.Struct, frozen=True):
    """Intents per claim, the longest duration of one mail, and the lease of a claim; durations in seconds."""

    claim: int
    mail_s: float
    claim_s: float = CLAIM_S

    @staticmethod
    def of(claim: int, smtp_timeout_s: float, claim_s: float) -> "Limits":
        """Return limits for a server whose every reply may take the time-out."""
        return Limits(claim, smtp_timeout_s * WAITS_PER_MAIL, claim_s)


class Sender:
    """Sends until stopped; then it finishes the current mail and releases the other claims."""

    def __init__(self, name: str, queue: Queue, mailer: Mailer, limits: Limits, telemetry: Telemetry) -> None:
        self.name = name
        self.wake = threading.Event()  # set when mails were queued
        self._queue = queue
        self._mailer = mailer
        self._limits = limits
        self._health = telemetry.health
        self._clock = telemetry.clock
        self._tracing = telemetry.tracing
        self._mails = telemetry.metrics.counter(MAILS)
        self._latencies = telemetry.metrics.histogram(MAIL_LATENCY)
        self._server_up = telemetry.metrics.gauge(MAIL_SERVER_UP)
        self._server_up.set(1)
        self._backoff = Backoff(*BACKOFF_S)
        self._pace = Pace(GATHER_S)
        for outcome in OUTCOMES.values():
            self._mails.labels(outcome)

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set."""
        try:
            while not stop.is_set():
                self._health.beat(self.name)
                self.wake.clear()
                try:
                    worked = self.step(stop)
                except UNAVAILABLE as error:
                    self._back_off(error, stop)
                    continue
                except OSError as error:
                    self._server_up.set(0)
                    self._back_off(error, stop)
                    continue
                self._backoff.reset()
                if not worked:
                    self._mailer.close()
                    self.wake.wait(IDLE_S)
        finally:
            self._mailer.close()

    def step(self, stop: threading.Event) -> bool:
        """Claim mails and send them. Returns True if there were any. Raises OSError: the mail server is unreachable."""
        self._pace.wait()
        claimed_at = time.monotonic()
        claims = self._queue.claim(self._limits.claim)
        if len(claims) < self._limits.claim:
            self._pace.count()
        latest_start = claimed_at + self._limits.claim_s - self._limits.mail_s
        results: list[Delivered] = []
        try:
            for claim in claims:
                if stop.is_set() or (delivered := self._send(claim, latest_start)) is None:
                    break
                results.append(delivered)
                if delivered[1].status is DeliveryStatus.UNTRIED:
                    raise ConnectionError(f"the mail server ended the dialogue: {delivered[1].detail}")
        finally:
            if claims:
                self._settle(results, claims[len(results) :], claimed_at + self._limits.claim_s)
        return bool(claims)

    def _send(self, claim: ClaimedIntent, latest_start: float) -> Delivered | None:
        """Deliver one mail, once more at once if the server ended a connection that it had taken mails on.

        Returns None if it is too late to start. Raises OSError: the mail server is unreachable.
        """
        delivered: Delivered | None = None
        while delivered is None or delivered[1].status is DeliveryStatus.DROPPED:
            self._mailer.connect()  # before the clock is read: it may take long
            if time.monotonic() > latest_start:
                return None
            delivered = self._deliver(claim)
        return delivered

    def _deliver(self, intent: ClaimedIntent) -> Delivered:
        """Deliver one mail. Returns the intent with its span's trace context."""
        self._health.beat(self.name)
        started = time.perf_counter()
        with span(self._tracing, SENDING, intent.traceparent) as sending:
            result = self._mailer.deliver(intent)
            sending.note({"eventline.mail.template": intent.template, "eventline.mail.fate": result.status.value})
            if result.status not in NO_TRY:
                self._count(intent, result)
                _log_result(intent, result, time.perf_counter() - started)
        return msgspec.structs.replace(intent, traceparent=sending.traceparent), result

    def _count(self, intent: ClaimedIntent, result: DeliveryResult) -> None:
        self._server_up.set(1)
        state = state_after(result.status, intent.tries, intent.unknown_tries)
        self._mails.labels(OUTCOMES[state]).inc()
        if state is IntentState.SENT:
            self._backoff.reset()
            seconds = seconds_since(intent.queued_at, self._clock())
            observe(self._latencies.labels(intent.template), min(seconds, MAIL_LATENCY.longest))

    def _settle(self, results: Results, unused: Sequence[ClaimedIntent], until: float) -> None:
        # Results must be stored before the lease ends, else the mails are sent again.
        backoff = Backoff(*SETTLE_BACKOFF_S)
        while True:
            self._health.beat(self.name)
            try:
                return self._queue.settle(results, unused)
            except UNAVAILABLE as error:
                if time.monotonic() > until:
                    raise
                log.warning("cannot store delivery results, trying again", error=str(error))
                _pause(backoff.next())

    def _back_off(self, error: Exception, stop: threading.Event) -> None:
        seconds = self._backoff.next()
        log.warning("cannot send now, trying again", sender=self.name, error=str(error), seconds=seconds)
        stop.wait(seconds)


def _log_result(intent: ClaimedIntent, result: DeliveryResult, seconds: float) -> None:
    sent = result.status is DeliveryStatus.SENT
    log.log(
        logging.INFO if sent else logging.WARNING,
        "mail sent" if sent else "mail not sent",
        intent=intent.id,
        template=intent.template,
        tries=intent.tries,
        fate=result.status.value,
        detail=result.detail,
        duration_ms=round(seconds * 1000, 1),
        ce_id=intent.event_id,
        correlation_id=intent.correlation_id,
    )


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)
