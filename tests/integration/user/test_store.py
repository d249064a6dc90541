"""The transaction that a group of commands is, on both databases."""

import shutil
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from unicodedata import normalize

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import MetaData, insert, select, text

from services.chassis.database.database import Database
from services.chassis.database.migrations import upgrade
from services.chassis.messages.event import Metadata, StoredEvent
from services.chassis.outbox import event_store
from services.contracts.user import Preferences, Status, UserState
from services.user import domain, store
from services.user.commands import Change, Command, Deactivate, Register, Reply
from services.user.domain import Because, Changes, RefusedError
from tests.support import schemas
from tests.support.builders import NOW, a_person, ids
from tests.support.user_client import commit_group

REVISIONS = Path(store.__file__).parent / "migrations"


@pytest.fixture(autouse=True)
def _tables(database: Database) -> None:
    schemas.upgrade(database, REVISIONS)


def register(user_id: str, key: str = "", **personal: str) -> Command:
    person = a_person(**({"login": user_id, "email": f"{user_id}@example.org"} | personal))
    return a_command(Register(user_id, person, Preferences()), key or f"register {user_id} {personal}")


def change(user_id: str, expected: int | None = None, **changes: object) -> Command:
    versions = None if expected is None else frozenset({expected})
    return a_command(
        Change(user_id, versions, msgspec.convert(changes, Changes)), f"change {user_id} {expected} {changes}"
    )


def deactivate(user_id: str) -> Command:
    return a_command(Deactivate(user_id, None), f"deactivate {user_id}")


def a_command(action: Register | Change | Deactivate, key: str) -> Command:
    return Command(action, key[:255], key.encode()[:32], Metadata("correlation-1"))


def commit(database: Database, *commands: Command, events: str = "event") -> list[int | Because]:
    """Commit a group and return versions, or why not."""
    with database.write() as connection:
        outcomes = commit_group(connection, commands, ids(events))
    return [outcome.version if isinstance(outcome, Reply) else outcome.because for outcome in outcomes]


def user(database: Database, user_id: str) -> UserState | None:
    with database.read() as connection:
        return store.read_user(connection, user_id)


def stored(database: Database) -> list[StoredEvent]:
    with database.read() as connection:
        return event_store.read(connection, 0, 10_000)


def reserved(database: Database) -> dict[tuple[str, str], str]:
    with database.read() as connection:
        rows = connection.execute(select(store.reservations)).all()
    return {(row.kind, row.key): row.user_id for row in rows}


def test_a_group_is_committed_with_its_users_reservations_replies_and_events(database: Database) -> None:
    assert commit(database, register("ada"), register("eve"), change("ada", locale="de")) == [1, 1, 2]
    ada = user(database, "ada")
    assert ada is not None
    assert (ada.version, ada.personal.locale) == (2, "de")
    assert [(event.sequence, event.event.subject, event.event.version) for event in stored(database)] == [
        (1, "ada", 1),
        (2, "eve", 1),
        (3, "ada", 2),
    ]
    assert set(reserved(database).values()) == {"ada", "eve"}
    assert user(database, "nobody") is None


def test_a_refused_command_adds_no_row_while_its_group_is_committed(database: Database) -> None:
    commit(database, register("ada"))
    assert commit(database, change("nobody"), register("eve", login="ADA"), deactivate("ada"), events="other") == [
        Because.NOT_FOUND,
        Because.TAKEN,
        2,
    ]
    assert len(stored(database)) == 2
    assert set(reserved(database).values()) == {"ada"}


def test_a_reply_is_kept_and_given_again_in_a_later_group(database: Database) -> None:
    with database.write() as connection:
        first = commit_group(connection, [register("ada", key="k")], ids())
    with database.write() as connection:
        again = commit_group(connection, [register("eve", key="k")], ids("x"), NOW + timedelta(days=1))
    assert first == again == [Reply("ada", 1, "correlation-1")]
    assert len(stored(database)) == 1


def test_a_key_that_was_used_for_another_request_is_refused_in_a_later_group(database: Database) -> None:
    commit(database, register("ada", key="k"))
    other = msgspec.structs.replace(register("eve", key="k"), fingerprint=b"another")
    assert commit(database, other) == [Because.KEY_REUSED]


