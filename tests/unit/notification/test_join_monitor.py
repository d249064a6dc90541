"""The monitor of waiting notices: the start of its clock, and one error line for each wait."""

from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from services.notification.domain import OverdueNotices
from services.notification.join_monitor import JoinMonitor, WaitingNotices
from tests.support.builders import NOW, a_telemetry
from tests.support.fakes import FakeClock

PATIENCE = timedelta(seconds=60)


class Scene:
    """A notice that has waited since a moment, and a replica that is being rebuilt or not."""

    def __init__(self, since: datetime | None) -> None:
        self.since = since
        self.replaying = False
        self.clock = FakeClock(NOW)
        waiting = WaitingNotices(oldest=lambda: self.since, overdue=self._overdue, replaying=lambda: self.replaying)
        self.monitor = JoinMonitor(waiting, PATIENCE, a_telemetry(self.clock))

    def alarms_after(self, seconds: float) -> int:
        """Measure after some seconds. Returns the number of error lines."""
        self.clock.move(seconds)
        with capture_logs() as logs:
            self.monitor.measure()
        return len([line for line in logs if line["log_level"] == "error"])

    def _overdue(self, before: datetime) -> OverdueNotices | None:
        return OverdueNotices(1, "notice-1", "user-1", 1) if self.since and self.since < before else None


def test_without_a_waiting_notice_the_wait_is_zero() -> None:
    scene = Scene(None)
    assert scene.alarms_after(100) == 0
    assert scene.monitor.age() == 0


def test_a_notice_that_outlives_the_patience_is_alarmed_once_until_it_has_left() -> None:
    scene = Scene(NOW)
    assert [scene.alarms_after(0), scene.alarms_after(59), scene.alarms_after(2), scene.alarms_after(1)] == [0, 0, 1, 0]
    assert scene.monitor.age() == pytest.approx(62)
    scene.since = None
    assert scene.alarms_after(1) == 0
    scene.since = scene.clock.now
    assert [scene.alarms_after(61), scene.alarms_after(1)] == [1, 0]


def test_the_clock_stops_while_the_replica_is_being_rebuilt() -> None:
    scene = Scene(NOW - timedelta(hours=1))
    scene.alarms_after(0)
    scene.replaying = True
    assert scene.alarms_after(1000) == 0
    assert scene.monitor.age() == 0
    scene.replaying = False
    assert [scene.alarms_after(1), scene.alarms_after(30), scene.alarms_after(31)] == [0, 0, 1]
    assert scene.monitor.age() == pytest.approx(61)
