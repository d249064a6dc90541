"""The watch over notices that wait for their users' states: measured always, alarmed when they wait too long."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import msgspec
import structlog

from services.chassis.database.database import UNAVAILABLE
from services.chassis.telemetry.metrics.special import MAIL_AGE, MAIL_INTENTS, REPLICA_WAIT
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry
from services.notification.domain import IntentState, OverdueNotices, UnfinishedIntents

INTERVAL_S = 1.0
UNFINISHED = (IntentState.OPEN, IntentState.ATTEMPTING, IntentState.UNKNOWN)

log = structlog.get_logger()


class Views(msgspec.Struct, frozen=True):
    """IntentState of the waiting notices.

    Since when the oldest notice waits; what has waited since before a moment; whether the replica has yet to reach
    what was on the log at the start.
    """

    oldest: Callable[[], datetime | None]
    overdue: Callable[[datetime], OverdueNotices | None]
    replaying: Callable[[], bool]


class ReplicaWatch(Periodic):
    """Looks every second. While the replica is being built, waiting is normal and the clock stops."""

    name = "replica-watch"

    def __init__(self, views: Views, patience: timedelta, telemetry: Telemetry) -> None:
        super().__init__(telemetry.health)
        self._views = views
        self._patience = patience
        self._clock = telemetry.clock
        self._caught_up: datetime | None = None
        self._since: datetime | None = None
        self._alarmed = False
        telemetry.metrics.on_scrape(REPLICA_WAIT, self.age)

    def check(self) -> float:
        """Look once; an unreachable database is logged."""
        try:
            self.look()
        except UNAVAILABLE as error:
            log.warning("cannot read the waiting notices", error=str(error))
        return INTERVAL_S

    def look(self) -> None:
        """Measure, and alarm once when a notice outlives the patience."""
        if self._views.replaying():
            self._caught_up = None
            return
        now = self._clock()
        self._caught_up = self._caught_up or now
        self._since = self._views.oldest()
        overdue = None if now - self._caught_up <= self._patience else self._views.overdue(now - self._patience)
        if overdue and not self._alarmed:
            log.error("notices wait for a state that does not come", **msgspec.structs.asdict(overdue))
        self._alarmed = overdue is not None

    def age(self) -> float:
        """Return the seconds that the oldest notice has been waiting, not counting those of a replica being built."""
        if self._since is None or self._caught_up is None:
            return 0.0
        return (self._clock() - max(self._since, self._caught_up)).total_seconds()


def show_mails(unfinished: Callable[[], Sequence[UnfinishedIntents]], telemetry: Telemetry) -> None:
    """Let the mails that are not finished be seen at each scrape."""

    def read() -> tuple[dict[str, float], float]:
        found = unfinished()
        oldest = min((one.oldest for one in found), default=None)
        numbers = {state.value: 0.0 for state in UNFINISHED} | {one.state: float(one.number) for one in found}
        return numbers, (telemetry.clock() - oldest).total_seconds() if oldest else 0.0

    telemetry.metrics.on_scrape_together((MAIL_INTENTS, MAIL_AGE), read)
