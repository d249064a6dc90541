"""Every part of every service reports that it moves, and one that does not move ends liveness."""

import threading
from pathlib import Path

import msgspec
import pytest

from services.chassis.database.database import Database
from services.chassis.telemetry.health import STALLED_AFTER_S, Health
from services.workbench.polling import until
from tests.support.builders import a_telemetry
from tests.support.plans import PLANS
from tests.support.schemas import upgrade

REVISIONS = Path("services").absolute()


@pytest.mark.parametrize("service", PLANS)
def test_every_part_reports_that_it_moves_and_is_named_when_it_does_not(service: str, tmp_path: Path) -> None:
    now = [0.0]
    health = Health(lambda: now[0])
    if service != "lag-probe":
        database = Database(f"sqlite:///{tmp_path}/store.db")
        upgrade(database, REVISIONS / service / "migrations")
        database.close()
    plan = PLANS[service](tmp_path, msgspec.structs.replace(a_telemetry(), health=health))
    assert health.missing().get("http", "not listening yet") == "not listening yet"
    stop = threading.Event()
    threads = [threading.Thread(target=component.run, args=(stop,)) for component in plan.components]
    for thread in threads:
        thread.start()
    names = {component.name for component in plan.components}
    try:
        until("every part has moved", lambda: reported(health), lambda seen: seen == names)
        until("the server listens", health.missing, lambda missing: "http" not in missing)
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)
    plan.close()
    assert health.stalled() == []
    now[0] = STALLED_AFTER_S + 1
    assert set(health.stalled()) == names


def reported(health: Health) -> set[str]:
    return set(health._beats)  # noqa: SLF001  # what a later clock would show as stalled