def test_logins_and_addresses_are_unique_in_other_case_and_form_in_a_later_group(database: Database) -> None:
    commit(database, register("Strasse", email="é@example.org"))
    assert commit(
        database, register("a", login="STRAßE"), register("b", email="E\u0301@example.org"), events="other"
    ) == [Because.TAKEN, Because.TAKEN]


def test_an_address_is_free_for_others_once_its_user_has_another(database: Database) -> None:
    commit(database, register("ada", email="shared@example.org"))
    assert commit(
        database,
        change("ada", email="ada@example.org"),
        register("eve", email="SHARED@example.org"),
        events="other",
    ) == [2, 1]
    assert reserved(database)["email", "shared@example.org"] == "eve"


def test_addresses_may_go_round_within_a_group(database: Database) -> None:
    commit(database, register("ada", email="a@example.org"), register("eve", email="e@example.org"))
    assert commit(
        database,
        change("ada", email="free@example.org"),
        change("eve", email="a@example.org"),
        change("ada", email="e@example.org"),
        events="other",
    ) == [2, 2, 3]
    owners = reserved(database)
    assert (owners["email", "a@example.org"], owners["email", "e@example.org"]) == ("eve", "ada")
    assert ("email", "free@example.org") not in owners


def test_the_longest_texts_fit(database: Database) -> None:
    login = "x" * 200
    key = domain.key_of("\ufdfa" * 22)
    assert commit(database, register("ada", key="k" * 255, login=login, full_name="ß" * 200)) == [1]
    assert len(key) <= domain.LONGEST_KEY
    assert commit(database, register("eve", login=key), events="other") == [1]


def test_a_group_larger_than_a_databases_limit_on_variables_is_committed(database: Database) -> None:
    group = [register(f"user-{number}") for number in range(1000)]
    assert commit(database, *group) == [1] * 1000
    assert len(reserved(database)) == 2000
    assert (
        commit(database, *[change(f"user-{number}", 1, locale="de") for number in range(1000)], events="x")
        == [2] * 1000
    )


def page(database: Database, after: str = "", limit: int = 2, status: Status | None = None) -> list[str]:
    with database.read() as connection:
        return [user.user_id for user in store.read_page(connection, after, limit, status)]


def test_pages_follow_each_other_in_the_order_of_ids_whatever_is_added_meanwhile(database: Database) -> None:
    commit(database, *[register(f"user-{number}") for number in (5, 1, 3, 7)])
    assert page(database) == ["user-1", "user-3"]
    commit(database, register("user-2"), register("user-4"), events="meanwhile")
    assert page(database, "user-3") == ["user-4", "user-5"]
    assert page(database, "user-5") == ["user-7"]
    assert page(database, "user-7") == []


def test_a_page_of_a_status_has_those_who_have_it_now(database: Database) -> None:
    commit(database, *[register(f"user-{number}") for number in range(6)], deactivate("user-1"), deactivate("user-4"))
    assert page(database, status=Status.DEACTIVATED) == ["user-1", "user-4"]
    assert page(database, "user-2", 10, Status.ACTIVE) == ["user-3", "user-5"]


@pytest.mark.parametrize(("status", "index"), [(None, "users_pkey"), (Status.ACTIVE, "users_by_status")])
def test_an_index_serves_a_page_in_its_order(database: Database, status: Status | None, index: str) -> None:
    sqlite = database.is_sqlite
    with database.read() as connection:
        if not sqlite:
            connection.exec_driver_sql("SET enable_seqscan = off")  # of an empty table it would be cheaper
            connection.exec_driver_sql("SET enable_bitmapscan = off")
        query = str(store.page("user-1", 10, status).compile(connection, compile_kwargs={"literal_binds": True}))
        plan = str(connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{query}").all())
    assert (index if index == "users_by_status" or not sqlite else "sqlite_autoindex_users_1") in plan
    assert "sort" not in plan.lower()
    assert "b-tree" not in plan.lower()


users_of_a_story = st.sampled_from(["ada", "eve", "bob"])
addresses = st.sampled_from(["a@x.org", "A@x.org", "b@x.org", "c@x.org"])
commands = st.one_of(
    st.builds(lambda user_id, email: register(user_id, email=email), users_of_a_story, addresses),
    st.builds(lambda user_id, email: change(user_id, email=email), users_of_a_story, addresses),
    st.builds(lambda user_id, version: change(user_id, version, locale="de"), users_of_a_story, st.integers(1, 4)),
    st.builds(deactivate, users_of_a_story),
)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=st.lists(commands, max_size=12), cuts=st.lists(st.integers(0, 12), max_size=4))
def test_how_commands_are_grouped_makes_no_difference(
    database: Database, story: Sequence[Command], cuts: Sequence[int]
) -> None:
    story = registered_once(story)
    outcomes = []
    for borders in ([0, len(story)], sorted({0, *cuts, len(story)})):
        with database.write() as connection:
            for table in (store.users, store.reservations, store.replies, event_store.events):
                connection.execute(table.delete())
            seen: list[object] = []
            new_id = ids()
            for start, end in pairwise(borders):
                seen += [_short(outcome) for outcome in commit_group(connection, story[start:end], new_id)]
            rows = connection.execute(select(store.reservations).order_by("kind", "key")).all()
            states = connection.execute(select(store.users).order_by("user_id")).all()
            stored_events = [stored.event for stored in event_store.read(connection, 0, 100)]
        outcomes.append((seen, rows, states, stored_events))
    assert outcomes[0] == outcomes[1]


