"""Export of a topic on a real broker: the files of all runs together have each record once, also after a kill."""

import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin
from services.chassis.messages.record import Outgoing, TopicPartition
from services.console.export.formats import Format
from services.console.export.run import Wanted
from services.console.failures import UsageError
from services.contracts.envelope import to_headers
from services.workbench.polling import until
from tests.support.broker import a_topic, delete, ensure, settings, transaction, truncate, write_dated
from tests.support.builders import an_envelope
from tests.support.export_run import PARTITIONS, STEPS, files, from_beginning, run, the_topic

MINUTE_MS = 60_000
Place = tuple[int, int]
GO_ON = Wanted(None, None, personal=True)


@pytest.fixture
def topic(broker: str) -> str:
    return made(broker, a_topic().name)


def made(broker: str, name: str) -> str:
    ensure(broker, [the_topic(name)])
    admin, places = KafkaAdmin(settings(broker), "test"), [TopicPartition(name, number) for number in range(PARTITIONS)]
    until("leaders of all partitions", lambda: admin.ends(places), passing=BrokerUnavailableError)
    return name


def fill(broker: str, topic: str, first: int, number: int) -> None:
    """Write facts of so many users, and a record that is none, dated a minute apart by `first`."""
    facts = [
        Outgoing(topic, user.encode(), _value(user), to_headers(an_envelope(subject=user)))
        for user in users(*range(first, first + number))
    ]
    write_dated(broker, (first + 1) * MINUTE_MS, *facts, Outgoing(topic, b"broken", b"\xff", [("other", None)]))


def _value(login: str) -> bytes:
    return json.dumps({"personal": a_person_of(login), "preferences": {"email": True}}).encode()


def a_person_of(login: str) -> dict[str, str]:
    return {"login": login, "email": f"{login}@example.org", "full_name": "Ü", "locale": "en"}


