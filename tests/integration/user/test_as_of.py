"""The users of any moment, built from the records of the log alone, equal those that the service had then."""

import io
import random
import zlib
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest
from rich.console import Console
from sqlalchemy import inspect

from services.chassis.database.database import Database, metadata
from services.chassis.messages.event import Metadata, StoredEvent
from services.chassis.messages.ids import new_id
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store
from services.contracts.catalog import USER_EVENTS
from services.contracts.user import EmailChanged, Fact, NewAddress, Personal, Preferences, PreferencesChanged
from services.user import bootstrap, publisher
from services.user.as_of import builder, canonical
from services.user.as_of.command import Consoles, Log, Wanted, run
from services.user.as_of.merge import LogError
from services.user.as_of.target import Target, TargetError
from services.user.commands import Action, Change, Command, Deactivate, Flag, Register
from services.user.domain import Changes
from tests.support.builders import NOW, USER_ID, a_record, a_user_registered, an_envelope
from tests.support.schemas import upgrade
from tests.support.user_client import commit_group

GROUPS, GROUP = 25, 6
Dumps = dict[int, list[bytes]]  # by the last sequence number


def dump(database: Database) -> list[bytes]:
    with database.read() as connection:
        return [line for _, line in canonical.lines(connection)]


def an_action(chance: random.Random, known: list[str]) -> Action:
    """Return an action of any kind; few names, so that logins and addresses move between users."""
    user_id, name = chance.choice(known), f"Ä{chance.randrange(30)}"
    email = f"{name}@example.org".lower()
    return chance.choice(
        [
            Register(new_id(), Personal(name, email, "A Name", "en"), Preferences()),
            Change(user_id, None, Changes(email=email)),
            Change(user_id, None, Changes(full_name=f"A {name}", email=email, preferences=Preferences(email=False))),
            Flag(user_id, email, "550"),
            Deactivate(user_id, None) if chance.random() < 0.2 else Change(user_id, None, Changes(locale="de")),
        ]
    )


def live(database: Database) -> tuple[list[StoredEvent], Dumps]:
    """Let a service commit groups of commands, a minute apart; return its events, and its dump after each group."""
    upgrade(database, bootstrap.REVISIONS)
    chance, known, dumps = random.Random(7), [new_id()], Dumps()
    for group in range(GROUPS):
        actions = [an_action(chance, known) for _ in range(GROUP)]
        known += [action.user_id for action in actions if isinstance(action, Register)]
        with database.write() as connection:
            at = NOW + timedelta(minutes=group)
            commit_group(connection, [Command(one, new_id(), b"", Metadata("test")) for one in actions], at=at)
        with database.read() as connection:
            events = event_store.read(connection, 0, 10_000)
        dumps[len(events)] = dump(database)
    return events, dumps


def partitions(events: list[StoredEvent]) -> list[list[list[Record]]]:
    """Return the batches of each partition, as a reader of the topic gets them; some events were published twice."""
    batches: list[list[list[Record]]] = [[] for _ in range(USER_EVENTS.partitions)]
    for event in [*events[:20], *events[10:]]:
        fact = publisher.records(event)[0]
        number = zlib.crc32(fact.key or b"") % len(batches)
        place = len(batches[number])
        batches[number].append([Record(fact.topic, number, place, 1, 0, fact.key, fact.value, fact.headers)])
    return batches


def built(events: list[StoredEvent], wanted: Target | Wanted, into: Database) -> str:
    """Build the users of a moment and return the report."""
    return run_on(log_of(*partitions(events), records=len(events)), wanted, into)


def log_of(*partitions: Iterable[list[Record]], records: int = 4) -> Log:
    return Log(lambda: [(batch for batch in partition) for partition in partitions], records)