def registered_once(story: Sequence[Command]) -> list[Command]:
    """Return a story in which each user id is given once, as the API does."""
    given: set[str] = set()
    kept = []
    for command in story:
        if not (isinstance(command.action, Register) and command.action.user_id in given):
            kept.append(command)
        given.add(command.action.user_id)
    return kept


def _short(outcome: Reply | RefusedError) -> object:
    return outcome if isinstance(outcome, Reply) else (outcome.because, str(outcome))


def as_before_revision_2(database: Database, folder: Path, *logins: str) -> None:
    """Store users as version 0001 did; it folded keys without dropping invisible characters."""
    tables = MetaData()
    with database.write() as connection:
        connection.execute(text("DROP VIEW IF EXISTS parked"))
        if not database.is_sqlite:
            connection.execute(text("DROP FUNCTION IF EXISTS park"))
        tables.reflect(connection)
        tables.drop_all(connection)
    (folder / "revisions").mkdir()
    shutil.copy(REVISIONS / "initial.py", folder / "revisions")
    upgrade(database, folder / "revisions")
    with database.write() as connection:
        for number, login in enumerate(logins):
            person = a_person(login=login, email=f"{number}@example.org")
            state = msgspec.json.encode(UserState(login, 1, Status.ACTIVE, person, Preferences())).decode()
            keys = {"login": normalize("NFKC", normalize("NFKC", login).casefold()), "email": person.email}
            connection.execute(insert(store.users).values(user_id=login, version=1, status="active", state=state))
            for kind, key in keys.items():
                connection.execute(insert(store.reservations).values(kind=kind, key=key, user_id=login))


def test_logins_that_were_stored_with_invisible_characters_keep_working(database: Database, tmp_path: Path) -> None:
    as_before_revision_2(database, tmp_path, "Ad\u200ba", "Straße\u00ad")
    upgrade(database, REVISIONS)
    logins = {key: user_id for (kind, key), user_id in reserved(database).items() if kind == "login"}
    assert logins == {"ada": "Ad\u200ba", "strasse": "Straße\u00ad"}
    again = [register("other", login=login, email="x@example.org") for login in ("ada", "AD\u2060A", "strasse")]
    assert [commit(database, command) for command in again] == [[Because.TAKEN]] * 3
    assert commit(database, change("Ad\u200ba", email="new@example.org", locale="de"), events="more") == [3]
    assert reserved(database)["login", "ada"] == "Ad\u200ba"


def test_two_users_whose_logins_differ_by_invisible_characters_both_keep_theirs(
    database: Database, tmp_path: Path
) -> None:
    as_before_revision_2(database, tmp_path, "ada", "ad\u200ba")
    upgrade(database, REVISIONS)
    assert commit(database, change("ad\u200ba", locale="de"), change("ada", locale="fr"), events="more") == [2, 2]
    logins = {key: user_id for (kind, key), user_id in reserved(database).items() if kind == "login"}
    assert logins == {"ada": "ada", "ad\u200ba": "ad\u200ba"}
    assert commit(database, register("eve", login="a\u200bda")) == [Because.TAKEN]
