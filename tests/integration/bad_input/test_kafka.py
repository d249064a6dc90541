"""The Kafka rows of BAD-INPUT.

What can never be an event becomes a dead letter, the next record proceeds, and audit has all of it.
"""

import base64
import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer as Client
from sqlalchemy import text

from services.chassis.consumer.held import selection
from services.chassis.consumer.held.reasons import CeilingError, State
from services.chassis.consumer.held.record import Held
from services.chassis.consumer.held.selection import Filters
from services.chassis.database.database import Database
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Headers, Outgoing, Record
from services.chassis.process.runtime import Plan
from services.chassis.telemetry.telemetry import telemetry
from services.console.held.record import verdict
from services.contracts import catalog
from services.contracts.envelope import LARGEST_RECORD
from services.user import publisher
from services.workbench.bench import ours
from services.workbench.bench.workload import registered
from services.workbench.polling import until
from tests.support.broker import read, running, write_dated
from tests.support.builders import a_telemetry
from tests.support.raw_producer import produce

# Only the consumers of the services run here: the sockets of their APIs are bound and never served.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
SIZE = LARGEST_RECORD - 1024  # of a value: key and headers need room too
RAW_KEY, RAW_VALUE = b"raw", b'{"raw":1}'
STATE, NOTICE = 1, 2  # of the three records of a registration
Change = Callable[[Outgoing], Outgoing]


def but(**changed: Any) -> Change:
    """Return a change of a whole record."""
    return lambda record: msgspec.structs.replace(record, **changed)


def without(name: str) -> Change:
    """Return a change that omits a header."""
    return lambda record: but(headers=[pair for pair in record.headers if pair[0] != name])(record)


def header(name: str, value: bytes | None) -> Change:
    """Return a change of one header."""
    return lambda record: but(headers=[(n, value if n == name else v) for n, v in record.headers])(record)


def added(*extra: tuple[str, bytes | None]) -> Change:
    """Return a change that adds headers."""
    return lambda record: but(headers=[*record.headers, *extra])(record)


def many(record: Outgoing) -> Outgoing:
    """Add 10,000 headers."""
    headers: Headers = [(f"h{number}", b"") for number in range(10_000)]
    return but(headers=[*record.headers, *headers])(record)


