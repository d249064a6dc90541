"""A thousand dead records whose retry meets two kills by SIGKILL: of the command, and of the service that applies."""

from collections import defaultdict
from pathlib import Path

import pytest
from sqlalchemy import select

from services.chassis.messages.record import Record
from services.contracts.catalog import TOPICS
from services.notification.store.tables import addresses, replica
from services.workbench.local.postgres import Server
from services.workbench.polling import until
from tests.support.broker import running
from tests.support.console_process import Settings, console
from tests.support.killed import KILLED, through
from tests.support.notification_builders import a_notice_record, a_state, a_state_record
from tests.support.notification_process import SHORT_SESSIONS, NotificationProcess, await_kill

pytestmark = pytest.mark.long

USERS, VERSIONS = 250, 4
PEOPLE = [f"01936d5e-0000-7000-8000-{number:012}" for number in range(USERS)]
NEWER = PEOPLE[::2]
RETRY = ("held", "retry", "--cause", "invalid", "--yes", "--no-wait")
IN_THE_THIRD_CHUNK = through("after", 3, "services.console.held.operator_actions:record")  # of 200 records
IN_THE_SEVENTH_ROUND = through("after", 650, "services.chassis.consumer.held.held_records:HeldRecords.applied")
APPLIED = "held WHERE state = 'applied'"


def test_a_retry_of_which_command_and_service_are_killed_halfway_applies_each_record_once_and_in_order(
    tmp_path: Path, postgres_server: Server
) -> None:
    url = postgres_server.fresh_url()
    where: Settings = {"APP_DATABASE_URL": url}
    with running(tmp_path / "broker", TOPICS, SHORT_SESSIONS) as (address, _):
        service = NotificationProcess(address, url, tmp_path)
        service.write(*(a_version(version, one) for version in range(1, VERSIONS + 1) for one in PEOPLE))
        service.write(*(a_notice_record(user_id=one) for one in PEOPLE))
        with service.running("tests.support.wrong_decoder"):
            until("all states are dead", lambda: service.count("held WHERE state = 'dead'") == USERS * VERSIONS)
        with service.running(*IN_THE_SEVENTH_ROUND) as first:
            service.write(*(a_version(VERSIONS + 1, one) for one in NEWER))
            until("newer states are applied", lambda: service.count("replica") == len(NEWER))
            assert console(where, *RETRY, through=IN_THE_THIRD_CHUNK) == (KILLED, "")
            until("what is requested is applied", lambda: service.count("held WHERE again") == 0)
            assert service.count(APPLIED) == 400
            code, output = console(where, *RETRY)
            assert code == 0, output
            await_kill(first)
        assert service.count(APPLIED) == 600
        with service.running():
            until("all is applied", lambda: service.count(APPLIED) == USERS * VERSIONS)
        check(service)
        service.database.close()


def a_version(version: int, user_id: str) -> Record:
    """Return the record of a state with an address of its own: each that is applied leaves a row."""
    return a_state_record(a_state(version, user_id=user_id, email=f"{version}@example.org"))


def check(service: NotificationProcess) -> None:
    """Check that each effect is there once, that keys were applied in order, and that newer states are kept."""
    applied: dict[str, list[int]] = defaultdict(list)
    with service.database.read() as connection:
        for row in connection.execute(select(addresses).order_by(addresses.c.version)):
            applied[row.user_id].append(row.version)
        found = {row.user_id: row.version for row in connection.execute(select(replica))}
    newest = VERSIONS + 1
    # Out of order, an older state is skipped and leaves no row; so is each behind a newer one.
    assert applied == {one: [newest] if one in NEWER else list(range(1, newest)) for one in PEOPLE}
    assert found == {one: newest if one in NEWER else VERSIONS for one in PEOPLE}, (
        "an older state overwrote a newer one"
    )
    assert service.count("intents") == service.count("(SELECT DISTINCT user_id FROM intents) AS users") == USERS
    assert (service.count("waiting"), service.count("operations")) == (0, 5)
