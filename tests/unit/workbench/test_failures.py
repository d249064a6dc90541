"""Checks how the console fails: BAD-INPUT, row CLI: an exit code for each kind, and what to do."""

import aiohttp
import pytest

from services.chassis.kafka.admin import BrokerAnswerError, BrokerUnavailableError
from services.chassis.settings.environment import SettingsError
from services.console.failures import UnknownIdError, UsageError
from services.workbench.demo.client import RefusedError
from services.workbench.failures import CODES, reported
from services.workbench.local.ports import PortTakenError


def fail(error: BaseException) -> object:
    with pytest.raises(SystemExit) as caught, reported():
        raise error
    return caught.value.code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("write it so"), 2),
        (SettingsError("APP_X is not a setting"), 2),
        (PortTakenError("port 1 is taken"), 3),
        (BrokerUnavailableError("down"), 4),
        (UnknownIdError("no user 7"), 5),
        (RefusedError("409", "taken"), 7),
        (aiohttp.ClientConnectionError("refused"), 7),
        (ExceptionGroup("a task failed", [ExceptionGroup("inside", [RefusedError("409", "taken")])]), 7),
        (KeyboardInterrupt(), 130),
    ],
    ids=repr,
)
def test_each_kind_of_failure_has_a_code_of_its_own(error: BaseException, code: int) -> None:
    assert fail(error) == code


def test_a_broker_that_is_down_comes_with_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    fail(BrokerUnavailableError("user.events.v1[0]: _TRANSPORT"))
    assert capsys.readouterr().err == (
        "user.events.v1[0]: _TRANSPORT\n"
        "no broker answers: start one with `make run`, or set APP_KAFKA_BOOTSTRAP_SERVERS to one\n"
    )


def test_nobody_is_advised_to_start_a_broker_that_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(BrokerAnswerError("topic x: UNKNOWN_TOPIC_OR_PART")) == 4
    assert capsys.readouterr().err == "topic x: UNKNOWN_TOPIC_OR_PART\n"


def test_a_mistake_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), reported():
        raise ZeroDivisionError


def test_no_code_reports_that_all_is_well_or_that_a_count_is_wrong() -> None:
    assert not {0, 1} & set(CODES.values())
