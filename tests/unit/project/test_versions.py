"""docs/versions.md: one version in all places, and each public part has its pages and its tests."""

import re
import tomllib
from pathlib import Path

import msgspec
import pytest

from services.chassis.telemetry.telemetry import VERSION
from services.console.failures import CODES, INTERRUPTED, WRONG
from tests.support.command_blocks import ROOT

PAGE = (ROOT / "docs/versions.md").read_text()
PUBLIC = PAGE[PAGE.index("## What is public") : PAGE.index("**Not public**")]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
CHARTS = sorted((ROOT / "charts").glob("*/Chart.yaml"))
ROWS = "services/workbench/new_service/rows/deployment.toml"
# Programs of others look at these: a meaning never changes, and a new one gets a new number.
MEANINGS = {
    "UsageError": 2,
    "SettingsError": 2,
    "AddressError": 3,
    "BrokerAnswerError": 4,
    "BrokerRefusedError": 4,
    "BrokerUnavailableError": 4,
    "UnknownIdError": 5,
    "ConnectionError": 7,
    "FileNotFoundError": 8,
    "PartitionReadError": 9,
    "TopicsError": 9,
    "UnfinishedError": 10,
}


def test_the_program_and_the_images_have_the_projects_version() -> None:
    [given] = re.findall(r"^ARG VERSION=(\S+)$", (ROOT / "services/Dockerfile").read_text(), re.MULTILINE)
    assert {VERSION, given} == {PROJECT}


@pytest.mark.parametrize("path", CHARTS, ids=lambda path: path.parent.name)
def test_a_chart_has_the_projects_version_and_asks_for_it(path: Path) -> None:
    chart = msgspec.yaml.decode(path.read_text())
    assert {chart["version"], *(one["version"] for one in chart.get("dependencies", ()))} == {PROJECT}


def test_a_made_service_has_the_projects_version() -> None:
    assert re.findall(r"version: (\d\S+),", (ROOT / ROWS).read_text()) == [PROJECT]


def test_each_public_part_names_pages_and_tests_that_are_here() -> None:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in PUBLIC.splitlines() if line[:1] == "|"]
    assert len(rows) > 10
    for _, listed, *_, held_by in rows[2:]:
        linked = re.findall(r"\]\(([^)#]+)\)", listed)
        named = re.findall(r"`((?:tests|services)/[\w/.]+)`", f"{listed} {held_by}")
        assert named, held_by
        assert [path for path in linked if not (ROOT / "docs" / path).exists()] == []
        assert [path for path in named if not (ROOT / path).exists()] == []


def test_an_exit_code_keeps_its_meaning() -> None:
    codes = {error.__name__: code for error, code in CODES.items()}
    assert {name: codes.get(name) for name in MEANINGS} == MEANINGS
    assert (WRONG, INTERRUPTED) == (1, 130)


def test_the_changelog_has_a_section_of_what_is_not_released() -> None:
    versions = re.findall(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == "Unreleased"
