"""One attempt to deliver a mail, with its span, its metrics and its log line."""

import logging
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from services.chassis.messages.clock import seconds_since
from services.chassis.telemetry.metrics.registry import observe
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.telemetry.tracing import Work, span
from services.notification.domain import ClaimedIntent, DeliveryResult, DeliveryStatus, IntentState, state_after
from services.notification.metrics import MAIL_LATENCY, MAILS

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


class Mailer(Protocol):
    """A connection to the mail server; see `smtp_delivery.Mailer`."""

    def connect(self) -> None:
        """Connect if not connected. Raises OSError."""

    def deliver(self, intent: ClaimedIntent) -> DeliveryResult:
        """Render and deliver the mail of an intent. A failure is a status, not an exception."""

    def close(self) -> None:
        """Close the connection, if open."""


class Attempts:
    """The attempts of one sender."""

    def __init__(self, mailer: Mailer, telemetry: Telemetry) -> None:
        self._mailer = mailer
        self._clock = telemetry.clock
        self._tracing = telemetry.tracing
        self._latencies = telemetry.metrics.histogram(MAIL_LATENCY)
        mails = telemetry.metrics.counter(MAILS)
        self._counts = {state: mails.labels(outcome) for state, outcome in OUTCOMES.items()}

    def deliver(self, intent: ClaimedIntent) -> Delivered:
        """Deliver one mail. Returns the intent with its span's trace context."""
        started = time.perf_counter()
        with span(self._tracing, SENDING, intent.traceparent) as sending:
            result = self._mailer.deliver(intent)
            sending.note({"eventline.mail.template": intent.template, "eventline.mail.fate": result.status.value})
            if result.status not in NO_TRY:
                self._count(intent, result)
                _log_result(intent, result, time.perf_counter() - started)
        if sending.traceparent == intent.traceparent:
            return intent, result
        return msgspec.structs.replace(intent, traceparent=sending.traceparent), result

    def _count(self, intent: ClaimedIntent, result: DeliveryResult) -> None:
        state = state_after(result.status, intent.tries, intent.unknown_tries)
        self._counts[state].inc()
        if state is IntentState.SENT:
            seconds = seconds_since(intent.queued_at, self._clock())
            observe(self._latencies.labels(intent.template), min(seconds, MAIL_LATENCY.longest))


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
