"""Fixtures of the user API's tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.chassis.database.database import Database
from services.chassis.outbox import group_commit
from tests.support.user_client import Service


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A user service on SQLite that retries at once."""
    monkeypatch.setattr(group_commit, "IDLE_S", 0.01)
    monkeypatch.setattr(group_commit, "BACKOFF_S", (0.0, 0.0))
    database = Database(f"sqlite:///{tmp_path}/user.db")
    yield Service(database)
    database.close()
