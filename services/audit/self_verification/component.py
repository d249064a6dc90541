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
from services.audit.verification import BadEntryError, Verification
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry

EVERY_S = 0.25
RESTS = 9  # a step is followed by a rest of so many times its own duration: at most a tenth of a core, whatever is read
RETRY_S = 10.0
CONDITION = "log"

log = structlog.get_logger()


class SelfVerification(Periodic):
    """Verifies two stretches by turns: what is appended, and the whole log from its beginning, again and again.

    The first one begins with the chains that the store has at the start, which the first pass over the whole log then
    checks. A change that is found does not stop the service: the evidence of everything after it would be lost, as
    topics delete their records, and one changed byte would be enough for that.
    """

    name = "self-verification"

    def __init__(self, database: Database, origin: str, rate: int, telemetry: Telemetry) -> None:
        super().__init__(telemetry.health)
        self._database = database
        self._origin = origin
        self._rate = rate
        self._budget = max(2, round(rate * EVERY_S))  # entries of one step
        self._found: str | None = None
        self._passed_at = time.monotonic()
        self._begin()
        self._verified = telemetry.metrics.counter(VERIFIED)
        telemetry.metrics.on_scrape_together((VERIFIED_SIZE, PASS_AGE, CHANGED), self._reading)

    def check(self) -> float:
        """Take one step, and return the seconds until the next one."""
        started, used = time.monotonic(), 0
        try:
            with self._database.snapshot() as connection:
                used = self._step(connection)
        except (BadEntryError, StoreError) as error:
            self._report(str(error))
            self._begin()
        except (*UNAVAILABLE, DBAPIError) as error:
            log.warning("the audit log cannot be verified now, trying again", error=str(error))
            return RETRY_S
        self._verified.inc(used)
        return max(EVERY_S, used / self._rate, RESTS * (time.monotonic() - started))

    def _begin(self) -> None:
        self._whole = self._pass()
        self._new: FollowedLog | None = None
        self._passes = 0

    def _pass(self) -> FollowedLog:
        return FollowedLog(Verification(self._origin), self._origin)

    def _step(self, connection: Connection) -> int:
        if self._new is None:
            store.read_size(connection, self._origin)
            begin = node_store.edge_of(connection)
            self._new = FollowedLog(Verification(self._origin, begin, store.read_chains(connection)), self._origin)
        used = _advance(self._new, connection, self._budget // 2)[0]
        whole, ended = _advance(self._whole, connection, self._budget - used)
        if ended:
            self._report_whole()
        return used + whole

    def _report(self, found: str) -> None:
        # Each pass finds it again: one log line is enough.
        if found != self._found:
            log.error("the audit log has been changed", found=found, next_step="docs/runbooks/AuditLogChanged.md")
        self._found = found
        self._health.lacks(CONDITION, f"the log has been changed: {found}", needed=False)

    def _report_whole(self) -> None:
        self._whole = self._pass()
        self._passes += 1
        self._passed_at = time.monotonic()
        if self._found is not None:
            log.info("the audit log is whole again", found_before=self._found)
        self._found = None
        self._health.has(CONDITION)

    def _reading(self) -> Sequence[float]:
        new = self._new
        verified = new.size if self._passes and new is not None else self._whole.size
        return float(verified), time.monotonic() - self._passed_at, float(self._found is not None)


def _advance(followed: FollowedLog, connection: Connection, limit: int) -> tuple[int, bool]:
    start = followed.size
    ended = followed.step(connection, limit)
    return followed.size - start, ended
