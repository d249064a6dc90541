"""Users rebuilt beside the live table and swapped, while the service goes on; on both databases."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, inspect, select, text, update

from services.chassis.database.database import Database
from services.chassis.messages.event import Metadata, StoredEvent
from services.chassis.messages.ids import new_id
from services.chassis.outbox import event_store
from services.chassis.outbox.lease import relay
from services.chassis.outbox.operator_events import Operator, operations
from services.chassis.projection.description import RebuildError
from services.chassis.projection.rebuild import Rebuild
from services.chassis.projection.shadow import Shadow
from services.contracts.user import Personal, Preferences
from services.user import publisher, store
from services.user.as_of import projection
from services.user.commands import Command, Register
from tests.integration.user.test_as_of import dump, live, partitions
from tests.support.user_client import commit_group

OPERATOR = Operator("ada", "here")


class Service:
    """A user store with a history, of which the relay has published the first part."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.events, _ = live(database)
        self.published = len(self.events) // 2
        with database.write() as connection:
            connection.execute(update(relay).values(cursor=self.published))
        self._partitions = partitions(self.events[: self.published])
        self.projection = projection.projection(
            database, lambda: [(batch for batch in partition) for partition in self._partitions], publisher.records
        )

    @contextmanager
    def rebuild(self) -> Iterator[Rebuild]:
        """Open one run."""
        with self.projection.open_source(Shadow(self.projection).tables) as source:
            yield Rebuild(self.database, self.projection, source, lambda *_: None)

    def another(self, use: Callable[[Rebuild], object]) -> None:
        """Use a further run."""
        with self.rebuild() as run:
            use(run)

    def registered(self) -> str:
        """Commit a registration. Returns the user's id."""
        register = Register(new_id(), Personal(new_id(), f"{new_id()}@example.org", "A Name", "en"), Preferences())
        with self.database.write() as connection:
            commit_group(connection, [Command(register, new_id(), b"", Metadata("test"))])
        return register.user_id

    def spoil(self) -> str:
        """Change a row by hand, as a bug would. Returns the user's id."""
        with self.database.write() as connection:
            user_id = connection.scalars(select(store.users.c.user_id).limit(1)).one()
            wrong = update(store.users).where(store.users.c.user_id == user_id)
            connection.execute(wrong.values(version=99, state=text("replace(state, 'A Name', 'Wrong')")))
        return str(user_id)

    def stored(self) -> list[StoredEvent]:
        """Return all events."""
        with self.database.read() as connection:
            return event_store.read(connection, 0, 10_000)

    def schema(self) -> list[object]:
        """Return columns, keys and indexes of the live tables, with their names."""
        found = inspect(self.database.engine)
        return [
            (repr(found.get_columns(name)), found.get_pk_constraint(name), found.get_indexes(name))
            for name in ("users", "reservations")
        ]


@pytest.fixture
def service(database: Database) -> Service:
    return Service(database)


@pytest.fixture
def run(service: Service) -> Iterator[Rebuild]:
    with service.rebuild() as run:
        yield run


def test_the_rebuilt_tables_take_the_place_of_the_live_ones_with_what_was_committed_meanwhile(
    service: Service, run: Rebuild
) -> None:
    schema = service.schema()
    assert run.fill() == len(service.stored())
    service.registered()
    assert run.compare().differing == 0
    service.registered()
    before, events = dump(service.database), service.stored()
    run.swap(OPERATOR, 0)
    assert dump(service.database) == before
    assert service.schema() == schema
    assert service.stored() == events
    with service.database.read() as connection:
        [what] = connection.scalars(select(operations.c.data))
    assert '"action":"store.rebuild"' in what
    service.registered()


def test_a_row_that_was_changed_by_hand_is_reported_and_corrected(service: Service, run: Rebuild) -> None:
    before = dump(service.database)
    user_id = service.spoil()
    run.fill()
    found = run.compare()
    assert found.differing == 1
    assert f"users: live user_id={user_id} version=99, rebuilt user_id={user_id}" in found.lines[0]
    assert "Wrong" not in found.lines[0]
    with service.database.read() as connection:
        assert {version(connection, user_id) for _ in range(20)} == {99}  # so often that psycopg prepares it
        connection.rollback()
        run.swap(OPERATOR, found.differing)
        assert version(connection, user_id) != 99
    assert dump(service.database) == before
    with pytest.raises(RebuildError, match="--drop-old"):
        service.another(Rebuild.fill)
    with service.database.write() as connection:
        assert Shadow(service.projection).drop_replaced(connection) == ["users_replaced", "reservations_replaced"]


def version(connection: Connection, user_id: str) -> int:
    return int(connection.execute(select(store.users.c.version).where(store.users.c.user_id == user_id)).scalar_one())


def test_a_run_whose_tables_are_taken_or_outdated_swaps_nothing(service: Service, run: Rebuild) -> None:
    run.fill()
    service.another(Rebuild.fill)
    with pytest.raises(RebuildError, match="another rebuild"):
        run.swap(OPERATOR, 0)
    with service.database.write() as connection:
        assert Shadow(service.projection).abandon(connection)
        assert not Shadow(service.projection).abandon(connection)
    with pytest.raises(RebuildError, match="--abandon"):
        run.swap(OPERATOR, 0)

    def migrated_meanwhile(run: Rebuild) -> None:
        run.fill()
        with service.database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'newer'"))
        run.swap(OPERATOR, 0)

    with pytest.raises(RebuildError, match="migrated"):
        service.another(migrated_meanwhile)
