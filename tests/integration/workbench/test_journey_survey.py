"""The survey of all journeys of an audit log, on both databases: it finds and names each fault of a log."""

import pytest
from sqlalchemy import text

from services.audit.bootstrap import REVISIONS
from services.audit.journeys import search
from services.audit.journeys.journey import journey
from services.chassis.database.database import Database
from services.workbench.soak.journeys import Survey, survey
from services.workbench.soak.synthetic_log import Command, fill
from tests.support.schemas import upgrade

ENTRIES = 100  # ten commands of five records, and the long one of fifty


@pytest.fixture
def long(database: Database) -> Command:
    upgrade(database, REVISIONS)
    return fill(database, ENTRIES)


def surveyed(database: Database, spoil: str = "") -> Survey:
    with database.write() as connection:
        if spoil:
            connection.execute(text(spoil))
    with database.snapshot() as connection:
        return survey(connection)


def test_the_journeys_of_a_synthetic_log_are_the_log(database: Database, long: Command) -> None:
    assert surveyed(database) == Survey(records=ENTRIES, journeys=11, longest=50, problems=[])
    with database.read() as connection:
        found = journey(long.correlation_id, search.of_command(connection, long.correlation_id), personal=False)
    assert (len(found.events), len(found.mails), found.missing) == (47, 23, [])


@pytest.mark.parametrize(
    ("spoil", "problems"),
    [
        (
            "UPDATE entries SET correlation_id = NULL WHERE position = 4",
            ["queued, not yet sent", "notification.events.v1[1]@0 is in 0 journeys"],
        ),
        (
            "UPDATE entries SET correlation_id = 'command-1' WHERE position = 4",
            ["queued, not yet sent", "has no known cause", "is not in the audit log"],
        ),
        (
            "UPDATE entries SET correlation_id = 'command-1' WHERE position = 2",
            ["no record on user.notices.v1 yet", "command-1: user.notice", "is in journeys command-0, command-1"],
        ),
        (
            "DELETE FROM entries WHERE position = 3",
            ["has no known cause", "has not decided about a mail yet", "is not in the audit log"],
        ),
    ],
    ids=["no correlation id", "effect in another journey", "event in two journeys", "no cause"],
)
@pytest.mark.usefixtures("long")
def test_a_fault_of_a_log_is_found_and_named(database: Database, spoil: str, problems: list[str]) -> None:
    found = surveyed(database, spoil).problems
    for problem in problems:
        assert any(problem in line for line in found), found
