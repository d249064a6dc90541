"""Folders of tests import only their own modules and those of `tests.support`; programs import no tests."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
IMPORT = re.compile(r"^\s*(?:from|import) (tests(?:\.\w+)*)", re.MULTILINE)
FILES = [path for path in sorted(TESTS.rglob("*.py")) if IMPORT.search(path.read_text())]


def allowed(path: Path) -> tuple[str, ...]:
    """Return the packages that a file may import from: its own folder, and `tests.support`."""
    own = ".".join(("tests", *path.parent.relative_to(TESTS).parts))
    return ("tests.support",) if own == "tests" else (own, "tests.support")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(TESTS)))
def test_a_folder_imports_from_itself_and_support_only(path: Path) -> None:
    foreign = [name for name in IMPORT.findall(path.read_text()) if not f"{name}.".startswith(dotted(path))]
    assert foreign == []


def dotted(path: Path) -> tuple[str, ...]:
    return tuple(f"{package}." for package in allowed(path))


@pytest.mark.parametrize("folder", ["services", "k8s"])
def test_a_program_imports_no_test(folder: str) -> None:
    paths = (TESTS.parent / folder).rglob("*.py")
    assert [path.name for path in paths if IMPORT.search(path.read_text())] == []