def padded(record: Outgoing) -> Outgoing:
    """Make a record as large as a topic takes, by a field that readers ignore and no compression makes smaller."""
    padding = random.Random(1).randbytes(SIZE * 3 // 4 - 600)
    value = (record.value or b"")[:-1] + b',"padding":"' + base64.b64encode(padding) + b'"}'
    return but(value=value)(record)


def at_version(version: int) -> Change:
    """Return a change of a state's version."""
    number = str(version).encode()

    def change(record: Outgoing) -> Outgoing:
        value = (record.value or b"").replace(b'"version":1', b'"version":' + number)
        return header("ce_subjectversion", number)(but(value=value)(record))

    return change


BLANKS, LARGE_KEY = b" " * 3_000_000, b"large"
OLD_MS, OLD_ROW = 86_400_000, "timestamp 1970"

# Row, which record of a registration, what is wrong with it, the reason of the dead letter (None: it is applied).
ROWS: list[tuple[str, int, Change, str | None]] = [
    ("empty value", STATE, but(value=b""), "malformed"),
    # On the compacted topic the broker itself refuses it.
    ("null key", NOTICE, but(key=None), "key_mismatch"),
    ("not JSON", STATE, but(value=b"<xml/>"), "malformed"),
    ("invalid UTF-8", STATE, but(value=b'{"user_id":"\xff"}'), "malformed"),
    ("truncated", STATE, lambda record: but(value=(record.value or b"")[:-5])(record), "malformed"),
    ("nested too deep", NOTICE, but(value=b'{"unknown":' + b"[" * 100_000), "malformed"),
    ("wrong shape", NOTICE, but(value=b'{"user_id":1}'), "invalid"),
    ("missing ce_ header", STATE, without("ce_id"), "envelope"),
    ("null ce_ header", NOTICE, header("ce_type", None), "envelope"),
    ("repeated ce_ header", STATE, added(("ce_id", b"another")), "envelope"),
    ("10,000 headers", STATE, many, None),
    ("tombstone anywhere but on user.state.v1", NOTICE, but(value=None), "unexpected_tombstone"),
    ("key differs from the subject", STATE, but(key=b"somebody-else"), "key_mismatch"),
    ("unknown type", NOTICE, header("ce_type", b"user.sneezed"), None),
    (OLD_ROW, STATE, but(), None),
    ("newer version of a known type", STATE, header("ce_dataschema", b"urn:eventline:user.state:2"), None),
    ("version skipped", STATE, at_version(3), None),
    ("record at the maximum size", STATE, padded, None),
    ("record at the maximum size that is no event", STATE, but(value=random.Random(2).randbytes(SIZE)), "malformed"),
]


def bad_record(number: int) -> Outgoing:
    """Return the record of a row: each row has a user of its own."""
    _, which, change, _ = ROWS[number]
    return change(publisher.records(registered(number + 1))[which])


def conflicting() -> list[Outgoing]:
    """Return a good state, the same again, and two that contradict it: another id, other content."""
    good = publisher.records(registered(501))[STATE]
    other = but(value=(good.value or b"").replace(b"Person", b"Impostor"))(good)
    return [good, good, header("ce_id", b"01a20344-1111-7000-8000-00000000dead")(good), other]


def backwards() -> list[Outgoing]:
    """Return a first version, a second one to be written with an older timestamp, and the first again."""
    first = publisher.records(registered(502))[STATE]
    return [first, at_version(2)(first), first]


def produce_compressed(broker: str, topic: str, key: bytes, value: bytes) -> None:
    """Write a record whose batch the broker accepts only because it is compressed."""
    producer = Client({"bootstrap.servers": broker, "message.max.bytes": 100_000_000, "compression.type": "gzip"})
    producer.produce(topic, value, key)
    assert producer.flush(30) == 0


def user_of(name: str) -> str:
    """Return the id of a row's user."""
    return (bad_record([row[0] for row in ROWS].index(name)).key or b"").decode()


class World:
    """A broker with the bad records and a good one behind them, read by notification and audit."""

    def __init__(self, address: str, folder: Path) -> None:
        self.settings = KafkaSettings(kafka_bootstrap_servers=address)
        self.address = address
        self.folder = folder
        self.good = publisher.records(registered(999))
        rows = {row[0]: bad_record(number) for number, row in enumerate(ROWS)}
        earlier, old, later = backwards()
        written = [record for name, record in rows.items() if name != OLD_ROW] + [*conflicting(), later, *self.good]
        self.written = len(written) + 5
        produce(address, catalog.USER_NOTICES.name, RAW_KEY, RAW_VALUE, {b"ce_\xff": b"x"})
        produce_compressed(address, catalog.USER_STATE.name, LARGE_KEY, BLANKS)
        write_dated(address, 2 * OLD_MS, earlier)
        write_dated(address, OLD_MS, old, rows[OLD_ROW])
        producer = Producer(self.settings, "test")
        producer.publish(written)
        producer.close()

    def consume(self, service: str) -> None:
        """Run a service's consumer until the records are behind it."""
        measured = telemetry(service)
        plan: Plan = ours.PLANS[service](ours.environment(self.address, self.path(service)), measured)
        plan.prepare()
        parts = [part for part in plan.components if part.name in {"consumer", "relay", "letters"}]
        stop = threading.Event()
        threads = [threading.Thread(target=part.run, args=(stop,)) for part in parts]
        for thread in threads:
            thread.start()
        self.await_progress(service)
        if service != "audit":
            due = "SELECT count(*) FROM held WHERE due"
            until("every letter is published", lambda: self.value(service, due) == 0)
        stop.set()
        for thread in threads:
            thread.join()
        plan.close()

    def path(self, service: str) -> str:
        return f"sqlite:///{self.folder / service}.db"

    def value(self, service: str, query: str) -> Any:
        database = Database(self.path(service))
        with database.read() as connection:
            found = connection.scalar(text(query))
        database.close()
        return found

    def version(self, user_id: str) -> Any:
        """Return a user's version in notification's replica."""
        return self.value("notification", f"SELECT version FROM replica WHERE user_id = '{user_id}'")  # noqa: S608

    def await_progress(self, service: str) -> None:
        wanted = self.written if service == "audit" else self.written - 1  # notification reads no facts
        offsets = "SELECT coalesce(sum(next_offset), 0) FROM progress WHERE topic LIKE 'user.%'"
        until(
            f"{service} has applied {wanted} records", lambda: self.value(service, offsets), lambda seen: seen >= wanted
        )

    def held(self, service: str) -> list[Held]:
        """Return what a service holds as dead."""
        database = Database(self.path(service))
        with database.read() as connection:
            found = selection.whole(connection, Filters(states=(State.DEAD,)))
        database.close()
        return found

    def dead_letters(self) -> list[Record]:
        """Read the dead-letter topic to its end."""
        topic = catalog.DEAD_LETTERS["notification"].name
        source = GroupConsumer(self.settings, "test-letters", [topic], lambda _: {})
        found = read(source, len([row for row in ROWS if row[3]]) + 4)
        source.close()
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("bad-input")
    with running(folder / "broker", catalog.TOPICS) as (address, _):
        world = World(address, folder)
        world.consume("notification")
        yield world


@pytest.fixture(scope="module")
def letters(world: World) -> dict[tuple[bytes, bytes | None], list[str]]:
    """The reasons of the dead letters by original value and key."""
    found: dict[tuple[bytes, bytes | None], list[str]] = {}
    for record in world.dead_letters():
        reason = (dict(record.headers or [])["dlq_reason"] or b"").decode()
        found.setdefault((record.value or b"", record.key), []).append(reason)
    return found


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row[0] for row in ROWS])
def test_a_bad_record_becomes_a_dead_letter_whole_or_is_passed_over(
    number: int, letters: dict[tuple[bytes, bytes | None], list[str]]
) -> None:
    sent = bad_record(number)
    expected = ROWS[number][3]
    assert letters.get((sent.value or b"", sent.key), []) == ([expected] if expected else [])


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[row[0] for row in ROWS])
def test_a_bad_record_is_held_with_the_reason_that_the_present_code_gives(world: World, number: int) -> None:
    sent, expected = bad_record(number), ROWS[number][3]
    held = [one for one in world.held("notification") if (one.record.key, one.record.value) == (sent.key, sent.value)]
    assert [one.reason for one in held] == ([expected] if expected else [])
    for one in held:
        assert one.published_at is not None
        assert expected in {verdict(one.record).partition(":")[0], "envelope", "invalid"}


