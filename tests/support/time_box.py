"""A time box for many long tests: none starts after its end, and each test that was not reached is reported as skipped.

Files run in an order that a text decides: CI gives its commit, so that each run reaches other tests first.
"""

import hashlib
import time

import pytest

NOT_REACHED = "not reached: the time box of this run had ended"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the time box."""
    group = parser.getgroup("time box")
    group.addoption("--until", type=float, help="start no test after this time, in seconds since 1970")
    group.addoption("--file-order", default="", help="a text that decides the order of files; without, that of names")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Bring the files into the order that the text decides; tests of a file keep theirs."""
    if text := config.getoption("--file-order"):
        items.sort(key=lambda item: place(item.nodeid, text))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test that would start after the end of the time box."""
    until = item.config.getoption("--until")
    if until is not None and time.time() > until:
        pytest.skip(NOT_REACHED)


def place(nodeid: str, text: str) -> str:
    """Return what a test's file is sorted by: equal for all tests of a file."""
    return hashlib.sha256(f"{text} {nodeid.split('::', maxsplit=1)[0]}".encode()).hexdigest()
