"""The list of services: it agrees with the folders and the import rules, and a wrong row is refused."""

import tomllib
from pathlib import Path

import msgspec
import pytest

from services.contracts.catalog import TOPICS
from services.contracts.service_list import (
    COMPOSE,
    EVERY_TOPIC,
    KIND,
    LAG_EXPORTER_SLOT,
    LOCAL,
    ROWS,
    SERVICES,
    STANDALONE,
    WITH_API,
    ports,
    read,
    readers,
)

ROOT = Path(__file__).parents[3]


def test_every_service_has_a_folder_and_every_folder_with_a_bootstrap_is_in_the_list() -> None:
    assert sorted(WITH_API) == sorted(path.parent.name for path in (ROOT / "services").glob("*/bootstrap.py"))


def test_the_import_rules_name_every_service() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert set(contracts[0]["layers"][1].split(" | ")) == {*WITH_API, "console"}
    assert [f"services.{row.name}" for row in ROWS] == contracts[2]["containers"]


def test_a_slot_belongs_to_one_service_and_fits_the_ranges_of_ports() -> None:
    slots = [row.slot for row in ROWS]
    assert len({*slots, LAG_EXPORTER_SLOT}) == len(slots) + 1
    assert all(0 <= slot <= 9 for slot in slots)


def test_a_service_without_topics_is_told_apart_from_those_on_kafka() -> None:
    assert STANDALONE == ("witness",)
    assert "witness" not in readers("user.events.v1")
    assert not {*SERVICES} & {*STANDALONE}


def test_ports_are_as_they_are_documented() -> None:
    assert [ports(target)["audit"] for target in (LOCAL, COMPOSE, KIND)] == [
        (18082, 19466),
        (38082, 39466),
        (28082, 28466),
    ]


def test_services_read_topics_of_the_catalog() -> None:
    named = {topic for row in ROWS for topic in row.reads} - {EVERY_TOPIC}
    assert named <= {topic.name for topic in TOPICS}
    assert readers("user.state.v1")[:2] == ("notification", "audit")


@pytest.mark.parametrize(
    "row", ["[a]\nreads = []", "[a]\nslot = 1\nreads = []\nread = []", '[a]\nslot = "1"\nreads = []']
)
def test_a_wrong_row_is_refused(row: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        read(row)
