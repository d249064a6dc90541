"""The corpus of golden records, one or more of every version ever published, through every path that decodes records.

No version but today's may be there yet of a type. So each type is given one more version for the test, and the record
of the earlier one must have the effect of today's: a path that does not upcast is found before it matters.
"""

import ast
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store
from services.contracts import notification, user
from services.contracts.catalog import TOPICS, TYPES
from services.contracts.envelope import from_headers, schema_of
from services.notification import publisher
from services.workbench.documents.compatibility import ROOT
from services.workbench.documents.examples import EXAMPLES
from services.workbench.documents.goldens import FOLDER, Golden, files, golden, kind_of, read
from tests.support.builders import a_record
from tests.support.decoding_paths import PATHS, DecodingPath
from tests.support.versions import a_next_version, wrapped

TOPIC_OF = {kind: topic.name for topic in TOPICS for kind in topic.types}
BY_TYPE = [(name, kind) for name, path in PATHS.items() for kind in path.types]
BY_FILE = [(name, path) for name, kind in BY_TYPE for path in files(kind)]
FACTS = {struct.__name__ for struct in (*user.Fact.__args__, *notification.Fact.__args__)}
MODULES = sorted((ROOT / "services").rglob("*.py"))
IMPORTS = re.compile(
    r"(?m)^from services\.(chassis\.consumer\.decoding import .*Decoder|contracts\.shapes import .*readers)\b"
)
OWN = {
    "audit",
    "chassis",
    "console",
    "notification",
    "user",
    "workbench",
}  # a service of `make new-service` has a Decoder
NONE = "no path of the product"
DECODING = {
    "services/audit/journeys/facts.py": "audit: journey",
    "services/chassis/consumer/decoding.py": "notification: parked, then retried",
    "services/console/export/rows.py": "console: export",
    "services/console/held/record.py": "console: held show",
    "services/notification/bootstrap.py": "notification: live",
    "services/notification/handlers.py": "notification: live",
    "services/notification/projection.py": "notification: rebuild with swap",
    "services/notification/store/restore.py": "notification: restore",
    "services/user/as_of/command.py": "user: as-of",
    "services/user/as_of/merge.py": "user: as-of",
    "services/user/as_of/projection.py": "user: rebuild with swap",
    "services/user/flags/bounce_handler.py": "user: bounces",
    "services/user/rebuild.py": "user: rebuild",
    "services/user/restore/command.py": "user: restore",
    "services/user/restore/failures.py": "user: restore of the inbox",
    "services/workbench/bench/replays/as_of.py": NONE,
    "services/workbench/soak/newcomer.py": NONE,
    "services/workbench/tour/stops/event_notification.py": NONE,
    "services/workbench/tour/stops/event_sourcing.py": "tour: replay",
}
DECODES = {"decode", "Decoder", "convert"}
REPAIR = "decode by services/contracts/shapes.py, as chassis/consumer/decoding.py does: an earlier version is not read"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite database."""
    database = Database(f"sqlite:///{tmp_path}/corpus.db")
    yield database
    database.close()


def as_read(record: Golden) -> Record:
    envelope = from_headers(record.headers)
    return a_record(envelope, record.value, topic=TOPIC_OF[envelope.type], headers=record.headers)


def of_version(kind: str, version: int, value: bytes) -> Record:
    schema = schema_of(kind, version).encode()
    headers = [(name, schema if name == "ce_dataschema" else text) for name, text in golden(kind).headers]
    return as_read(Golden(headers, value))


@pytest.mark.parametrize(("name", "path"), BY_FILE, ids=[f"{name} {path.stem}" for name, path in BY_FILE])
def test_a_record_of_every_version_ever_published_passes_every_path(name: str, path: Path, database: Database) -> None:
    PATHS[name].effect(database, as_read(read(path)))


@pytest.mark.parametrize(("name", "kind"), BY_TYPE, ids=[f"{name} {kind}" for name, kind in BY_TYPE])
def test_an_earlier_version_has_the_effect_of_todays_on_every_path(name: str, kind: str, tmp_path: Path) -> None:
    earlier, todays = effects(PATHS[name], kind, tmp_path)
    assert earlier == todays, REPAIR


def effects(path: DecodingPath, kind: str, folder: Path) -> list[object]:
    """Return what a path makes of a record of an earlier version, and of the same data in today's."""
    value = msgspec.json.encode(EXAMPLES[kind][1])
    found = []
    with a_next_version(TYPES[kind]) as version:
        for number, content in ((version - 1, wrapped(value)), (version, value)):
            database = Database(f"sqlite:///{folder}/{number}.db")
            found.append(path.effect(database, of_version(kind, number, content)))
            database.close()
    return found


def test_every_golden_record_passes_a_path() -> None:
    assert {path for _, path in BY_FILE} == set(FOLDER.iterdir())
    assert {kind_of(path) for path in FOLDER.iterdir()} == {kind for _, kind in BY_TYPE}


@pytest.mark.parametrize("kind", sorted(TYPES))
def test_a_path_that_skips_upcasting_is_found(kind: str, tmp_path: Path) -> None:
    skips = DecodingPath((kind,), lambda _, record: msgspec.json.decode(record.value or b"", type=TYPES[kind]))
    with contextlib.suppress(msgspec.ValidationError):
        earlier, todays = effects(skips, kind, tmp_path)
        assert earlier != todays or not TYPES[kind].__struct_fields__, "without a field there is nothing to upcast"


def test_a_restored_event_is_published_again_in_its_own_version(database: Database) -> None:
    value = wrapped(golden("notification.queued").value)
    with a_next_version(notification.NotificationQueued) as version:
        record = of_version("notification.queued", version - 1, value)
        PATHS["notification: restore"].effect(database, record)
    with database.read() as connection:
        (stored,) = event_store.read(connection, 0, 2)
        (again,) = publisher.records(stored)
    assert (again.value, sorted(again.headers)) == (value, sorted(record.headers or []))


def test_every_module_that_decodes_records_belongs_to_a_path() -> None:
    own = (path for path in MODULES if path.relative_to(ROOT / "services").parts[0] in OWN)
    found = {str(path.relative_to(ROOT)) for path in own if IMPORTS.search(path.read_text())}
    assert found == set(DECODING), "give it a path in tests/support/decoding_paths.py, and name it in DECODING"
    assert set(DECODING.values()) == set(PATHS) | {NONE}


def test_no_module_decodes_facts_by_itself() -> None:
    found = [f"{path.relative_to(ROOT)}:{line}" for path in MODULES for line in decoding_lines(path.read_text())]
    assert found == [], REPAIR


@pytest.mark.parametrize(
    "code",
    [
        "msgspec.json.decode(value, type=EmailChanged)",
        "msgspec.json.Decoder(TYPES[kind])",
        "msgspec.json.decode(value, type=catalog.TYPES[kind])",
        "msgspec.convert(value, user.UserRegistered)",
    ],
)
def test_a_module_that_does_is_found(code: str) -> None:
    assert decoding_lines(f"\n{code}") == [2]


def decoding_lines(code: str) -> list[int]:
    """Return the lines of a module that decode a fact's struct, or one of the catalog, without its version."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if getattr(call.func, "attr", "") in DECODES and _names(call) & FACTS]


def _names(call: ast.Call) -> set[str]:
    nodes = [node for given in (*call.args, *(word.value for word in call.keywords)) for node in ast.walk(given)]
    names = {node.id if isinstance(node, ast.Name) else getattr(node, "attr", "") for node in nodes}
    return names | FACTS if "TYPES" in names else names
