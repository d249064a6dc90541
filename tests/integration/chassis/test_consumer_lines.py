"""Log lines of the consumer: one per batch, and one per dead-lettered or parked record."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from services.contracts.envelope import to_headers
from tests.support.builders import Recording, an_envelope
from tests.support.consumer_harness import GROUP, P0, P1, TOPIC, World

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"
HEADERS = to_headers(an_envelope(traceparent=SAMPLED))
NAMES = {"ce_id": an_envelope().id, "ce_type": "user.registered", "correlation_id": "correlation-1", "trace_id": TRACE}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(f"sqlite:///{tmp_path}/test.db")
    yield world
    world.database.close()


def lines_of(world: World, event: str, **changed: object) -> list[EventDict]:
    """Process one batch and return the log lines of one event."""
    consumer, member = world.consumer(**changed)
    with capture_logs() as lines:
        consumer.process_batch(member)
    return [line for line in lines if line["event"] == event]


def test_a_batch_has_one_log_line_with_its_offsets_and_outcome(world: World) -> None:
    world.write("a", "bad", "b")
    world.write("c", "d", to=P1)
    (line,) = lines_of(world, "batch")
    assert line.pop("duration_ms") > 0
    assert line == {
        "event": "batch",
        "log_level": "info",
        "group": GROUP,
        "offsets": {f"{TOPIC}[0]": "0-2", f"{TOPIC}[1]": "0-1"},
        "records": 5,
        "applied": 4,
        "repeats": 0,
        "refused": 1,
        "not_subscribed": 0,
        "parked": 0,
    }


def test_the_log_line_of_a_single_record_names_it(world: World) -> None:
    world.broker.write(P1, b"a", b"key", HEADERS)
    (line,) = lines_of(world, "batch")
    assert line.items() >= {"topic": TOPIC, "partition": 1, "offset": 0, **NAMES}.items()


def test_a_dead_letter_is_logged_with_its_place_event_and_trace(world: World) -> None:
    world.broker.write(P1, b"a", b"key", HEADERS)
    world.broker.write(P1, b"bad", b"key", HEADERS)
    (line,) = lines_of(world, "dead letter")
    place = {"group": GROUP, "topic": TOPIC, "partition": 1, "offset": 1}
    assert line.items() >= {**place, **NAMES, "reason": "invalid", "detail": "it is bad"}.items()


def test_a_parked_record_is_logged_likewise_and_later_records_of_its_key_are_counted(world: World) -> None:
    for value in (b"poison", b"a"):
        world.broker.write(P0, value, b"key", HEADERS)
    consumer, member = world.consumer(parked_keys_ceiling=3)
    with capture_logs() as lines:
        consumer.process_batch(member)
    (parked,) = [line for line in lines if line["event"] == "parked"]
    assert parked.items() >= {"group": GROUP, "offset": 0, **NAMES}.items()
    (batch,) = [line for line in lines if line["event"] == "batch"]
    assert (batch["offset"], batch["parked"], batch["applied"]) == (1, 1, 0)


def test_a_record_without_an_envelope_is_logged_with_its_place_only(world: World) -> None:
    world.write("bad")
    (line,) = lines_of(world, "dead letter")
    assert not NAMES.keys() & line.keys()
    assert line["offset"] == 0


def test_the_handler_gets_the_span_of_each_record_and_parked_records_keep_their_context(world: World) -> None:
    made = Recording()
    world.telemetry = msgspec.structs.replace(world.telemetry, tracing=made)
    world.broker.write(P0, b"bad", b"key", HEADERS)
    lines_of(world, "batch")
    (span,) = made.spans
    assert (span.parent, span.error) == (SAMPLED, "")
    world.relay().publish()
    assert ("traceparent", SAMPLED.encode()) in world.letters.records[0].headers


def test_a_failed_batch_has_the_error_type_on_its_spans(world: World) -> None:
    made = Recording()
    world.telemetry = msgspec.structs.replace(world.telemetry, tracing=made)
    world.broker.write(P0, b"poison", b"key", HEADERS)
    lines_of(world, "parked", parked_keys_ceiling=3)
    assert [span.error for span in made.spans] == ["ZeroDivisionError"]
