"""The component that verifies its service's log while it runs, at a bounded rate.

Each process verifies for itself: with a lease, one process could hide a change.
"""

import time
from collections.abc import Sequence

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from services.audit import store
from services.audit.metrics import CHANGED, PASS_AGE, VERIFIED, VERIFIED_SIZE
from services.audit.self_verification.followed_log import FollowedLog
from services.audit.store import StoreError
from services.audit.tree import node_store
from services.audit.verification import UNREADABLE
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry

EVERY_S = 0.25
RESTS = 9  # a step is followed by a rest of so many times its own duration: at most a tenth of a core, whatever is read
LONGEST_REST_S = 5.0  # a process that was suspended within a step must not rest for nine times as long
RETRY_S = 10.0
CONDITION = "log"
RUNBOOK = "docs/runbooks/AuditLogChanged.md"

log = structlog.get_logger()


class SelfVerification(Periodic):
    """Verifies two stretches by turns: what is appended, and the whole log from its beginning, again and again.

    The first one begins with the chains that the store has at the start. It keeps the heads that it has verified in
    memory, so that chains which are computed again while the process runs are found as well.
    A change that is found does not stop the service: the evidence of everything after it would be lost, as topics
    delete their records, and one changed byte would be enough for that.
    """

    name = "self-verification"

    def __init__(self, database: Database, origin: str, rate: int, telemetry: Telemetry) -> None:
        super().__init__(telemetry.health)
        self._database = database
        self._origin = origin
        self._rate = rate
        self._budget = max(2, round(rate * EVERY_S))  # entries of one step
        self._whole = FollowedLog(origin)
        self._new: FollowedLog | None = None
        self._passed = False
        self._passed_at = time.monotonic()
        self._verified = telemetry.metrics.counter(VERIFIED)
        telemetry.metrics.on_scrape_together((VERIFIED_SIZE, PASS_AGE, CHANGED), self._reading)

    def check(self) -> float:
        """Take one step, and return the seconds until the next one."""
        started = time.monotonic()
        try:
            with self._database.snapshot() as connection:
                before = self._found()
                used = self._step(connection)
        except (*UNAVAILABLE, DBAPIError) as error:
            log.warning("the audit log cannot be verified now, trying again", error=str(error))
            return RETRY_S
        self._report(before, self._found())
        self._verified.inc(used)
        return rest(used / self._rate, time.monotonic() - started)

    def _step(self, connection: Connection) -> int:
        new = self._follow_new(connection)
        whole = self._whole.step(connection, self._budget - new)
        if whole.ended:
            self._whole = FollowedLog(self._origin)
            self._passed_at = time.monotonic()
        self._passed = (self._passed or whole.ended) and self._whole.found is None
        return new + whole.entries

    def _follow_new(self, connection: Connection) -> int:
        try:
            if self._new is None:
                store.read_size(connection, self._origin)
                edge = node_store.edge_of(connection)
                self._new = FollowedLog(self._origin, edge, store.read_chains(connection))
        except (StoreError, *UNREADABLE):
            return 0  # no log, or an edge that is none: the whole log's verification reports it
        step = self._new.step(connection, self._budget // 2)
        if step.ended:
            self._new.keep()
        return step.entries

    def _found(self) -> list[str]:
        followed = (self._whole, self._new)
        return [one.found for one in followed if one is not None and one.found is not None]

    def _report(self, before: list[str], found: list[str]) -> None:
        for change in found:
            if change not in before:  # each pass finds it again: one log line is enough
                log.error("the audit log has been changed", found=change, next_step=RUNBOOK)
        if found:
            self._health.lacks(CONDITION, f"the log has been changed: {found[0]}", needed=False)
        elif before:
            log.info("the audit log is whole again", found_before=before)
            self._health.has(CONDITION)

    def _reading(self) -> Sequence[float]:
        verified = self._new.size if self._passed and self._new is not None else self._whole.size
        return float(verified), time.monotonic() - self._passed_at, float(bool(self._found()))


def rest(allowed_s: float, took_s: float) -> float:
    """Return the seconds after a step whose entries the rate allows in `allowed_s`, and which took so long."""
    return max(EVERY_S, allowed_s, min(LONGEST_REST_S, RESTS * took_s))
