"""BAD-INPUT, row Kafka: READ or group permission that an operator's command lacks.

It ends and names principal, operation, resource and the command that grants it.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import pytest

from services.chassis.database.database import Database
from services.contracts.catalog import TOPICS, USER_EVENTS
from services.user.bootstrap import REVISIONS
from services.user.rebuild_check import GROUP
from tests.support import secure_broker
from tests.support.broker import ensure, write
from tests.support.certificates import USER, Files
from tests.support.console_process import console
from tests.support.schemas import upgrade
from tests.support.secure_broker import SecureBroker

pytestmark = pytest.mark.long
CHECK = ("rebuild", "users", "--check")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureBroker]:
    """A broker of this file alone, whose log of users has one record that is no fact."""
    with secure_broker.running(tmp_path_factory.mktemp("broker")) as broker:
        ensure(broker.address("plaintext"), TOPICS)
        write(broker.address("plaintext"), USER_EVENTS.name, b"no JSON")
        yield broker


class Row(NamedTuple):
    """A command, the resource on which only one right is left to it, and how it ends."""

    command: tuple[str, ...]
    kind: str
    name: str
    left: str
    missing: str
    code: int = 4
    settings: Mapping[str, str] = MappingProxyType({})
    pattern: str = "LITERAL"


ROWS = {
    "events follows for ever, yet ends where it may not read": Row(
        ("events",), "TOPIC", USER_EVENTS.name, "DESCRIBE", "READ"
    ),
    "lag does not wait for the time-out of a request": Row(
        ("lag",), "GROUP", "audit", "DESCRIBE_CONFIGS", "DESCRIBE", settings={"APP_KAFKA_REQUEST_TIMEOUT": "5m"}
    ),
    "rebuild --check, topic": Row(CHECK, "TOPIC", USER_EVENTS.name, "DESCRIBE", "READ", code=2),
    "rebuild --check, groups": Row(CHECK, "GROUP", f"{GROUP}-", "DESCRIBE", "READ", code=2, pattern="PREFIXED"),
}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_row_rights_of_a_command(row: Row, broker: SecureBroker, files: Files, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/user.db"
    upgrade(Database(url), REVISIONS)
    more = (f"--database-url={url}",) if row.command == CHECK else ()
    with broker.only(row.left, row.kind, row.name, row.pattern):
        code, output = console(broker.settings("right", files) | dict(row.settings), *row.command, *more)
    assert code == row.code, output
    assert f"user {USER} needs the right {row.missing} on {row.kind.lower()} {row.name}" in output
    assert ": `console rights` grants it, or `kafka-acls " in output
