"""The three services as processes, with a collector: one registration is one trace, and no log names a person."""

import contextlib
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from services.workbench.polling import until
from tests.support.otlp_collector import Collector, Seen, collecting, edges, tree
from tests.support.stories.local_target import local
from tests.support.stories.story import Story, User

pytestmark = pytest.mark.long

PEOPLE = ("Wilhelmina Quackenbush", "Bartholomew Fitzgibbon", "Persephone Żółć")
HTTP, NOTICE, MAIL = "user: POST /users", "notification: process user.notices.v1", "notification: send mail"
QUEUED, SENT = "notification: publish notification.queued", "notification: publish notification.sent"
PUBLISHED = "user: publish user.registered"
FACTS = ("audit: process notification.events.v1", "user: process notification.events.v1")
EXPECTED = sorted(
    [
        ("", HTTP),
        (HTTP, "user: append events"),
        (HTTP, PUBLISHED),
        *((PUBLISHED, f"audit: process user.{topic}.v1") for topic in ("events", "notices", "state")),
        (PUBLISHED, "notification: process user.state.v1"),
        (PUBLISHED, NOTICE),
        (NOTICE, QUEUED),
        (NOTICE, MAIL),
        (MAIL, SENT),
        *((published, fact) for published in (QUEUED, SENT) for fact in FACTS),
    ]
)


class World(msgspec.Struct, frozen=True):
    story: Story
    collector: Collector
    folder: Path

    def trace_of(self, user: User) -> list[Seen]:
        """Return the trace that a command led to, which its line in the user service's log names."""
        for line in (self.folder / "user.log").read_text().splitlines():
            if user.correlation_id in line and (trace_id := msgspec.json.decode(line).get("trace_id")):
                return self.collector.trace(trace_id)
        return []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tracing")
    with contextlib.ExitStack() as stack:
        collector = stack.enter_context(collecting())
        variables = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.address,
            "OTEL_TRACES_SAMPLER": "parentbased_always_on",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "APP_LOG_LEVEL": "debug",
        }
        target = stack.enter_context(local(folder, variables))
        client = stack.enter_context(httpx.Client(timeout=20))
        yield World(Story(target, client, lambda: f"quux-{uuid.uuid4().hex[:12]}"), collector, folder)


def test_one_registration_is_one_trace_from_the_request_to_the_mail_and_the_audit_log(world: World) -> None:
    user = world.story.register_user(full_name=PEOPLE[0])
    world.story.await_mail(user)
    world.story.await_audit(user)
    with contextlib.suppress(TimeoutError):
        until("the trace is whole", lambda: edges(world.trace_of(user)), lambda seen: len(seen) >= len(EXPECTED))
    trace = world.trace_of(user)
    assert edges(trace) == EXPECTED, f"\n{tree(trace)}"
    span_kinds = {span.title: span.kind for span in trace}
    expected = {HTTP: "server", PUBLISHED: "producer", NOTICE: "consumer", MAIL: "client"}
    assert expected.items() <= span_kinds.items(), f"\n{tree(trace)}"


def test_a_span_that_joins_a_batch_links_the_traces_that_it_joins(world: World) -> None:
    users = [world.story.register_user(full_name=PEOPLE[1]) for _ in range(5)]

    def joining() -> list[Seen]:
        return [span for span in world.collector.spans() if span.links and span.title == "audit: process"]

    for user in users:
        world.story.await_audit(user)
    for span in until("audit has joined some records", joining):
        assert not span.parent
        assert len(span.links) == len({*span.links})
        assert span.attributes["messaging.batch.message_count"] >= len(span.links)

    def unknown() -> set[tuple[str, str]]:
        produced = {(span.trace, span.id) for span in world.collector.spans() if span.kind == "producer"}
        return {link for span in joining() for link in span.links} - produced

    until("every link is a producer's span, which may be exported later", unknown, lambda links: not links)


def test_a_traceparent_from_outside_is_followed(world: World) -> None:
    trace = uuid.uuid4().hex
    body = world.story.newcomer(full_name=PEOPLE[0])
    url = f"{world.story.target.urls['user']}/users"
    httpx.post(url, json=body, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}).raise_for_status()
    until(
        "the trace is exported", lambda: edges(world.collector.trace(trace)), lambda found: ("elsewhere", HTTP) in found
    )


def test_no_log_and_no_span_names_a_person(world: World) -> None:
    people = [world.story.register_user(full_name=name) for name in PEOPLE]
    moved = [world.story.change_user(user, email=f"moved-{user.email}") for user in people]
    for user in moved:
        world.story.await_mail(user)
    logs = {path.name: path.read_text() for path in world.folder.glob("*.log") if path.name != "broker.log"}
    logs["spans"] = "\n".join(map(repr, world.collector.spans()))
    assert all(user.correlation_id in logs["user.log"] for user in moved)  # there is something to look at
    secrets = {word for user in (*people, *moved) for word in (user.email, user.email.partition("@")[0])}
    secrets |= {word for name in PEOPLE for word in (name, *name.split())}
    variables = {(name, word) for name, text in logs.items() for word in secrets if word in text}
    assert variables == set()
