"""The system's purpose, as stories on a whole system."""

import uuid
from collections import defaultdict
from functools import partial

import httpx

from services.chassis.kafka.group_consumer import GroupConsumer
from services.contracts import catalog
from services.contracts.envelope import from_headers
from services.workbench.polling import until
from tests.support.stories.story import Story, User

TOPICS = (catalog.USER_EVENTS.name, catalog.USER_STATE.name)
DECISION = ("notification_id", "user_version", "template", "status", "correlation_id")
SUPPRESSED = {"user.registered", "user.state", "user.notice", "notification.suppressed"}

Seen = defaultdict[str, defaultdict[str, list[int]]]


def test_a_registration_leads_to_a_mail_and_to_audit_entries_with_its_correlation_id(story: Story) -> None:
    user = story.register_user()
    mail = story.await_mail(user)
    entries = story.await_audit(user)
    assert mail.correlation_id == user.correlation_id
    assert mail.subject == "Welcome to Eventline"
    assert {entry["correlation_id"] for entry in entries} == {user.correlation_id}
    assert {entry["subject"] for entry in entries} == {user.user_id}
    assert sorted(entry["type"] for entry in entries) == sorted({entry["type"] for entry in entries}), "a repeat"


def test_a_mail_has_name_and_language_of_the_replica_and_a_change_is_notified_to_both_addresses(story: Story) -> None:
    user = story.register_user(full_name="Konrad Zuse", locale="de")
    welcome = story.await_mail(user)
    assert welcome.subject == "Willkommen bei Eventline"
    assert "Guten Tag Konrad Zuse," in welcome.body
    moved = story.change_user(user, email=f"neu-{user.email}", full_name="Dr. Konrad Zuse")
    changed = [story.await_mail(moved), story.await_mail(moved, user.email)]
    assert [mail.subject for mail in changed] == ["Ihre E-Mail-Adresse wurde geändert"] * 2
    assert all("Guten Tag Dr. Konrad Zuse," in mail.body for mail in changed)


def test_who_does_not_want_mail_gets_none_and_the_reason_is_on_record(story: Story) -> None:
    user = story.register_user(mailed=False)
    decided = story.await_notifications(user)
    story.await_audit(user, SUPPRESSED)
    assert [item["status"] for item in decided] == ["suppressed"]
    story.await_mail(story.register_user())
    assert story.mails(user) == []


def test_notification_is_rebuilt_from_the_topics_and_nobody_is_mailed_again(story: Story) -> None:
    users = [story.register_user(), story.register_user(locale="de"), story.register_user(mailed=False)]
    moved = story.change_user(users[0], email=f"new-{users[0].email}")
    before = [_decisions(story, user) for user in (moved, *users[1:])]
    # Outcomes that a lost database had not published yet would be sent again: at least once.
    for user, mails in ((users[0], 1), (users[1], 1), (moved, 2)):
        until(f"{mails} notification.sent", partial(_sent, story, user), mails.__eq__, passing=httpx.HTTPError)
    sent = [len(story.mails(user)) for user in (*users, moved)]
    replica = story.target.replica()
    story.target.rebuild_notification()
    until("the replica is what it was", story.target.replica, replica.__eq__)
    assert [_decisions(story, user) for user in (moved, *users[1:])] == before
    story.await_mail(story.register_user())
    assert [len(story.mails(user)) for user in (*users, moved)] == sent == [2, 1, 0, 1]


def test_a_new_group_reads_every_user_from_the_first_fact_on(story: Story) -> None:
    story.register_user()
    story.change_user(story.register_user(), full_name="Countess of Lovelace")
    expected = story.versions()
    newcomer = GroupConsumer(story.target.administrator, f"newcomer-{uuid.uuid4().hex[:8]}", TOPICS, lambda _: {})
    seen: Seen = defaultdict(lambda: defaultdict(list))
    try:
        until("every user's newest version was read", lambda: _read(newcomer, seen), lambda now: now == expected)
    finally:
        newcomer.close()
    gaps = {user: found for user, found in seen[TOPICS[0]].items() if sorted(set(found)) != [*range(1, max(found) + 1)]}
    assert gaps == {}, "the facts of a user are its versions from 1 on"
    assert {user: max(found) for user, found in seen[TOPICS[1]].items()} == expected


def _read(newcomer: GroupConsumer, seen: Seen) -> dict[str, int]:
    """Note the version of each record that is at hand, by topic and user; return what was read of both topics."""
    for record in newcomer.poll(1000, 1.0):
        envelope = from_headers(record.headers or [])
        seen[record.topic][envelope.subject].append(envelope.version)
    facts, states = (seen[topic] for topic in TOPICS)
    return {user: min(max(facts[user]), max(states[user])) for user in facts.keys() & states.keys()}


def _sent(story: Story, user: User) -> int:
    """Return how many mails audit knows to be sent because of the user's last command."""
    return [entry["type"] for entry in story.audited(user.correlation_id)].count("notification.sent")


def _decisions(story: Story, user: User) -> list[tuple[object, ...]]:
    """Return what was decided about a user's mails, and how it ended."""
    found = story.await_notifications(user)
    # The recipient of a suppressed mail is on no topic.
    whom = [item["recipient"] if item["status"] == "sent" else None for item in found]
    return sorted((*(item[name] for name in DECISION), to) for item, to in zip(found, whom, strict=True))
