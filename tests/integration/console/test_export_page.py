"""The commands of docs/export.md, executed as a person does, on a topic to which records are added in between."""

import json
from pathlib import Path

import msgspec
import pytest

from services.contracts.envelope import to_headers
from tests.support.broker import write
from tests.support.builders import USER_ID, a_user_registered, an_envelope
from tests.support.command_blocks import ROOT, blocks_for, execute

pytestmark = pytest.mark.long

TOPIC = "user.events.v1"


def register(broker: str) -> None:
    fact = msgspec.json.encode(a_user_registered())
    write(broker, TOPIC, fact, key=USER_ID.encode(), headers=to_headers(an_envelope()))


def test_the_documented_commands_export_what_is_there_and_then_what_is_new(broker: str, tmp_path: Path) -> None:
    (tmp_path / ".eventline").symlink_to(ROOT / ".eventline")
    outputs = []
    for block in blocks_for(__file__):
        register(broker)
        settings = {"PYTHONPATH": str(ROOT), "APP_KAFKA_BOOTSTRAP_SERVERS": broker}
        code, output = execute(block.text, settings, tmp_path)
        assert code == 0, output
        outputs.append(output)
    first, then, parquet = outputs
    assert "next time: console export user.events.v1 --from exported/user.events.v1.position.json" in first
    assert then.startswith("exported 1 records")
    paths = sorted((tmp_path / "exported" / TOPIC).iterdir())
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    assert len({(line["partition"], line["offset"]) for line in lines}) == len(lines) >= 2
    assert (lines[-1]["key"], lines[-1]["data"]["personal"]) == (USER_ID, "(hidden)")
    assert "'type': 'user.registered'" in parquet
