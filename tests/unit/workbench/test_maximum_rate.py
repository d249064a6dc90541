"""Checks the search for the maximum sustainable rate, on systems with a known one."""

import asyncio

import pytest

from services.workbench.demo.counting import Line
from services.workbench.load.generator import Measured, Sample
from services.workbench.load.maximum_rate import maximum_rate
from services.workbench.load.outcome import Outcome, achieved, answers, errors, offered
from tests.support.load_outcomes import an_outcome


def search(limit: float) -> tuple[float, list[float]]:
    asked: list[float] = []

    async def at(rate: float) -> Outcome:
        asked.append(rate)
        return an_outcome(rate, min(rate, limit))

    return asyncio.run(maximum_rate(100, at)), asked


def test_the_highest_rate_that_was_kept_is_the_knee() -> None:
    found, asked = search(limit=175)
    assert asked == [100, 125, 156.25, 195.3125, 195.3125, 175.78125, 185.546875, 185.546875]
    assert found == 175.78125


def test_a_rate_that_is_missed_once_is_tried_again() -> None:
    asked: list[float] = []

    async def at(rate: float) -> Outcome:
        asked.append(rate)
        return an_outcome(rate, 0 if len(asked) == 1 else min(rate, 100))

    assert asyncio.run(maximum_rate(100, at)) == 100
    assert asked[:3] == [100, 100, 125]


def test_a_system_that_keeps_not_even_the_first_rate_has_no_knee() -> None:
    assert search(limit=50) == (0.0, [100, 100])


@pytest.mark.parametrize(("answered", "p99", "kept"), [(98, 0.249, True), (97.9, 0.01, False), (100, 0.25, False)])
def test_a_rate_is_kept_where_nearly_all_is_achieved_and_quickly(answered: float, p99: float, kept: bool) -> None:  # noqa: FBT001
    assert an_outcome(100, answered, p99).is_kept is kept


def test_an_error_is_counted_by_its_kind_and_not_achieved() -> None:
    samples = [Sample(0.0, "read", 0.1, None), Sample(1.0, "move", 0.3, "503"), Sample(1.9, "move", 0.2, None)]
    measured = Measured(2.0, samples)
    assert (offered(measured), achieved(measured)) == (1.5, 1.0)
    assert errors(measured) == {"503": 1}
    assert answers(measured)["writes"] == {50: 0.2, 90: 0.3, 99: 0.3, 100: 0.3}


def test_what_is_answered_long_after_the_end_is_not_achieved() -> None:
    samples = [Sample(0.9, "read", 0.3, None), Sample(0.9, "read", 0.4, None)]
    assert achieved(Measured(1.0, samples)) == 1.0


def test_what_is_missing_is_wrong() -> None:
    line = Line(kind="log", place="here", expected=2, arrived=1, missing=1, repeated=0, unexpected=0)
    assert an_outcome(1, 1, lines=(line,)).wrong() == ["log, here: 1 missing"]
