"""Checks the expected effects of accepted commands, and their comparison with those that arrived."""

import pytest

from services.workbench.demo.campaign import Step
from services.workbench.demo.counting import (
    Sighting,
    count,
    expected_changes,
    expected_facts,
    expected_mails,
    latencies,
    percentiles,
)
from services.workbench.demo.driver import Accepted


def an_accepted(name: str, step: Step, *, before: int = 0, version: int = 1) -> Accepted:
    return Accepted(
        correlation_id=name,
        user_id="u",
        step=step,
        before=before,
        version=version,
        started_at=100.0,
        seconds=0.1,
        attempts=1,
    )


def a_step(*mailed: str, suppressed: int = 0) -> Step:
    return Step(kind="move", method="PATCH", mailed=mailed, suppressed=suppressed)


def sightings(*names: str) -> list[Sighting]:
    return [Sighting((number,), (name,)) for number, name in enumerate(names)]


def test_a_command_is_expected_to_publish_as_many_changes_as_its_version_rose() -> None:
    commands = [
        an_accepted("c", a_step(), before=3, version=5),
        an_accepted("d", a_step(), before=5, version=5),
    ]
    assert expected_changes(commands) == [("c", 4), ("c", 5)]


def test_each_message_is_queued_and_sent_or_suppressed() -> None:
    commands = [an_accepted("c", a_step("old@x", "new@x")), an_accepted("d", a_step(suppressed=1))]
    queued, sent = ("c", "notification.queued"), ("c", "notification.sent")
    assert expected_facts(commands) == [queued, sent, queued, sent, ("d", "notification.suppressed")]
    assert expected_mails(commands) == [("c", "old@x"), ("c", "new@x")]


def test_all_that_was_expected_and_nothing_else_is_right() -> None:
    line = count("log", "here", [("a",), ("b",), ("b",)], sightings("b", "a", "b"))
    assert line.is_right
    assert (line.expected, line.arrived) == (3, 3)


@pytest.mark.parametrize(
    ("seen", "missing", "repeated", "unexpected"),
    [
        (sightings("a"), 1, 0, 0),
        ([*sightings("a", "b"), Sighting((0,), ("a",))], 0, 1, 0),
        (sightings("a", "b", "b"), 0, 0, 1),
        (sightings("a", "c"), 1, 0, 1),
        ([*sightings("a"), Sighting((0,), ("a",))], 1, 1, 0),
    ],
)
def test_each_deviation_is_named(seen: list[Sighting], missing: int, repeated: int, unexpected: int) -> None:
    line = count("log", "here", [("a",), ("b",)], seen)
    assert not line.is_right
    assert (line.missing, line.repeated, line.unexpected) == (missing, repeated, unexpected)


def test_a_latency_reaches_from_the_start_to_the_first_arrival() -> None:
    commands = [an_accepted("c", a_step()), an_accepted("never", a_step())]
    assert latencies(commands, [("c", 103.0), ("c", 101.5), ("other", 100.0)]) == [1.5]


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentiles([float(value) for value in range(1, 101)], (50, 95, 99)) == {
        50: 50.0,
        95: 95.0,
        99: 99.0,
    }
    assert percentiles([7.0], (50, 99)) == {50: 7.0, 99: 7.0}
    assert percentiles([], (50,)) == {}
