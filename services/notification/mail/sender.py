"""Sender of due mails: claims intents, delivers their mails one by one and stores the results."""

import threading
import time
from collections.abc import Sequence
from typing import Protocol

import msgspec
import structlog

from services.chassis.database.database import UNAVAILABLE
from services.chassis.net.backoff import Backoff
from services.chassis.net.pace import Pace
from services.chassis.telemetry.telemetry import Telemetry
from services.notification.domain import CLAIM_S, WAITS_PER_MAIL, ClaimedIntent, DeliveryStatus
from services.notification.mail.attempt import NO_TRY, Attempts, Delivered, Mailer, Results
from services.notification.mail.bell import Bell
from services.notification.mail.recipient_domains import Domains, RecipientDomains
from services.notification.metrics import MAIL_SERVER_UP

GATHER_S = 0.1  # while mails become due steadily
IDLE_S = 0.5  # poll interval for mails of other processes and ended backoffs
KEPT_S = 5.0  # an idle connection, which servers keep for longer
SETTLE_S = 0.1  # results wait so long at most: a process that dies then repeats few mails
SLOW_CLAIM = 1  # mails to slow domains, between the claims of all others
BACKOFF_S = (1.0, 2.0, 5.0, 10.0)  # while the mail server or the database is unreachable
SETTLE_BACKOFF_S = (0.1, 0.2, 0.5)

log = structlog.get_logger()


class Queue(Protocol):
    """Durable queue of intents; see `mail_queue.MailQueue`."""

    def claim(self, limit: int, *, but: Domains = frozenset(), only: Domains = frozenset()) -> list[ClaimedIntent]:
        """Claim due intents under a lease: all `but` those to some domains, or the `only` ones to some."""

    def settle(self, results: Results, unused: Sequence[ClaimedIntent]) -> None:
        """Commit the results; release the unused claims."""


class Limits(msgspec.Struct, frozen=True):
    """Intents per claim, the longest duration of one mail, and the lease of a claim; durations in seconds."""

    claim: int
    mail_s: float
    claim_s: float = CLAIM_S

    @staticmethod
    def of(claim: int, smtp_timeout_s: float, claim_s: float) -> "Limits":
        """Return limits for a server whose every reply may take the time-out."""
        return Limits(claim, smtp_timeout_s * WAITS_PER_MAIL, claim_s)


class Pool(msgspec.Struct, frozen=True):
    """Objects that the senders of one process share. The bell is rung when mails were queued."""

    queue: Queue
    limits: Limits
    domains: RecipientDomains
    bell: Bell


class Sender:
    """Sends until stopped; then it finishes the current mail and releases the other claims."""

    def __init__(self, name: str, pool: Pool, mailer: Mailer, telemetry: Telemetry) -> None:
        self.name = name
        self._pool = pool
        self._mailer = mailer
        self._attempts = Attempts(mailer, telemetry)
        self._health = telemetry.health
        self._server_up = telemetry.metrics.gauge(MAIL_SERVER_UP)
        self._server_up.set(1)
        self._backoff = Backoff(*BACKOFF_S)
        self._pace = Pace(GATHER_S)
        self._slow_first = False
        self._worked_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Send until `stop` is set."""
        try:
            while not stop.is_set():
                self._health.beat(self.name)
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
                    self._rest()
        finally:
            self._mailer.close()

    def step(self, stop: threading.Event) -> bool:
        """Claim mails and send them. Returns True if there were any. Raises OSError: the mail server is unreachable."""
        self._pace.wait()
        claimed_at = time.monotonic()
        claims = self._claim()
        if len(claims) < self._pool.limits.claim:
            self._pace.count()
        else:
            self._pool.bell.set()  # there may be more than this sender can take
        if claims:
            self._send_all(claims, claimed_at, stop)
            self._worked_at = time.monotonic()
        return bool(claims)

    def _claim(self) -> list[ClaimedIntent]:
        """Claim mails to slow domains and mails to all others by turns."""
        slow = self._pool.domains.slow()
        self._slow_first = not self._slow_first and self._has_turn(slow)
        if self._slow_first and (claims := self._pool.queue.claim(SLOW_CLAIM, only=slow)):
            return claims
        claims = self._pool.queue.claim(self._pool.limits.claim, but=slow)
        if claims or self._slow_first or not self._has_turn(slow):
            return claims
        return self._pool.queue.claim(SLOW_CLAIM, only=slow)

    def _has_turn(self, slow: Domains) -> bool:
        return bool(slow) and self._pool.domains.has_place()

    def _send_all(self, claims: Sequence[ClaimedIntent], claimed_at: float, stop: threading.Event) -> None:
        """Send claimed mails, store results every SETTLE_S and at the end, and release the claims that remain."""
        until = claimed_at + self._pool.limits.claim_s
        left, results, settled_at = {claim.id: claim for claim in claims}, list[Delivered](), claimed_at
        try:
            for claim in claims:
                if stop.is_set():
                    break
                if (delivered := self._send(claim, until - self._pool.limits.mail_s)) is None:
                    continue
                results.append(delivered)
                del left[claim.id]
                if delivered[1].status is DeliveryStatus.UNTRIED:
                    raise ConnectionError(f"the mail server ended the dialogue: {delivered[1].detail}")
                if time.monotonic() - settled_at > SETTLE_S:
                    self._settle(results, [], until)
                    results, settled_at = [], time.monotonic()
        finally:
            if results or left:
                self._settle(results, list(left.values()), until)

    def _send(self, claim: ClaimedIntent, latest_start: float) -> Delivered | None:
        """Deliver one mail, once more at once if the server ended a connection that it had taken mails on.

        Returns None if it is too late to start or its domain has its share of the connections. Raises OSError: the
        mail server is unreachable.
        """
        while True:
            self._mailer.connect()  # before the clock is read: it may take long
            with self._pool.domains.place(claim.recipient) as is_free:
                if not is_free or time.monotonic() > latest_start:
                    return None
                self._health.beat(self.name)
                delivered = self._attempts.deliver(claim)
            if delivered[1].status not in NO_TRY:
                self._server_up.set(1)
            if delivered[1].status is DeliveryStatus.SENT:
                self._backoff.reset()
            if delivered[1].status is not DeliveryStatus.DROPPED:
                return delivered

    def _settle(self, results: Results, unused: Sequence[ClaimedIntent], until: float) -> None:
        # Results must be stored before the lease ends, else the mails are sent again.
        backoff = Backoff(*SETTLE_BACKOFF_S)
        while True:
            self._health.beat(self.name)
            try:
                return self._pool.queue.settle(results, unused)
            except UNAVAILABLE as error:
                if time.monotonic() > until:
                    raise
                log.warning("cannot store delivery results, trying again", error=str(error))
                threading.Event().wait(backoff.next())

    def _rest(self) -> None:
        if time.monotonic() - self._worked_at > KEPT_S:
            self._mailer.close()
        self._pool.bell.wait(IDLE_S)

    def _back_off(self, error: Exception, stop: threading.Event) -> None:
        seconds = self._backoff.next()
        log.warning("cannot send now, trying again", sender=self.name, error=str(error), seconds=seconds)
        stop.wait(seconds)
