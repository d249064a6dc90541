"""The sender: claims due mails, hands them to the mail server one by one, writes down what came of each."""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from services.chassis.database.database import UNAVAILABLE
from services.chassis.net.backoff import Backoff
from services.chassis.telemetry.metrics.registry import observe
from services.chassis.telemetry.metrics.special import MAIL_LATENCY, MAIL_SERVER_UP, MAILS
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.telemetry.tracing import Work, span
from services.notification.domain import CLAIM_S, WAITS_PER_MAIL, Attempt, Claim, Delivery, Fate, Letter, State, after

IDLE_S = 0.5  # how soon a mail of another process, or one whose backoff is over, is noticed
BACKOFF_S = (1.0, 2.0, 5.0, 10.0)  # while the mail server or the database is unreachable
SETTLE_BACKOFF_S = (0.1, 0.2, 0.5)
SENDING = Work("send mail", "client")
OUTCOMES = {State.SENT: "sent", State.FAILED: "failed", State.OPEN: "retried", State.UNKNOWN: "unknown"}

log = structlog.get_logger()


class Queue(Protocol):
    """Where mails wait; see `mail_queue.MailQueue`."""

    def claim(self, limit: int) -> list[Claim]:
        """Claim due mails for a time."""

    def settle(self, attempts: Sequence[Attempt], unused: Sequence[Claim]) -> None:
        """Write down what came of claims; give the unused ones back."""


class Mailer(Protocol):
    """A connection to the mail server; see `smtp_delivery.Mailer`."""

    def connect(self) -> None:
        """Be connected. Raises OSError."""

    def deliver(self, letter: Letter) -> Delivery:
        """Hand a mail over."""

    def close(self) -> None:
        """Leave the server."""


class Limits(msgspec.Struct, frozen=True):
    """How much a sender takes at once, how long one mail may take, and how long a claim lasts, in seconds."""

    claim: int
    mail_s: float
    claim_s: float = CLAIM_S

    @staticmethod
    def of(claim: int, smtp_timeout_s: float, claim_s: float) -> "Limits":
        """Return limits where each wait for the server takes at most a time-out."""
        return Limits(claim, smtp_timeout_s * WAITS_PER_MAIL, claim_s)


class Sender:
    """Sends until the stop; then the mail in hand is finished and the other claims are given back."""

    def __init__(self, name: str, queue: Queue, mailer: Mailer, limits: Limits, telemetry: Telemetry) -> None:
        self.name = name
        self.wake = threading.Event()  # set it when mails were queued
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
        for outcome in OUTCOMES.values():
            self._mails.labels(outcome)

    def run(self, stop: threading.Event) -> None:
        """Send until the stop."""
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
        claimed_at = time.monotonic()
        claims = self._queue.claim(self._limits.claim)
        latest_start = claimed_at + self._limits.claim_s - self._limits.mail_s
        attempts: list[Attempt] = []
        try:
            for claim in claims:
                if stop.is_set():
                    break
                self._mailer.connect()  # before the look at the clock: it may take long
                if time.monotonic() > latest_start:
                    break
                attempts.append(self._attempt(claim))
        finally:
            if claims:
                self._settle(attempts, claims[len(attempts) :], claimed_at + self._limits.claim_s)
        return bool(claims)

    def _attempt(self, claim: Claim) -> Attempt:
        self._health.beat(self.name)
        started = time.perf_counter()
        with span(self._tracing, SENDING, claim.traceparent) as sending:
            delivery = self._mailer.deliver(claim.letter)
            if delivery.fate is Fate.UNTRIED:
                raise ConnectionError(delivery.detail)
            sending.note({"eventline.mail.template": claim.letter.template, "eventline.mail.fate": delivery.fate.value})
            self._count(claim, delivery)
            _say(claim, delivery, time.perf_counter() - started)
        return Attempt(msgspec.structs.replace(claim, traceparent=sending.traceparent), delivery)

    def _count(self, claim: Claim, delivery: Delivery) -> None:
        self._server_up.set(1)
        then = after(delivery.fate, claim.tries, claim.doubts)
        self._mails.labels(OUTCOMES[then.state]).inc()
        if then.state is State.SENT:
            queued = (self._clock() - claim.letter.queued_at).total_seconds()
            observe(self._latencies.labels(claim.letter.template), queued)

    def _settle(self, attempts: Sequence[Attempt], unused: Sequence[Claim], until: float) -> None:
        # The outcome must be stored before the claim ends, else it is sent again.
        backoff = Backoff(*SETTLE_BACKOFF_S)
        while True:
            try:
                return self._queue.settle(attempts, unused)
            except UNAVAILABLE as error:
                if time.monotonic() > until:
                    raise
                log.warning("cannot write down what was sent, trying again", error=str(error))
                _pause(backoff.next())

    def _back_off(self, error: Exception, stop: threading.Event) -> None:
        seconds = self._backoff.next()
        log.warning("cannot send now, trying again", sender=self.name, error=str(error), seconds=seconds)
        stop.wait(seconds)


def _say(claim: Claim, delivery: Delivery, seconds: float) -> None:
    sent = delivery.fate is Fate.SENT
    log.log(
        logging.INFO if sent else logging.WARNING,
        "mail sent" if sent else "mail not sent",
        intent=claim.id,
        template=claim.letter.template,
        tries=claim.tries,
        fate=delivery.fate.value,
        detail=delivery.detail,
        duration_ms=round(seconds * 1000, 1),
        ce_id=claim.event_id,
        correlation_id=claim.letter.correlation_id,
    )


def _pause(seconds: float) -> None:
    threading.Event().wait(seconds)