def run_on(log: Log, wanted: Target | Wanted, into: Database) -> str:
    report = io.StringIO()
    consoles = Consoles(Console(file=report), Console(file=io.StringIO()))
    run(log, wanted if isinstance(wanted, Wanted) else Wanted(wanted), into, consoles)
    return report.getvalue()


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """The database of the service; `database`, of either kind, is the one to build in."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('service')}/user.db")
    yield database
    database.close()


def emptied(database: Database) -> Database:
    metadata.drop_all(database.engine, tables=builder.TABLES)
    return database


def test_every_moment_built_from_the_log_is_the_one_that_was(service: Database, database: Database) -> None:
    events, dumps = live(service)
    assert len(events) > 2 * GROUPS
    owners = [{line.rsplit(b",", 1)[0]: line for line in lines if b"reservations" in line} for lines in dumps.values()]
    assert any(before[key] != owners[-1][key] for before in owners for key in before.keys() & owners[-1].keys()), (
        "moved"
    )
    for sequence, expected in dumps.items():
        report = built(events, Target(sequence=sequence), emptied(database))
        assert dump(database) == expected
        assert f"as of sequence {sequence}, " in report
        with service.read() as connection:
            whole = canonical.summary(connection)
    assert f"sha256 {whole.sha256}" in report
    assert f"{whole.rows['users']} rows" in report


def test_a_time_is_the_moment_before_the_first_later_event(service: Database, database: Database) -> None:
    events, dumps = live(service)
    for group in (0, 7, GROUPS - 1):
        time = NOW + timedelta(minutes=group, seconds=59)
        built(events, Target(time=time), emptied(database))
        last = max(event.sequence for event in events if event.time <= time)
        assert dump(database) == dumps[last]


def test_a_gap_or_a_moment_that_the_log_lacks_leaves_an_empty_database(service: Database, database: Database) -> None:
    events, _ = live(service)
    with pytest.raises(LogError, match="has sequence 32, 31 must follow"):
        built([event for event in events if event.sequence != 31], Target(sequence=40), database)
    with pytest.raises(TargetError, match=f"from 1 to {len(events)}"):
        built(events, Target(sequence=len(events) + 1), database)
    assert inspect(database.engine).get_table_names() == []


def test_an_interrupted_build_can_be_started_again(
    service: Database, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, dumps = live(service)

    def interrupted() -> Iterator[list[Record]]:
        yield []
        raise KeyboardInterrupt

    monkeypatch.setattr(builder, "BATCH", 10)
    with pytest.raises(KeyboardInterrupt):
        run_on(log_of(*partitions(events), interrupted()), Target(sequence=40), database)
    assert inspect(database.engine).get_table_names() == []
    built(events, Target(sequence=len(events)), database)
    assert dump(database) == dumps[len(events)]


def test_a_login_that_older_rules_gave_twice_stays_with_its_first_user(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builder, "BATCH", 1)
    batches = [
        [a_record(an_envelope(id=f"event-{number}", subject=f"user-{number}", sequence=number), a_user_registered())]
        for number in (1, 2)
    ]
    run_on(log_of(batches), Target(sequence=2), database)
    reserved = [line for line in dump(database) if line.startswith(b'["reservations"')]
    assert reserved == [
        b'["reservations","email","ada@example.org","user-1"]\n',
        b'["reservations","login","ada","user-1"]\n',
    ]


def test_the_difference_of_two_moments_names_users_and_fields(database: Database) -> None:
    changed: list[tuple[str, Fact]] = [
        ("user.registered", a_user_registered()),
        ("user.email_changed", EmailChanged(NewAddress("countess@example.org"))),
        ("user.preferences_changed", PreferencesChanged(Preferences(email=False))),
    ]
    records = [
        a_record(an_envelope(id=f"event-{number}", sequence=number, version=number, type=kind), fact)
        for number, (kind, fact) in enumerate(changed, 1)
    ]
    other = an_envelope(id="event-4", sequence=4, subject="user-2")
    records.append(a_record(other, a_user_registered(login="eve", email="eve@example.org")))
    log = log_of([records])
    hidden = run_on(log, Wanted(Target(sequence=1), Target(sequence=4)), database).splitlines()
    assert hidden[-3:] == [
        f"user {USER_ID}: version 1 -> 3, personal.email, preferences.email true -> false",
        "user user-2: nothing -> version 1 (active)",
        "2 users differ",
    ]
    shown = run_on(log, Wanted(Target(sequence=2), Target(sequence=1), personal=True), emptied(database)).splitlines()
    assert shown[-1] == "1 user differs"
    assert shown[-2].endswith('personal.email "countess@example.org" -> "ada@example.org"')
    again = run_on(log, Wanted(Target(sequence=4), Target(sequence=4)), emptied(database)).splitlines()
    assert again[-1] == "0 users differ"


def test_a_database_with_tables_is_refused_and_stays(service: Database) -> None:
    events, dumps = live(service)
    with pytest.raises(TargetError, match="has tables already"):
        built(events, Target(sequence=1), service)
    assert dump(service) == dumps[len(events)]
