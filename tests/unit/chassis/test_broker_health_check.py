"""Broker health check: a needed broker must answer once before readiness; a later outage is only reported."""

import threading

from services.chassis.kafka.broker_health_check import BrokerHealthCheck
from services.chassis.kafka.rights.topic_rights import RightMissingError
from tests.support.builders import a_telemetry


class Broker:
    """Gives the configured answers, and sets `stop` after the last one."""

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
    """An event whose `wait` returns at once."""

    def wait(self, _timeout: float | None = None) -> bool:
        return self.is_set()


def after(*answers: str, needed: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Return the missing and the absent conditions after answers; "" is success."""
    telemetry, stop = a_telemetry(), Impatient()
    telemetry.health.has("start")
    BrokerHealthCheck(Broker(*answers, stop=stop), telemetry, needed=needed).run(stop)
    return telemetry.health.missing(), telemetry.health.absent()


def test_a_service_that_needs_the_broker_is_not_ready_before_its_first_answer() -> None:
    telemetry = a_telemetry()
    BrokerHealthCheck(Broker("", stop=threading.Event()), telemetry, needed=True)
    assert telemetry.health.missing()["kafka"] == "not reached yet"
    assert after("wrong CA", "expired", needed=True) == ({"kafka": "expired"}, {})
    assert after("wrong CA", "", needed=True) == ({}, {})


def test_an_outage_after_the_first_answer_is_reported_and_does_not_end_readiness() -> None:
    assert after("", "unreachable", needed=True) == ({}, {"kafka": "unreachable"})
    assert after("", "unreachable", "", needed=True) == ({}, {})


def test_a_service_that_works_without_the_broker_is_ready_and_reports_the_reason() -> None:
    assert after("wrong CA", needed=False) == ({}, {"kafka": "wrong CA"})
    assert after("wrong CA", "", needed=False) == ({}, {})


def test_a_missing_right_ends_readiness_until_it_is_granted_also_of_a_service_that_works_without_the_broker() -> None:
    telemetry, stop, seen = a_telemetry(), Impatient(), list[dict[str, str]]()
    telemetry.health.has("start")
    answers = iter(["needs WRITE", ""])

    def require(_timeout_s: float) -> None:
        seen.append(telemetry.health.missing())
        if answer := next(answers):
            raise RightMissingError(answer)

    broker = Broker("", "", "", stop=stop)
    check = BrokerHealthCheck(broker, telemetry, needed=False, require_rights=require)
    assert check.check() < check.check()  # sooner while it is missing
    assert seen == [{}, {"rights": "needs WRITE"}]
    assert telemetry.health.missing() == {}
