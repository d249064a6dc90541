"""Anomalies planted one by one in a system that is well: each is found under its name, and nothing else is."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from services.contracts.catalog import NOTIFICATION_EVENTS
from services.workbench.reconcile.checks import CHECKS, checked
from services.workbench.reconcile.evidence import Evidence, Mail, Place, seen
from services.workbench.reconcile.history import Result
from tests.support.builders import USER_ID
from tests.unit.workbench.reconcile import test_later_effects
from tests.unit.workbench.reconcile.world import FACTS, STATES, World, found, operation

OTHER_ID = "01936d5e-0000-7000-8000-0000000000ff"


def lost(world: World) -> None:
    world.history.append(operation("rename", "command-3", 6.0, version=3))


def answered_with_the_version_of_another(world: World) -> None:
    world.history.append(operation("rename", "command-3", 6.0, version=2))


def lost_behind_one_without_an_answer(world: World) -> None:
    changing_nothing(world)
    world.history.append(operation("rename", "command-4", 8.0, version=3))


def of_a_refused_command(world: World) -> None:
    world.mails.append(Mail("<2@example.org>", "refused", ["ada@example.org"]))


def read_before_it_was_written(world: World) -> None:
    world.history.append(operation("read", "r3", 6.0, version=7))


def read_again_in_an_older_version(world: World) -> None:
    world.history.append(operation("read", "r3", 6.0, version=1))


def older_than_the_own_write(world: World) -> None:
    world.history[3] = operation("read", "r2", 4.0, version=1)


def skipped_version(world: World) -> None:
    world.change(4, "user.name_changed", sequence=3)
    world.users[USER_ID] = 4


def skipped_sequence(world: World) -> None:
    world.change(3, "user.name_changed", sequence=4)
    world.users[USER_ID] = 3


def published_late(world: World) -> None:
    world.change(4, "user.name_changed")
    world.change(3, "user.name_changed")
    world.add(STATES, id="event-4", version=4, sequence=4, type="user.name_changed", correlation_id="command-4")
    world.users[USER_ID] = 4


def two_events_of_one_version(world: World) -> None:
    world.add(FACTS, id="other", version=2, sequence=3, type="user.name_changed", correlation_id="command-9")


def one_event_of_two_contents(world: World) -> None:
    world.add(
        FACTS, value=b"[]", id="event-2", version=2, sequence=2, type="user.name_changed", correlation_id="command-2"
    )


def state_older_than_the_fact(world: World) -> None:
    world.add(STATES, id="event-1", version=1, sequence=1, type="user.registered", correlation_id="command-1")


def no_state(world: World) -> None:
    world.remove(STATES, "event-1")
    world.remove(STATES, "event-2")


def carried_out_twice(world: World) -> None:
    world.change(3, "user.name_changed", correlation_id="command-2")
    world.users[USER_ID] = 3


def two_decisions(world: World) -> None:
    cause: dict[str, Any] = {"causation_id": "event-1", "correlation_id": "command-1"}
    world.add(NOTIFICATION_EVENTS.name, id="again", type="notification.queued", sequence=3, **cause)


def two_outcomes(world: World) -> None:
    cause: dict[str, Any] = {"causation_id": "queued", "correlation_id": "command-1"}
    world.add(NOTIFICATION_EVENTS.name, id="again", type="notification.sent", sequence=3, **cause)


def two_mails(world: World) -> None:
    world.mails.append(Mail("<2@example.org>", "command-1", ["ada@example.org"]))


def undecided(world: World) -> None:
    world.remove(NOTIFICATION_EVENTS.name, "queued")
    world.remove(NOTIFICATION_EVENTS.name, "sent")


def not_audited(world: World) -> None:
    world.unaudited.add(Place(STATES, 0, 0))


def seen_by_nobody(world: World) -> None:
    undecided(world)
    world.unaudited.add(Place(FACTS, 0, 0))


def audited_otherwise(world: World) -> None:
    world.recorded[Place(FACTS, 0, 1)] = b"other"


def audited_behind_the_end(world: World) -> None:
    world.recorded[Place(FACTS, 0, 2)] = b"none"


def audited_meanwhile(world: World) -> None:
    """Audit a record that came after the log had been read."""
    audited_behind_the_end(world)
    world.later = 1


def old_row(world: World) -> None:
    world.users[USER_ID] = 1


def row_of_nobody(world: World) -> None:
    world.users[OTHER_ID] = 1


def no_row(world: World) -> None:
    world.users.clear()


PLANTED: list[tuple[str, Callable[[World], None]]] = [
    ("lost write", lost),
    ("lost write", answered_with_the_version_of_another),
    ("lost write", lost_behind_one_without_an_answer),
    ("aborted read", of_a_refused_command),
    ("aborted read", read_before_it_was_written),
    ("nonmonotonic read", read_again_in_an_older_version),
    ("nonmonotonic read", older_than_the_own_write),
    ("internal send skip", skipped_version),
    ("internal send skip", skipped_sequence),
    ("nonmonotonic send", published_late),
    ("conflict", two_events_of_one_version),
    ("conflict", one_event_of_two_contents),
    ("stale state", state_older_than_the_fact),
    ("stale state", no_state),
    ("duplicate", carried_out_twice),
    ("duplicate", two_decisions),
    ("duplicate", two_outcomes),
    ("duplicate", two_mails),
    ("poll skip", undecided),
    ("poll skip", not_audited),
    ("unseen", seen_by_nobody),
    ("inconsistent offsets", audited_otherwise),
    ("inconsistent offsets", audited_behind_the_end),
    ("wrong projection", old_row),
    ("wrong projection", row_of_nobody),
    ("wrong projection", no_row),
]


def repeated_on_the_log(world: World) -> None:
    """Publish everything again, as a relay that takes over may."""
    for record in list(world.records):
        offset = sum(one.topic == record.topic for one in world.records)
        world.records.append(msgspec.structs.replace(record, offset=offset))


def repeated_mail(world: World) -> None:
    """Send a mail again after a crash, with its Message-ID."""
    world.mails.append(world.mails[0])


def overlapping_reads(world: World) -> None:
    """Read the older version while the newer one is being written."""
    world.history[3] = operation("read", "r2", 3.2, version=1)


def answered_again_later(world: World) -> None:
    """Repeat the first command when a newer version is known: the answer is that of its first attempt."""
    world.history[0] = operation("register", "command-1", 1.0, result=Result.UNKNOWN, user_id="", version=0)
    world.history.append(operation("register", "command-1", 6.0, version=1))


def refused_at_last(world: World) -> None:
    """Refuse a command that had been carried out before, without an answer."""
    world.history.append(operation("rename", "command-2", 2.9, result=Result.UNKNOWN, user_id="", version=0))
    world.history.append(operation("rename", "command-2", 5.0, result=Result.FAIL, user_id="", version=0))


def erased(world: World) -> None:
    """Erase the user: a tombstone, and no row."""
    world.add(STATES, value=None, id="event-2", version=2, sequence=2, type="user.name_changed")
    world.users.clear()


def changing_nothing(world: World) -> None:
    """Answer a command that changes nothing, which is not known as one of its kind was never answered."""
    world.history.append(operation("rename", "never", 6.0, result=Result.UNKNOWN, version=0))
    world.history.append(operation("rename", "command-3", 7.0, version=2))


ALLOWED = [
    repeated_on_the_log,
    repeated_mail,
    overlapping_reads,
    answered_again_later,
    refused_at_last,
    erased,
    audited_meanwhile,
    changing_nothing,
]


def test_a_system_that_is_well_has_no_anomaly() -> None:
    assert found(World()) == set()


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=[plant.__name__ for _, plant in PLANTED])
def test_a_planted_anomaly_is_found_under_its_name(name: str, plant: Callable[[World], None]) -> None:
    world = World()
    plant(world)
    assert found(world) == {name}


@pytest.mark.parametrize("plant", ALLOWED)
def test_what_is_allowed_is_no_anomaly(plant: Callable[[World], None]) -> None:
    world = World()
    plant(world)
    assert found(world) == set()


def test_every_check_has_a_planted_anomaly() -> None:
    assert {check.name for check in CHECKS} == {name for name, _ in [*PLANTED, *test_later_effects.PLANTED]}


def test_a_check_without_its_evidence_is_reported_as_not_made() -> None:
    made = {one.check.name for one in checked(Evidence(seen=seen(World().records))) if one.findings is not None}
    assert {check.name for check in CHECKS} - made == {
        "lost write",
        "aborted read",
        "nonmonotonic read",
        "unseen",
        "inconsistent offsets",
        "wrong projection",
        "lost letter",
    }
