"""Contact: who needs the broker is not ready before its first answer; any later absence is told and closes nothing."""

import threading

from services.chassis.kafka.broker_health_check import BrokerHealthCheck
from tests.support.builders import a_telemetry


class Broker:
    """Answers as told, and stops who asks after the last answer."""

    def __init__(self, *answers: str, stop: threading.Event) -> None:
        self._answers = list(answers)
        self._stop = stop

    def reach(self, _timeout_s: float) -> None:
        answer = self._answers.pop(0)
        if not self._answers:
            self._stop.set()
        if answer:
            raise ConnectionError(answer)


class Impatient(threading.Event):
    """An event that nobody waits for."""

    def wait(self, _timeout: float | None = None) -> bool:
        return self.is_set()


def after(*answers: str, needed: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Return what is missing and what is absent after answers, "" being a good one."""
    told, stop = a_telemetry(), Impatient()
    told.health.has("start")
    BrokerHealthCheck(Broker(*answers, stop=stop), told, needed=needed).run(stop)
    return told.health.missing(), told.health.absent()


def test_who_needs_the_broker_is_not_ready_before_its_first_answer() -> None:
    told = a_telemetry()
    BrokerHealthCheck(Broker("", stop=threading.Event()), told, needed=True)
    assert told.health.missing()["kafka"] == "not reached yet"
    assert after("wrong CA", "expired", needed=True) == ({"kafka": "expired"}, {})
    assert after("wrong CA", "", needed=True) == ({}, {})


def test_an_absence_after_the_first_answer_is_told_and_closes_nothing() -> None:
    assert after("", "away", needed=True) == ({}, {"kafka": "away"})
    assert after("", "away", "", needed=True) == ({}, {})


def test_who_works_without_the_broker_is_ready_and_tells_what_is_wrong() -> None:
    assert after("wrong CA", needed=False) == ({}, {"kafka": "wrong CA"})
    assert after("wrong CA", "", needed=False) == ({}, {})
