"""A changed row of the audit database: the running service finds it, and the alert's mail arrives.

AuditLogChanged lasts for an hour after the row is as it was, so a second run within that hour has no new mail to await.
"""

import contextlib
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from k8s.command import CommandError
from services.workbench.polling import until
from tests.e2e.compose_target import ComposeTarget
from tests.e2e.kind_target import KindTarget
from tests.e2e.runbook import command
from tests.support.stories.mailboxes import OPERATOR
from tests.support.stories.story import Story
from tests.support.stories.target import Target

Watched = KindTarget | ComposeTarget
WATCHERS = ("prometheus", "alertmanager")
ALERT = "AuditLogChanged"
MAIL = f"[firing] {ALERT} audit (page)"
MAIL_WITHIN_S = 150.0  # a pass, a scrape, an evaluation, and what Alertmanager waits for others of its group
PSQL = "kubectl exec statefulset/eventline-postgres -- psql -X -U postgres -d audit -v ON_ERROR_STOP=1 -c "
# Flips a bit of the first value that has one: done twice, the row is as it was.
FLIP = (
    "UPDATE entries SET value = set_byte(value, 0, get_byte(value, 0) # 1) "
    "WHERE position = (SELECT min(position) FROM entries WHERE length(value) > 0)"
)


@pytest.fixture
def watched(target: Target) -> Iterator[Watched]:
    """The system with its Prometheus and Alertmanager."""
    if not isinstance(target, Watched):
        pytest.skip("tests/alerts changes the log of the local system")
    if isinstance(target, ComposeTarget):
        target.compose("--profile", "full", "up", "--detach", "--wait", "--no-deps", *WATCHERS)
    yield target
    if isinstance(target, ComposeTarget):
        target.compose("--profile", "full", "rm", "--stop", "--force", *WATCHERS)


def test_a_row_that_was_changed_in_the_database_is_found_and_notified_by_mail_and_the_recording_goes_on(
    story: Story, watched: Watched
) -> None:
    story.await_audit(story.register_user())
    until("audit reports a whole log", partial(changed, watched), [0].__eq__, passing=httpx.HTTPError)
    if any(mail.subject == MAIL for mail in watched.mails(OPERATOR)):
        pytest.skip(f"{ALERT} was caused before: its mail would prove nothing")
    with a_changed_row(watched):
        until("audit reports the change", partial(changed, watched), [1].__eq__, passing=httpx.HTTPError)
        with pytest.raises(CommandError, match=r"the audit log has been changed: user.*at position \d"):
            watched.operate(command(ALERT, "verify", {}))
        assert "has been changed" in watched.operate(command(ALERT, "grep", {}))
        watched.await_alert(MAIL, MAIL_WITHIN_S)
        user = story.register_user()
        story.await_mail(user)
        story.await_audit(user)
    until("a whole pass finds nothing", partial(changed, watched), [0].__eq__, passing=httpx.HTTPError)
    watched.operate(command(ALERT, "verify", {}))  # ends with 0


@contextlib.contextmanager
def a_changed_row(watched: Watched) -> Iterator[None]:
    """Change an entry in the database for the duration of the block, as its superuser."""
    assert "UPDATE 1" in watched.operate(f'{PSQL}"{FLIP}"')
    try:
        yield
    finally:
        watched.operate(f'{PSQL}"{FLIP}"')


def changed(watched: Watched) -> list[float]:
    """Return what Prometheus has of `audit_log_changed`, a value for each process."""
    answer = httpx.get(f"{watched.prometheus_url}/api/v1/query", params={"query": "audit_log_changed"}, timeout=10)
    return [float(found["value"][1]) for found in answer.raise_for_status().json()["data"]["result"]]
