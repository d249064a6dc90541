"""Operators' actions are events: committed with what they did, numbered without gaps, published in order."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from services.chassis.database.database import Database
from services.chassis.messages.event import StoredEvent
from services.chassis.outbox import operator_events
from services.chassis.outbox import operator_relay as module
from services.chassis.outbox.operator_events import Action, Operator
from services.chassis.outbox.operator_relay import OperatorRelay, OperatorTopic
from services.chassis.process import operator_metrics
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.envelope import from_headers
from services.contracts.operations import OperatorActed
from services.workbench.polling import until
from tests.support.builders import NOW, a_telemetry, an_event_store
from tests.support.fakes import FakeLog

GRACE = Operator("grace", "ops-1")
RETRY = Action(name="outbox.retry", selection="sequence 12", count=3, reason="the topic takes it now")


@pytest.fixture(autouse=True)
def _store(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    an_event_store(database)
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    monkeypatch.setattr(module, "BACKOFF_S", (0.01,))


def act(database: Database, action: Action = RETRY) -> str:
    with database.write() as connection:
        return operator_events.record(connection, action, GRACE, NOW)


def waiting(database: Database) -> list[StoredEvent]:
    with database.read() as connection:
        return operator_events.unpublished(connection, 1000)


@contextmanager
def relaying(database: Database, log: FakeLog, *, leads: bool = True) -> Iterator[Telemetry]:
    telemetry, stop = a_telemetry(), threading.Event()
    target = OperatorTopic("user", lambda: leads, log.open_producer)
    thread = threading.Thread(target=OperatorRelay(target, database, telemetry).run, args=(stop,))
    thread.start()
    try:
        yield telemetry
    finally:
        stop.set()
        thread.join()


def test_the_record_of_an_action_has_its_operator_as_its_actor(database: Database) -> None:
    act(database)
    [stored] = waiting(database)
    assert stored.event.metadata.actor == GRACE.name


@pytest.mark.parametrize("name", ["x" * 257, "a\nb"])
def test_a_name_that_is_no_actor_is_in_the_data_alone(database: Database, name: str) -> None:
    with database.write() as connection:
        operator_events.record(connection, RETRY, Operator(name, "ops-1"), NOW)
    [stored] = waiting(database)
    assert (stored.event.metadata.actor, msgspec.json.decode(stored.event.data)["operator"]) == (None, name)


def await_published(database: Database) -> None:
    until("every action is published", lambda: waiting(database), lambda left: not left)


def test_an_action_is_published_as_its_operator_did_it(database: Database) -> None:
    correlation_id, log = act(database), FakeLog()
    with relaying(database, log):
        await_published(database)
    (record,) = log.records
    envelope = from_headers(record.headers)
    assert (record.topic, record.key, envelope.subject) == ("operations.v1", b"user.outbox", "user.outbox")
    assert (envelope.source, envelope.type) == ("/user/operations", "operator.acted")
    assert (envelope.sequence, envelope.version, envelope.time) == (1, 1, NOW)
    assert envelope.correlation_id == envelope.id == correlation_id
    assert msgspec.json.decode(record.value or b"", type=OperatorActed) == OperatorActed(
        action="outbox.retry",
        selection="sequence 12",
        count=3,
        reason="the topic takes it now",
        operator="grace",
        host="ops-1",
        verified=False,
    )


def test_an_action_that_is_rolled_back_leaves_no_event_and_no_gap(database: Database) -> None:
    act(database)
    with database.engine.connect() as connection, connection.begin() as transaction:
        operator_events.record(connection, RETRY, GRACE, NOW)
        transaction.rollback()
    act(database, Action(name="relay.pause", selection="all", count=0))
    act(database)
    found = [(stored.sequence, stored.event.subject, stored.event.version) for stored in waiting(database)]
    assert found == [(1, "outbox", 1), (2, "relay", 1), (3, "outbox", 2)]


def test_operators_who_act_at_once_get_numbers_without_gaps(database: Database) -> None:
    together = threading.Barrier(4)

    def act_five_times() -> None:
        together.wait()
        for _ in range(5):
            act(database)

    threads = [threading.Thread(target=act_five_times) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(stored.sequence, stored.event.version) for stored in waiting(database)] == [(n, n) for n in range(1, 21)]


def test_a_topic_that_takes_nothing_is_reported_and_the_actions_follow_in_order(database: Database) -> None:
    first, log = act(database), FakeLog()
    log.refuse = 1_000_000
    with relaying(database, log) as telemetry:
        until("a failure", telemetry.health.absent, lambda absent: "operations" in absent)
        assert "operations" not in telemetry.health.missing(), "the service is ready without it"
        second = act(database)
        log.refuse = 0
        await_published(database)
        until("the failure is over", telemetry.health.absent, lambda absent: not absent)
    ids = [from_headers(record.headers).id for record in log.records]
    assert list(dict.fromkeys(ids)) == [first, second]


def test_only_the_process_whose_relay_leads_publishes(database: Database) -> None:
    act(database)
    log = FakeLog()
    with relaying(database, log, leads=False) as telemetry:
        until("a round", lambda: bool(telemetry.health._beats), bool)  # noqa: SLF001
    assert log.records == []
    assert len(waiting(database)) == 1


def test_a_text_that_no_database_stores_and_a_long_one_are_kept_readable(database: Database) -> None:
    act(database, Action(name="held.retry", selection="key a\0b", count=1, reason="\ud800" + "x" * 1000))
    (stored,) = waiting(database)
    fact = msgspec.json.decode(stored.event.data, type=OperatorActed)
    assert fact.selection == r"key a\x00b"
    assert fact.reason.startswith(r"\ud800xx")
    assert len(fact.reason) == operator_events.LONGEST_TEXT


def test_the_operating_systems_user_is_not_verified() -> None:
    operator = operator_events.system_operator()
    assert operator.name
    assert operator.host
    assert not operator.verified


def test_metrics_show_the_number_of_each_action_and_what_the_latest_applied_to(database: Database) -> None:
    rebuild = Action(name="store.rebuild", selection="users", count=12)
    act(database, rebuild)
    telemetry = a_telemetry()
    operator_metrics.register(database, telemetry)
    assert gauges(telemetry) == {("store.rebuild", NOW.timestamp()): (1, 12)}
    act(database, msgspec.structs.replace(rebuild, count=13))  # in another process
    act(database)
    expected = {("store.rebuild", NOW.timestamp()): (2, 13), ("outbox.retry", NOW.timestamp()): (1, 3)}
    assert gauges(telemetry) == expected
    assert gauges(telemetry) == expected, "no row is counted twice"


def gauges(telemetry: Telemetry) -> dict[tuple[str, float], tuple[float, float]]:
    """Return, by action and latest time, the number of actions and what the latest applied to."""
    found: dict[str, dict[str, float]] = {}
    for family in telemetry.metrics.registry.collect():
        for sample in family.samples:
            if sample.name.startswith("operator_action"):
                found.setdefault(sample.name, {})[sample.labels["action"]] = sample.value
    counts, latest, sizes = (
        found[name]
        for name in ("operator_actions", "operator_action_latest_timestamp_seconds", "operator_action_latest_items")
    )
    return {(name, latest[name]): (counts[name], sizes[name]) for name in counts}
