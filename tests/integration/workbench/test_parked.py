"""`console parked` on a service's own database: what is parked is listed, another try is asked for."""

from pathlib import Path

import pytest

from services.chassis.consumer import parking
from services.chassis.database.database import Database
from tests.support.builders import NOW, a_record, a_user_registered, an_envelope
from tests.support.console_process import console


@pytest.fixture
def url(tmp_path: Path) -> str:
    return create(f"sqlite:///{tmp_path}/service.db")


def create(url: str) -> str:
    database = Database(url)
    with database.write() as connection:
        parking.parked.create(connection)
    database.close()
    return url


def park(url: str) -> str:
    record = a_record(an_envelope(), a_user_registered())
    database = Database(url)
    with database.write() as connection:
        parking.put(connection, [record], "ZeroDivisionError: division by zero", NOW)
    database.close()
    return parking.key_of(record)


def test_what_is_parked_is_listed_with_its_reason(url: str) -> None:
    key = park(url)
    code, output = console({"APP_DATABASE_URL": url}, "parked", "list")
    assert code == 0, output
    assert key[:8] in output
    assert "ZeroDivisionErr" in output


def test_another_try_is_asked_for_by_key_and_an_unknown_key_is_reported_to_be_unknown(url: str) -> None:
    key = park(url)
    code, output = console({"APP_DATABASE_URL": url}, "parked", "retry", key)
    assert (code, "another try of 1 records" in output) == (0, True), output
    code, output = console({"APP_DATABASE_URL": url}, "parked", "retry", "nobody")
    assert (code, "nothing is parked for the key nobody" in output) == (5, True), output


def test_without_a_database_those_of_make_run_are_meant(tmp_path: Path) -> None:
    where = {"APP_STATE_DIR": str(tmp_path)}
    code, output = console(where, "parked", "list")
    assert (code, "start one, or name a service's database with APP_DATABASE_URL" in output) == (2, True), output
    (tmp_path / "run").mkdir()
    key = park(create(f"sqlite:///{tmp_path / 'run' / 'notification.db'}"))
    code, output = console(where, "parked", "list")
    assert (code, key[:8] in output) == (0, True), output
