"""Anomalies of what follows from records: replicas, dead letters, the order of decisions, and repeats of a relay."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from services.contracts.catalog import DEAD_LETTERS, NOTIFICATION_EVENTS
from services.workbench.reconcile.evidence import Place
from tests.unit.workbench.reconcile.world import FACTS, STATES, World, found

LETTERS = DEAD_LETTERS["notification"].name


def old_replica(world: World) -> None:
    world.replica = 1


def dead_without_a_letter(world: World) -> None:
    world.dead.add(Place(STATES, 0, 0))


def decided_in_another_order(world: World) -> None:
    for number, cause in ((3, "event-2"), (4, "event-1")):
        world.remove(NOTIFICATION_EVENTS.name, "queued")
        about: dict[str, Any] = {"causation_id": cause, "correlation_id": f"command-{cause[-1]}"}
        kind = "notification.suppressed"
        world.add(NOTIFICATION_EVENTS.name, id=f"late-{number}", type=kind, sequence=number - 1, **about)
    world.remove(NOTIFICATION_EVENTS.name, "sent")
    world.add(NOTIFICATION_EVENTS.name, id="last", type="notification.sent", sequence=1, causation_id="late-4")


def published_by_two_relays(world: World) -> None:
    for _ in range(2):
        repeat(world, [one for one in world.records if one.topic == FACTS][:2])


def repeat(world: World, records: Any) -> None:
    for record in records:
        offset = sum(one.topic == record.topic for one in world.records)
        world.records.append(msgspec.structs.replace(record, offset=offset))


PLANTED: list[tuple[str, Callable[[World], None]]] = [
    ("wrong projection", old_replica),
    ("lost letter", dead_without_a_letter),
    ("nonmonotonic poll", decided_in_another_order),
    ("nonmonotonic send", published_by_two_relays),
]


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
def test_a_planted_anomaly_is_found_under_its_name(name: str, plant: Callable[[World], None]) -> None:
    world = World()
    plant(world)
    assert found(world) == {name}


def test_a_dead_record_with_its_letter_is_no_anomaly() -> None:
    world = World()
    dead_without_a_letter(world)
    origin = [("dlq_topic", STATES.encode()), ("dlq_partition", b"0"), ("dlq_offset", b"0")]
    letter = next(one for one in world.records if one.topic == STATES)
    headers = [*(letter.headers or []), *origin]
    world.records.append(msgspec.structs.replace(letter, topic=LETTERS, offset=0, headers=headers))
    assert found(world) == set()
