"""The newcomer keeps what notification keeps, from the same records; on both databases."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.notification.store.tables import replica
from services.workbench.soak.newcomer import Handler, Summary, known, summary
from tests.support.builders import ids
from tests.support.notification_builders import a_handler, a_state, a_state_record, prepare

FIRST = a_state_record(a_state(1, email="ada@old.example.org"))
SECOND = a_state_record(a_state(2, email="ada@new.example.org"))
THIRD = a_state_record(a_state(3, wants_mail=False))
ERASED = msgspec.structs.replace(a_state_record(a_state(4)), value=None)


def of_newcomer(database: Database, batches: Sequence[Sequence[Record]]) -> Summary:
    known.create(database.engine)
    for batch in batches:
        with database.write() as connection:
            assert not Handler()(connection, batch).refused
    return summary(database, known)


def of_notification(folder: Path, batch: Sequence[Record]) -> Summary:
    database = prepare(Database(f"sqlite:///{folder}/notification.db"))
    with database.write() as connection:
        assert not a_handler(ids("notification"))(connection, batch).refused
    found = summary(database, replica)
    database.close()
    return found


@pytest.mark.parametrize(
    "batches",
    [
        pytest.param([[FIRST, SECOND, THIRD]], id="at once"),
        pytest.param([[FIRST], [SECOND], [THIRD]], id="one by one"),
        pytest.param([[FIRST, THIRD], [SECOND, FIRST]], id="the newest first"),
        pytest.param([[THIRD]], id="after compaction"),
    ],
)
def test_both_replicas_are_the_same_however_the_records_come(
    batches: list[list[Record]], database: Database, tmp_path: Path
) -> None:
    found = of_newcomer(database, batches)
    assert found == of_notification(tmp_path, [FIRST, SECOND, THIRD])
    assert (found.users, found.highest_version) == (1, 3)


def test_a_state_that_differs_gives_another_checksum(database: Database, tmp_path: Path) -> None:
    found = of_newcomer(database, [[FIRST]])
    other = of_notification(tmp_path, [a_state_record(a_state(1, email="ada@other.example.org"))])
    assert found.sha256 != other.sha256
    assert msgspec.structs.replace(found, sha256="") == msgspec.structs.replace(other, sha256="")


def test_who_is_erased_is_in_neither_replica(database: Database, tmp_path: Path) -> None:
    found = of_newcomer(database, [[FIRST, ERASED], [SECOND]])
    assert found == of_notification(tmp_path, [FIRST, ERASED, SECOND])
    assert found.users == 0