def test_row_same_version_with_other_id_or_content_is_a_conflict(
    letters: dict[tuple[bytes, bytes | None], list[str]],
) -> None:
    good, _, other_id, other_content = conflicting()
    assert letters[other_content.value or b"", other_content.key] == ["conflict"]
    assert letters[other_id.value or b"", good.key] == ["conflict"]


def test_row_a_record_whose_dead_letter_would_not_fit(
    world: World, letters: dict[tuple[bytes, bytes | None], list[str]]
) -> None:
    """3,000,000 blanks, gzip, on `user.state.v1`: the letter has digest, size, place and a part of the value."""
    assert letters[BLANKS[:65536], LARGE_KEY] == ["envelope"]
    (letter,) = [letter for letter in world.dead_letters() if letter.key == LARGE_KEY]
    assert letter.header("dlq_value_size") == "3000000"
    assert letter.header("dlq_value_sha256") == hashlib.sha256(BLANKS).hexdigest()
    assert letter.header("dlq_topic") == catalog.USER_STATE.name


def test_row_header_name_that_is_not_utf_8(letters: dict[tuple[bytes, bytes | None], list[str]]) -> None:
    assert letters[RAW_VALUE, RAW_KEY] == ["unreadable_headers"]


@pytest.mark.parametrize(("row", "version"), [("version skipped", 3), ("record at the maximum size", 1)])
def test_rows_that_are_normal_are_applied(world: World, row: str, version: int) -> None:
    assert world.version(user_of(row)) == version


def test_row_timestamp_moving_backwards(world: World) -> None:
    assert world.version((backwards()[0].key or b"").decode()) == 2


def test_row_newer_version_of_a_known_type_is_parked(world: World) -> None:
    user_id = user_of("newer version of a known type")
    assert world.version(user_id) is None
    assert world.value("notification", f"SELECT count(*) FROM held WHERE state = 'parked' AND key = '{user_id}'") == 1  # noqa: S608


def test_row_every_record_bad(world: World) -> None:
    ceiling = {"APP_CONSUMER_DEAD_LETTER_CEILING": "3"}
    plan = ours.PLANS["notification"](ours.environment(world.address, world.path("flooded")) | ceiling, a_telemetry())
    plan.prepare()
    consumer = next(part for part in plan.components if part.name == "consumer")
    with pytest.raises(CeilingError, match=r"ceiling 3; the last one: user\."):
        consumer.run(threading.Event())
    plan.close()


def test_the_next_record_proceeds(world: World) -> None:
    user_id = (world.good[STATE].key or b"").decode()
    assert world.version(user_id) == 1


def test_a_dead_letter_tells_where_it_comes_from(world: World) -> None:
    letter = next(record for record in world.dead_letters() if record.key == RAW_KEY)
    names = [name for name, _ in letter.headers or [] if name.startswith("dlq_")]
    assert names == [
        "dlq_topic",
        "dlq_topic_id",
        "dlq_partition",
        "dlq_offset",
        "dlq_timestamp",
        "dlq_group",
        "dlq_reason",
        "dlq_detail",
    ]


def test_a_dead_letter_of_an_old_record_is_kept_as_long_as_any_other(world: World) -> None:
    # Retention counts from the letter's own timestamp; the record behind it is of 1970.
    letter = next(record for record in world.dead_letters() if record.key == RAW_KEY)
    assert time.time() - letter.timestamp_ms / 1000 < 600
    assert letter.header("dlq_timestamp") == "1000"


def test_audit_records_all_of_it_all_the_same(world: World) -> None:
    world.consume("audit")
    assert world.value("audit", "SELECT count(*) FROM entries WHERE topic LIKE 'user.%'") == world.written
