"""Monitoring under compose: an alert with a reason ends as a mail."""

from collections.abc import Iterator

import pytest

from tests.e2e.compose_target import ComposeTarget
from tests.support.stories.target import Target, stopped

WATCHERS = ("prometheus", "alertmanager")
TOLD_WITHIN_S = 150.0  # a minute without an answer, and what Alertmanager waits for others of its group


@pytest.fixture
def watched(target: Target) -> Iterator[ComposeTarget]:
    """The project with those who watch it, for as long as the test lasts."""
    assert isinstance(target, ComposeTarget)
    target.compose("--profile", "full", "up", "--detach", "--wait", "--no-deps", *WATCHERS)
    yield target
    target.compose("--profile", "full", "rm", "--stop", "--force", *WATCHERS)


def test_a_service_that_is_down_is_notified_by_mail_and_so_is_its_return(watched: ComposeTarget) -> None:
    with stopped(watched, "notification"):
        watched.await_alert("[firing] ServiceDown notification (page)", TOLD_WITHIN_S)
    watched.await_alert("[resolved] ServiceDown notification (page)", TOLD_WITHIN_S)
