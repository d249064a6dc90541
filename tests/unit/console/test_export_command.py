"""Options of an export that cannot be meant, and the lines of its report."""

import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from services.chassis.kafka.settings import KafkaSettings
from services.console.export import command, formats
from services.console.export.command import ExportOptions, export
from services.console.export.files import Files
from services.console.export.formats import Format
from services.console.export.position import Gap, Position
from services.console.export.run import Exported
from services.console.failures import UnknownIdError, UsageError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CLIENT = KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1")
TOPIC = "user.events.v1"
POSITION = Position(
    topic=TOPIC,
    topic_id="A" * 22,
    since="beginning",
    format="jsonl",
    personal=False,
    next={0: 7},
    files=2,
    records=1500,
    made_at=NOW,
)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"topic": "user.event.v1", "since": "beginning"}, "catalog; did you mean user.events.v1?"),
        ({"topic": "xyz", "since": "beginning"}, "no topic 'xyz' in the catalog; there are user.events.v1, "),
        ({"since": "beginning"}, "name a topic; there are user.events.v1, "),
        ({"topic": TOPIC}, "name one of --since TIME"),
        ({"topic": TOPIC, "since": "beginning", "start": Path("p")}, "name one of --since TIME"),
        ({"topic": TOPIC, "start": Path("p"), "out": Path("o")}, "--out is for --since"),
        ({"topic": TOPIC, "start": Path("nowhere.json")}, "there is no position file nowhere.json: start an export"),
        ({"topic": TOPIC, "since": "yesterday"}, "--since 'yesterday' is no time: write beginning, or a time with"),
        ({"topic": TOPIC, "since": "2026-11-22T12:00:00"}, "--since '2026-11-22T12:00:00' has no zone: write"),
        ({"topic": TOPIC, "since": "2026-11-22T12:00:01Z"}, "is in the future, now is 2026-11-22T12:00:00.000000Z"),
        ({"topic": TOPIC, "since": "1969-01-01T00:00:00Z"}, "is before 1970-01-01"),
    ],
)  # fmt: skip
def test_options_that_cannot_be_meant_are_refused_with_the_next_step(options: dict[str, Any], expected: str) -> None:
    with pytest.raises((UsageError, UnknownIdError)) as refused:
        export(CLIENT, ExportOptions(**options), lambda: NOW, pytest.fail)
    assert expected in str(refused.value)


def test_without_its_library_parquet_is_refused_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, formats.PARQUET, raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="`make parquet` installs"):
        formats.opener(Format.PARQUET)


def test_the_report_names_the_file_the_gaps_what_was_not_decoded_and_the_next_command() -> None:
    done = Exported(POSITION, 1000, 2.0, Counter(malformed=3), [Gap(4, 10, 19)])
    assert list(command._report(done, Files(Path("my files/x.position.json"), TOPIC))) == [  # noqa: SLF001
        "exported 1,000 records of user.events.v1 in 2.0 s, 500 a second, to my files/user.events.v1/000002.jsonl",
        "3 of them could not be decoded, malformed: --personal exports their bytes",
        "gap: 10 records, offsets 10 to 19 of user.events.v1[4], were deleted before this run could export them",
        "next time: console export user.events.v1 --from 'my files/x.position.json'",
    ]
