"""Self-verification of a store in use: changes of old and new entries, metrics, restore, and the rate."""

import math
from collections.abc import Callable

import pytest
import structlog
from sqlalchemy import text, update
from structlog.testing import capture_logs

from services.audit import store
from services.audit.domain import Chain, new_chain
from services.audit.self_verification import component
from services.audit.self_verification.component import EVERY_S, SelfVerification
from services.chassis.database.database import Database
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.transparency.tree import Edge, extend
from tests.support.audit_log import ORIGIN, a_fact, all_entries, open_log, record_all
from tests.support.builders import a_telemetry

CHANGE = "UPDATE entries SET ts_ms = ts_ms + 1 WHERE position = 2"
UNDO = "UPDATE entries SET ts_ms = ts_ms - 1 WHERE position = 2"


@pytest.fixture
def telemetry() -> Telemetry:
    return a_telemetry()


@pytest.fixture(autouse=True)
def fresh_logger(monkeypatch: pytest.MonkeyPatch) -> None:
    """A logger that has not kept the configuration of an earlier test."""
    monkeypatch.setattr(component, "log", structlog.get_logger())


@pytest.fixture
def log(database: Database) -> Database:
    """A log of eight entries."""
    open_log(database)
    record_all(database, *[a_fact(offset) for offset in range(8)])
    return database


@pytest.fixture
def verifier(log: Database, telemetry: Telemetry) -> SelfVerification:
    """Four entries a step, of which two are for new ones."""
    return SelfVerification(log, ORIGIN, round(4 / EVERY_S), telemetry)


def execute(database: Database, statement: str) -> None:
    with database.write() as connection:
        assert connection.execute(text(statement)).rowcount > 0


def metric(telemetry: Telemetry, name: str) -> float:
    value = telemetry.metrics.registry.get_sample_value(name)
    assert value is not None
    return value


def steps(verifier: SelfVerification, until: Callable[[], bool], most: int = 20) -> int:
    """Take steps until a condition holds; return how many it took."""
    for number in range(1, most + 1):
        verifier.check()
        if until():
            return number
    pytest.fail(f"not within {most} steps")


def is_changed(telemetry: Telemetry) -> Callable[[], bool]:
    return lambda: metric(telemetry, "audit_log_changed") == 1


def test_an_unchanged_log_is_verified_again_and_again(verifier: SelfVerification, telemetry: Telemetry) -> None:
    steps(verifier, lambda: metric(telemetry, "audit_verified_entries_total") >= 24)
    assert metric(telemetry, "audit_verified_size") == 8
    assert metric(telemetry, "audit_log_changed") == 0
    assert telemetry.health.absent() == {}


def test_the_verified_size_rises_by_steps_within_the_first_pass(
    verifier: SelfVerification, telemetry: Telemetry
) -> None:
    assert metric(telemetry, "audit_verified_size") == 0
    verifier.check()
    assert metric(telemetry, "audit_verified_size") == 4


def test_an_old_entry_changed_after_it_was_verified_is_found_by_the_next_pass(
    verifier: SelfVerification, telemetry: Telemetry, log: Database
) -> None:
    steps(verifier, lambda: metric(telemetry, "audit_verified_size") == 8)
    execute(log, CHANGE)
    with capture_logs() as lines:
        assert steps(verifier, is_changed(telemetry)) <= 4  # a rest of this pass and two steps of the next
        verifier.check()
        verifier.check()
    (line,) = [one for one in lines if one["log_level"] == "error"]
    assert line["found"].startswith("user.events.v1[0]@2, at position 2: chain is")
    assert "at position 2" in telemetry.health.absent()["log"]
    assert telemetry.health.missing() == {"start": "not started yet"}


def test_the_flag_stays_until_the_entry_is_restored_and_the_whole_log_is_verified(
    verifier: SelfVerification, telemetry: Telemetry, log: Database
) -> None:
    execute(log, CHANGE)
    steps(verifier, is_changed(telemetry))
    for _ in range(10):
        verifier.check()
        assert metric(telemetry, "audit_log_changed") == 1
    execute(log, UNDO)
    with capture_logs() as lines:
        steps(verifier, lambda: metric(telemetry, "audit_log_changed") == 0)
    assert [one["event"] for one in lines] == ["the audit log is whole again"]
    assert metric(telemetry, "audit_verified_size") == 8
    assert telemetry.health.absent() == {}


def test_a_new_entry_is_verified_soon_however_far_the_pass_is(log: Database, telemetry: Telemetry) -> None:
    verifier = SelfVerification(log, ORIGIN, 1, telemetry)
    verifier.check()
    record_all(log, a_fact(8))
    execute(log, "UPDATE entries SET ts_ms = 0 WHERE position = 8")
    with capture_logs() as lines:
        verifier.check()
    assert [one["found"][:31] for one in lines] == ["user.events.v1[0]@8, at positio"]
    assert is_changed(telemetry)()


def test_a_new_entry_that_is_restored_is_whole_again(
    verifier: SelfVerification, telemetry: Telemetry, log: Database
) -> None:
    verifier.check()
    record_all(log, a_fact(8), a_fact(9))
    execute(log, "UPDATE entries SET ts_ms = ts_ms + 1 WHERE position = 9")
    for _ in range(3):
        verifier.check()
        assert metric(telemetry, "audit_log_changed") == 1
    execute(log, "UPDATE entries SET ts_ms = ts_ms - 1 WHERE position = 9")
    steps(verifier, lambda: metric(telemetry, "audit_log_changed") == 0)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM entries WHERE position = 7",
        "DELETE FROM entries WHERE position = 0",
        "UPDATE log SET size = 7",
        "UPDATE log SET origin = 'mine'",
        "DELETE FROM log",
        "DELETE FROM chains",
        "UPDATE entries SET position = -1 WHERE position = 7",
        "UPDATE entries SET partition = -1 WHERE position = 3",
    ],
)
def test_what_is_missing_or_holds_what_no_record_gives_is_found_and_ends_nothing(
    verifier: SelfVerification, telemetry: Telemetry, log: Database, statement: str
) -> None:
    steps(verifier, lambda: metric(telemetry, "audit_verified_size") == 8)
    execute(log, statement)
    steps(verifier, is_changed(telemetry))


