"""Compares docs/architecture.md with the packages and the import rules."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs/architecture.md").read_text()
PACKAGES = sorted(path.parent for path in (ROOT / "services").glob("*/**/__init__.py"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_has_the_first_line_of_its_package(package: Path) -> None:
    documented = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    row = f"| `{package.relative_to(ROOT / 'services')}` | {documented.splitlines()[0]} |"
    assert row in PAGE.splitlines(), f"docs/architecture.md lacks the line\n{row}"


def test_every_documented_room_is_a_package() -> None:
    rooms = re.findall(r"^\| `([a-z0-9_/]+)` \|", PAGE, re.MULTILINE)
    assert sorted(rooms) == sorted(str(path.relative_to(ROOT / "services")) for path in PACKAGES)


def test_the_order_of_rooms_is_that_of_the_import_rules() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    services, chassis = (contract["layers"] for contract in contracts[:2])
    order = PAGE[PAGE.index("```text") : PAGE.index("contracts    ")]
    lines = [re.split(r"\s{2,}", line.strip())[0] for line in order.splitlines()[1:]]
    assert lines == [*services[:-1], *chassis]