def rows(topic: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of all data files."""
    for path in sorted((folder / topic).glob("[0-9]*")):
        if path.suffix == ".parquet":
            for found in pq.read_table(path).to_pylist():
                decoded = {name: found[name] and json.loads(found[name]) for name in ("data", "headers", "raw")}
                yield found | decoded
        else:
            yield from map(json.loads, path.read_text().splitlines())


def placed(topic: str, folder: Path) -> Counter[Place]:
    return Counter((found["partition"], found["offset"]) for found in rows(topic, folder))


def subjects(topic: str, folder: Path) -> list[str]:
    return sorted(found["key"] for found in rows(topic, folder))


def users(*numbers: int) -> list[str]:
    return sorted(map(str, numbers))


@pytest.mark.parametrize("kind", list(Format))
def test_the_runs_together_have_each_record_once(broker: str, topic: str, tmp_path: Path, kind: Format) -> None:
    fill(broker, topic, 0, 30)
    assert run(broker, topic, tmp_path, from_beginning(kind)).records == 31
    again = run(broker, topic, tmp_path, from_beginning(kind))
    assert (again.records, again.position.files) == (0, 1)
    fill(broker, topic, 30, 20)
    last = run(broker, topic, tmp_path, GO_ON)
    assert (last.records, last.position.records, last.undecoded) == (21, 52, {"envelope": 1})
    assert subjects(topic, tmp_path) == sorted([*users(*range(50)), "broken", "broken"])
    assert set(placed(topic, tmp_path).values()) == {1}
    assert sorted(path.name for path in (tmp_path / topic).iterdir()) == [f"000001.{kind}", f"000002.{kind}"]


def test_both_formats_have_the_same_rows_and_parquet_has_types(broker: str, topic: str, tmp_path: Path) -> None:
    fill(broker, topic, 0, 10)
    found = {}
    for kind in Format:
        run(broker, topic, tmp_path / kind, from_beginning(kind))
        found[kind] = sorted(rows(topic, tmp_path / kind), key=lambda row: (row["partition"], row["offset"]))
    assert [dated(row) for row in found[Format.PARQUET]] == found[Format.JSONL]
    assert {row["reason"] is None: row["raw"] is None for row in found[Format.JSONL]} == {True: True, False: False}
    schema = pq.read_schema(tmp_path / "parquet" / topic / "000001.parquet")
    types = {name: str(schema.field(name).type) for name in ("timestamp", "time", "offset", "partition", "data")}
    zoned = "timestamp[us, tz=UTC]"
    assert types == {"timestamp": zoned, "time": zoned, "offset": "int64", "partition": "int32", "data": "string"}


def dated(row: dict[str, Any]) -> dict[str, Any]:
    texts = {
        name: row[name] and row[name].isoformat(timespec="microseconds").replace("+00:00", "Z")
        for name in ("timestamp", "time")
    }
    return row | texts


def test_it_starts_with_the_first_record_at_or_after_the_time(broker: str, topic: str, tmp_path: Path) -> None:
    fill(broker, topic, 0, 5)
    fill(broker, topic, 5, 5)
    done = run(broker, topic, tmp_path, Wanted("1970-01-01T00:06:00Z", None, personal=False))
    assert (done.records, subjects(topic, tmp_path)) == (6, [*users(*range(5, 10)), "broken"])
    assert "example.org" not in (tmp_path / topic / "000001.jsonl").read_text()


@pytest.mark.long
@pytest.mark.parametrize("step", list(STEPS))
def test_killed_at_any_step_and_run_again_it_has_each_record_once(
    broker: str, topic: str, tmp_path: Path, step: str
) -> None:
    fill(broker, topic, 0, 20)
    killed = (sys.executable, "-m", "tests.support.export_run", broker, topic, str(tmp_path), "parquet", step)
    assert subprocess.run(killed, check=False, timeout=120).returncode == -signal.SIGKILL
    named = placed(topic, tmp_path)  # whatever has a name now is complete and stays as it is
    fill(broker, topic, 20, 10)
    run(broker, topic, tmp_path, from_beginning("parquet"))
    found = placed(topic, tmp_path)
    assert (len(found), set(found.values())) == (32, {1})
    assert named <= found
    assert not list((tmp_path / topic).glob("*.part"))


def test_a_deleted_and_created_topic_is_refused(broker: str, topic: str, tmp_path: Path) -> None:
    fill(broker, topic, 0, 3)
    run(broker, topic, tmp_path, from_beginning())
    delete(broker, topic)
    until("the topic is created again", lambda: ensure(broker, [the_topic(topic)]), passing=BrokerUnavailableError)
    fill(broker, topic, 0, 9)
    with pytest.raises(UsageError, match=r"deleted and created again.*start a new export in another folder"):
        run(broker, topic, tmp_path, GO_ON)
    assert len(placed(topic, tmp_path)) == 4


def test_deleted_records_are_reported_as_a_gap_once_and_stay_in_the_position(
    broker: str, topic: str, tmp_path: Path
) -> None:
    fill(broker, topic, 0, 30)
    before = run(broker, topic, tmp_path, from_beginning()).position.next[0]
    fill(broker, topic, 30, 60)
    truncate(broker, topic, before + 3)
    done = run(broker, topic, tmp_path, GO_ON)
    assert [(gap.partition, gap.first, gap.last, gap.records) for gap in done.gaps] == [(0, before, before + 2, 3)]
    again = run(broker, topic, tmp_path, GO_ON)
    assert (again.gaps, again.position.gaps, again.records) == ((), list(done.gaps), 0)
    assert len(placed(topic, tmp_path)) == 31 + 61 - 3


@pytest.mark.long
def test_offsets_without_records_are_no_gap(broker: str, topic: str, tmp_path: Path) -> None:
    for _ in range(2):
        with transaction(broker, topic, b"{}", b"{}"):  # its end takes an offset
            assert run(broker, topic, tmp_path, from_beginning()).records == 0
        # The broker ends the transaction after it has acknowledged the end; until then there is nothing to export.
        done = until("its end", lambda: run(broker, topic, tmp_path, from_beginning()), lambda done: done.records == 2)
        assert done.gaps == ()
    assert set(placed(topic, tmp_path).values()) == {1}


def test_a_run_ends_at_the_ends_that_it_found(broker: str, topic: str, tmp_path: Path) -> None:
    fill(broker, topic, 0, 10)
    first = run(broker, topic, tmp_path, from_beginning()).position
    assert sum(first.next.values()) == 11
    assert set(first.next) == set(range(PARTITIONS))


def test_one_run_at_a_time_writes_in_a_folder(broker: str, topic: str, tmp_path: Path) -> None:
    with files(topic, tmp_path).locked(), pytest.raises(UsageError, match="another export writes in"):
        run(broker, topic, tmp_path, from_beginning())


def test_an_old_copy_of_the_position_is_refused(broker: str, topic: str, tmp_path: Path) -> None:
    fill(broker, topic, 0, 3)
    run(broker, topic, tmp_path, from_beginning())
    position = files(topic, tmp_path).position
    copy = position.read_bytes()
    fill(broker, topic, 3, 3)
    run(broker, topic, tmp_path, GO_ON)
    position.write_bytes(copy)
    with pytest.raises(UsageError, match=r"000002.jsonl is there already"):
        run(broker, topic, tmp_path, GO_ON)


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (Wanted("1970-01-01T00:00:00.000000Z", None, personal=False), "since beginning: go on with --from"),
        (Wanted(None, Format.PARQUET, personal=False), "in jsonl: go on without --format"),
        (Wanted(None, None, personal=True), "without personal data: go on without --personal"),
    ],
)
def test_another_export_than_that_of_the_position_is_refused(
    broker: str, topic: str, tmp_path: Path, wanted: Wanted, reason: str
) -> None:
    run(broker, topic, tmp_path, from_beginning(personal=False))
    with pytest.raises(UsageError, match=f"is of an export {reason}, or start a new export"):
        run(broker, topic, tmp_path, wanted)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text[:40], "is no position file, or damaged"),
        (lambda text: text.replace(b'"0": 0', b'"0": -1'), "is no position file, or damaged"),
        (lambda _: b"[" * 100_000, "is no position file, or damaged"),
        (lambda text: text.replace(b'"topic": "test', b'"topic": "other'), "is the position of other"),
        (lambda text: text.replace(b'"0": 0', b'"7": 0'), r"has partitions \[1, 2, 7\]"),
        (lambda text: text.replace(b'"0": 0', b'"0": 9'), "ends at 0, before the position 9: the topic has lost"),
    ],
    ids=["cut", "negative", "nested", "of another topic", "other partitions", "behind the end"],
)
def test_a_position_that_cannot_be_right_is_refused(
    broker: str, topic: str, tmp_path: Path, damage: Callable[[bytes], bytes], reason: str
) -> None:
    run(broker, topic, tmp_path, from_beginning())
    position = files(topic, tmp_path).position
    position.write_bytes(damage(position.read_bytes()))
    with pytest.raises(UsageError, match=reason):
        run(broker, topic, tmp_path, GO_ON)


def test_a_folder_that_cannot_be_written_is_an_error_with_the_path(broker: str, topic: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(OSError, match="taken"):
        run(broker, topic, tmp_path / "taken", from_beginning())
