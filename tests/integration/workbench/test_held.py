"""`console held` on a service's own database: records are listed and shown, a retry requested, one discarded."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.chassis.consumer.held import selection, table
from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.record import Held
from services.chassis.consumer.held.selection import Filters
from services.chassis.database.database import Database
from tests.support.builders import NOW, a_record, a_user_registered, an_envelope
from tests.support.console_process import console

pytestmark = pytest.mark.long

ME = {"reason": "handler_failed", "detail": "ZeroDivisionError: division by zero"}


def a_held(offset: int, state: State = State.PARKED, key: str = "u1", **changed: object) -> Held:
    record = a_record(an_envelope(subject=key), a_user_registered(), offset=offset)
    usual: dict[str, object] = {"topic_id": "id", "since": NOW, **ME} | changed
    return Held(record=record, state=state, **usual)  # type: ignore[arg-type]  # by name


class Store:
    """A service's database with held records."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._database = Database(url)
        table.held.create(self._database.engine)

    def hold(self, *rows: Held) -> None:
        with self._database.write() as connection:
            table.insert(connection, rows)

    def all(self) -> dict[int, Held]:
        """Return every record by its offset."""
        with self._database.read() as connection:
            return {one.record.offset: one for one in selection.find(connection, Filters(tuple(State)))}

    def console(self, *arguments: str) -> tuple[int, str]:
        return console({"APP_DATABASE_URL": self.url, "COLUMNS": "200"}, "held", *arguments)

    def close(self) -> None:
        self._database.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path}/service.db")
    yield store
    store.close()


def test_what_is_held_is_counted_and_listed_with_its_reason_and_filters_narrow_it(store: Store) -> None:
    store.hold(a_held(1), a_held(2, State.DEAD, "u2", reason="malformed", detail="no JSON"))
    code, output = store.console("list")
    assert (code, "ZeroDivisionError" in output, "no JSON" in output) == (0, True, True), output
    for narrow in (
        ["--state", "dead"],
        ["--cause", "malformed"],
        ["--key", "u2"],
        ["--since", "2020-01-01T00:00:00Z", "--key", "u2"],
    ):
        code, output = store.console("list", *narrow)
        assert (code, "ZeroDivisionError" in output, "no JSON" in output) == (0, False, True), output
    assert "no such record" in store.console("list", "--until", "2020-01-01T00:00:00Z")[1]


def test_a_record_is_shown_with_headers_and_what_the_present_code_makes_of_it(store: Store) -> None:
    one = a_held(1, State.DEAD, reason="malformed", detail="no JSON of ada@example.org")
    store.hold(one)
    code, output = store.console("show", one.record.place)
    assert code == 0, output
    assert "malformed: no JSON of" in output
    assert "decodes as user.registered of u1" in output
    assert "ce_type: user.registered" in output
    assert "ada@example.org" not in output
    assert "ada@example.org" in store.console("show", one.record.place, "--personal")[1]
    assert store.console("show", "user.events.v1[0]@99")[0] == 5


def test_nothing_is_changed_without_yes(store: Store) -> None:
    store.hold(a_held(1), a_held(2, State.DEAD, "u2"))
    before = store.all()
    code, output = store.console("retry")
    assert (code, "2 records (1 dead, 1 parked) would be retried" in output) == (0, True), output
    code, output = store.console("discard")
    assert (code, "2 records (1 dead, 1 parked) would be discarded" in output) == (0, True), output
    assert store.all() == before


def test_a_retry_is_requested_for_the_consumer_and_three_failures_need_force(store: Store) -> None:
    store.hold(a_held(1), a_held(2, State.DEAD, "u2", attempts=3), a_held(3, State.DEAD, "u3"))
    code, output = store.console("retry", "--yes", "--no-wait")
    assert (code, "1 records (1 dead) stay: 3 retries of each failed; --force" in output) == (0, True), output
    assert {offset: one.retry for offset, one in store.all().items()} == {1: True, 2: False, 3: True}
    assert store.console("retry", "--yes", "--no-wait", "--force")[0] == 0
    assert all(one.retry for one in store.all().values())


def test_a_retry_that_overtakes_an_earlier_dead_record_of_its_key_needs_a_reason_and_consent(store: Store) -> None:
    store.hold(a_held(1, State.DEAD), a_held(2, State.DEAD))
    place = a_held(2).record.place
    code, output = store.console("retry", place, "--yes", "--no-wait")
    assert (code, "@1 is an earlier record of the same key" in output) == (2, True), output
    assert store.console("retry", place, "--yes", "--no-wait", "--acknowledge", "--reason", "the first is lost")[0] == 0
    assert [(one.retry, one.alone) for one in store.all().values()] == [(False, False), (True, True)]


def test_a_discard_needs_a_reason_and_consent_and_frees_what_waits_behind(store: Store) -> None:
    store.hold(a_held(1), a_held(2, reason="behind"))
    place = a_held(1).record.place
    code, output = store.console("discard", place, "--yes")
    assert (code, "--reason TEXT" in output, "--acknowledge" in output) == (2, True, True), output
    assert store.console("discard", place, "--yes", "--acknowledge", "--reason", "a tool's mistake")[0] == 0
    assert [(one.state, one.retry) for one in store.all().values()] == [("discarded", False), ("parked", True)]


@pytest.mark.parametrize(
    "arguments", [["--cause", "nonsense"], ["--state", "nonsense"], ["--since", "nonsense"], ["nonsense"]]
)
def test_an_option_that_cannot_be_understood_is_refused_with_what_to_write(store: Store, arguments: list[str]) -> None:
    code, output = store.console("retry", *arguments)
    assert (code, "nonsense" in output, "Traceback" in output) == (2, True, False), output


def test_without_a_database_those_of_make_run_are_meant(tmp_path: Path) -> None:
    where = {"APP_STATE_DIR": str(tmp_path), "COLUMNS": "200"}
    code, output = console(where, "held", "list")
    assert (code, "start one, or name a service's database with APP_DATABASE_URL" in output) == (2, True), output
    (tmp_path / "run").mkdir()
    store = Store(f"sqlite:///{tmp_path / 'run' / 'notification.db'}")
    store.hold(a_held(1))
    store.close()
    code, output = console(where, "held", "list")
    assert (code, "ZeroDivisionError" in output) == (0, True), output
