"""Monitor of notices that wait for their users' states: a gauge of the oldest, an error log when overdue."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from services.chassis.database.database import UNAVAILABLE
from services.chassis.messages.clock import seconds_since
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry
from services.notification.domain import IntentState, OverdueNotices, UnfinishedIntents
from services.notification.metrics import MAIL_AGE, MAIL_INTENTS, REPLICA_WAIT

INTERVAL_S = 1.0
UNFINISHED = (IntentState.OPEN, IntentState.ATTEMPTING, IntentState.UNKNOWN)

log = structlog.get_logger()


class WaitingNotices(msgspec.Struct, frozen=True):
    """Queries of the waiting notices.

    Since when the oldest notice waits; what has waited since before a moment; whether the replica has yet to reach
    what was on the log at the start.
    """

    oldest: Callable[[], datetime | None]
    overdue: Callable[[datetime], OverdueNotices | None]
    replaying: Callable[[], bool]


class JoinMonitor(Periodic):
    """Measures every second. While the replica is being rebuilt, waiting is normal and is not measured."""

    name = "replica-watch"

    def __init__(self, waiting: WaitingNotices, patience: timedelta, telemetry: Telemetry) -> None:
        super().__init__(telemetry.health)
        self._waiting = waiting
        self._patience = patience
        self._clock = telemetry.clock
        self._caught_up: datetime | None = None
        self._since: datetime | None = None
        self._reported = False
        telemetry.metrics.on_scrape(REPLICA_WAIT, self.age)

    def check(self) -> float:
        """Measure once; an unreachable database is logged."""
        try:
            self.measure()
        except UNAVAILABLE as error:
            log.warning("cannot read the waiting notices", error=str(error))
        return INTERVAL_S

    def measure(self) -> None:
        """Measure, and log an error once when a notice is overdue."""
        if self._waiting.replaying():
            self._caught_up = None
            return
        now = self._clock()
        self._caught_up = self._caught_up or now
        self._since = self._waiting.oldest()
        overdue = None if now - self._caught_up <= self._patience else self._waiting.overdue(now - self._patience)
        if overdue and not self._reported:
            log.error("notices wait for a state that does not come", **msgspec.structs.asdict(overdue))
        self._reported = overdue is not None

    def age(self) -> float:
        """Return the seconds that the oldest notice has been waiting, not counting those of a replica being built."""
        if self._since is None or self._caught_up is None:
            return 0.0
        return seconds_since(max(self._since, self._caught_up), self._clock())


def observe_unfinished(unfinished: Callable[[], Sequence[UnfinishedIntents]], telemetry: Telemetry) -> None:
    """Register the gauges of unfinished intents, read at each scrape."""

    def read() -> tuple[dict[str, float], float]:
        found = unfinished()
        oldest = min((item.oldest for item in found), default=None)
        numbers = {state.value: 0.0 for state in UNFINISHED} | {item.state: float(item.number) for item in found}
        return numbers, seconds_since(oldest, telemetry.clock()) if oldest else 0.0

    telemetry.metrics.on_scrape_together((MAIL_INTENTS, MAIL_AGE), read)
