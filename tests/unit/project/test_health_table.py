"""Compares the table of docs/health.md with the parts of the services, the conditions of the code and the tests."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import Mock

import pytest

from services.chassis.net import sockets
from services.contracts.service_list import PARKING, SERVICES, WITH_API
from tests.support.builders import a_telemetry
from tests.support.plans import PLANS

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/health.md").read_text()
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in PAGE.splitlines() if line.startswith("| ")][
    1:
]
WITH_TOKENS = {"key-refresh"}  # a part with APP_AUTH=jwt only
BEFORE_LOOPS = {"process", "schema migration", "restore of an empty store", "creation of the log", "probes"}
WITHOUT_LOOP = WITH_TOKENS | BEFORE_LOOPS
NUMBERED = re.compile(r"-\d+(, .*)?\Z")


def documented(service: str) -> set[str]:
    names = {service, "every service"} if service in WITH_API else {service}
    names |= {"every service on Kafka"} if service in SERVICES else set()
    names |= {"every service with dead letters"} if service in PARKING else set()
    return {NUMBERED.sub("", part) for part, processes, *_ in ROWS if names & {*processes.split(", ")}} - WITHOUT_LOOP


@pytest.mark.parametrize("service", PLANS)
def test_the_table_has_every_part_of_a_service_and_no_other(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockets, "bind", Mock())
    plan = PLANS[service](tmp_path, a_telemetry())
    plan.close()
    assert documented(service) == {NUMBERED.sub("", component.name) for component in plan.components}


def test_the_table_has_every_condition_of_readiness_and_no_other() -> None:
    listed = {condition for row in ROWS for condition in re.findall(r"`([a-z]+)`:", row[3])}
    assert listed == {condition for path in (ROOT / "services").rglob("*.py") for condition in conditions(path)}


def test_every_row_names_tests_that_exist() -> None:
    texts = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    defined = {name for text in texts for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)}
    assert [row[0] for row in ROWS if not re.findall(r"`(test_\w+)`", row[4])] == []
    assert set(re.findall(r"`(test_\w+)`", PAGE)) - defined == set()


def conditions(path: Path) -> Iterator[str]:
    """Yield what the code of a file reports as missing: the first argument of each call of `Health.lacks`."""
    tree = ast.parse(path.read_text())
    names = {
        assigned.targets[0].id: assigned.value
        for assigned in ast.walk(tree)
        if isinstance(assigned, ast.Assign) and isinstance(assigned.targets[0], ast.Name)
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "lacks":
            yield value(call.args[0], names)


def value(argument: ast.expr, names: dict[str, ast.expr]) -> str:
    """Return the text of a constant, of a module's constant or of `self.name`."""
    match argument:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return value(names[name], names)
    raise AssertionError(f"a condition that only the running code knows: {ast.unparse(argument)}")
