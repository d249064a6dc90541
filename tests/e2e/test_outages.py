"""Outages of a part of the system: the rest goes on, and everything arrives afterwards."""

import contextlib

import httpx
import pytest

from services.workbench.polling import until
from tests.support.stories.story import Story
from tests.support.stories.target import BROKER, DATABASE, killed, stopped

BACKLOG = 5
UNAVAILABLE = 503


def test_notification_and_audit_go_on_without_the_user_service(story: Story) -> None:
    with contextlib.ExitStack() as away:
        with stopped(story.target, "notification"):
            users = [story.register_user() for _ in range(BACKLOG)]
            for user in users:
                story.await_audit(user, {"user.registered", "user.state", "user.notice"})
            away.enter_context(stopped(story.target, "user"))
        # Notification has started: what it knows of these users comes from Kafka alone.
        for user in users:
            story.await_mail(user)
            story.await_audit(user)
        with pytest.raises(httpx.TransportError):
            story.post(story.newcomer(), "nobody is there")
    story.await_mail(story.register_user())


def test_commands_are_accepted_without_the_broker_and_everything_arrives_afterwards(story: Story) -> None:
    story.await_mail(story.register_user())
    with killed(story.target, BROKER):
        users = [story.register_user() for _ in range(BACKLOG)]
        assert all(story.audited(user.correlation_id) == [] for user in users), "the broker is not down"
    for user in users:
        story.await_mail(user)
        entries = story.await_audit(user)
        assert len({entry["event_id"] for entry in entries if entry["type"] == "user.registered"}) == 1


def test_without_the_database_commands_are_refused_and_nothing_accepted_is_lost(story: Story) -> None:
    if DATABASE not in story.target.parts:
        pytest.skip("here each service has its database in its own process")
    before = [story.register_user() for _ in range(BACKLOG)]
    body = story.newcomer()
    with killed(story.target, DATABASE):
        until("a refusal", lambda: _status(story, body), UNAVAILABLE.__eq__, passing=httpx.HTTPError)
    after = story.insist_on(body, body["login"])
    assert story.insist_on(body, body["login"]) == after, "the same key, the same answer"
    for user in (*before, after):
        story.await_mail(user)
        story.await_audit(user)
    assert [story.versions()[user.user_id] for user in (*before, after)] == [1] * (BACKLOG + 1)


def _status(story: Story, body: dict[str, object]) -> int:
    status = story.post(body, str(body["login"])).status_code
    assert status in (UNAVAILABLE, 201), f"{status} instead of {UNAVAILABLE}"
    return status