def chain_again(database: Database) -> None:
    """Compute chains, leaves and tree again over the entries, as an attacker does who can write the database."""
    chains: dict[tuple[str, int], Chain] = {}
    found = all_entries(database)
    with database.write() as connection:
        for entry in found:
            key = entry.topic_id, entry.partition
            chains.setdefault(key, new_chain(ORIGIN, entry.topic, *key)).add(entry)
            change = update(store.entries).where(store.entries.c.position == entry.position)
            connection.execute(change.values(chain=entry.chain, leaf=entry.leaf))
        for chain in chains.values():
            connection.execute(update(store.chains).values(head=chain.head))
        edge, _ = extend(Edge(), [entry.leaf for entry in found])
        connection.execute(update(store.log).values(edge=edge.packed()))


def test_chains_that_are_computed_again_are_found_by_a_process_that_has_verified_them_before(
    verifier: SelfVerification, telemetry: Telemetry, log: Database
) -> None:
    verifier.check()
    execute(log, CHANGE)
    chain_again(log)
    steps(verifier, is_changed(telemetry))
    for _ in range(10):
        verifier.check()
        assert metric(telemetry, "audit_log_changed") == 1
    assert "head of the stored chain is" in telemetry.health.absent()["log"]
    execute(log, UNDO)
    chain_again(log)
    steps(verifier, lambda: metric(telemetry, "audit_log_changed") == 0)


def test_chains_that_were_computed_again_before_its_start_are_whole_to_a_process(
    verifier: SelfVerification, telemetry: Telemetry, log: Database
) -> None:
    execute(log, CHANGE)
    chain_again(log)
    steps(verifier, lambda: metric(telemetry, "audit_verified_entries_total") >= 16)
    assert metric(telemetry, "audit_log_changed") == 0


def test_a_log_that_grows_meanwhile_is_verified_to_its_end(
    verifier: SelfVerification, telemetry: Telemetry, log: Database
) -> None:
    for offset in range(8, 40):
        record_all(log, a_fact(offset))
        verifier.check()
    steps(verifier, lambda: metric(telemetry, "audit_verified_size") == 40)
    assert metric(telemetry, "audit_log_changed") == 0


def test_two_processes_verify_one_log_each_for_itself(log: Database) -> None:
    both = [a_telemetry(), a_telemetry()]
    for telemetry in both:
        verifier = SelfVerification(log, ORIGIN, 100, telemetry)
        steps(verifier, lambda telemetry=telemetry: metric(telemetry, "audit_verified_size") == 8)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("allowed_s", "took_s", "expected"), [(0.1, 0.001, EVERY_S), (2.0, 0.1, 2.0), (0.1, 0.2, 1.8), (0.1, 60.0, 5.0)]
)
def test_a_rest_is_as_long_as_rate_and_share_ask_for_but_a_suspended_process_goes_on_soon(
    allowed_s: float, took_s: float, expected: float
) -> None:
    assert component.rest(allowed_s, took_s) == pytest.approx(expected)


@pytest.mark.parametrize("rate", [1, 16, 1000])
def test_a_step_takes_no_more_entries_than_its_rest_allows(log: Database, telemetry: Telemetry, rate: int) -> None:
    verifier = SelfVerification(log, ORIGIN, rate, telemetry)
    waited = sum(verifier.check() for _ in range(10))
    assert 0 < metric(telemetry, "audit_verified_entries_total") <= waited * rate


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("edge", ["'x'", "zeroblob(3)", "7"])
def test_an_edge_that_is_none_is_found_also_at_the_start(log: Database, telemetry: Telemetry, edge: str) -> None:
    execute(log, f"UPDATE log SET edge = {edge}")  # noqa: S608  # our own text
    verifier = SelfVerification(log, ORIGIN, 100, telemetry)
    steps(verifier, is_changed(telemetry))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", ["partition = 'x'", "key = 7", "ts_ms = 1.5", "headers = zeroblob(3)", "topic = 0.5"])
def test_columns_of_another_type_are_found(
    verifier: SelfVerification, telemetry: Telemetry, log: Database, value: str
) -> None:
    execute(log, f"UPDATE entries SET {value} WHERE position = 3")  # noqa: S608  # our own text
    steps(verifier, is_changed(telemetry))


def test_a_store_that_cannot_be_read_is_no_change_and_is_tried_again(
    verifier: SelfVerification, telemetry: Telemetry, log: Database
) -> None:
    with log.write() as connection:
        connection.execute(text("ALTER TABLE entries RENAME TO elsewhere"))
    with capture_logs() as lines:
        assert verifier.check() > EVERY_S
    assert [one["event"] for one in lines] == ["the audit log cannot be verified now, trying again"]
    assert metric(telemetry, "audit_log_changed") == 0
    with log.write() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO entries"))
    steps(verifier, lambda: metric(telemetry, "audit_verified_size") == 8)
    assert not math.isnan(metric(telemetry, "audit_verification_pass_age_seconds"))
