"""The second set of tables: created, filled by one run at a time, and renamed to the live one in one transaction.

`NAME_rebuilt` is being filled, `NAME_replaced` was live before. Indexes and constraints of the live tables have the
names that migrations know, also after the swap.
"""

from collections.abc import Callable, Iterable

from sqlalchemy import Column, Connection, Index, MetaData, String, Table, insert, inspect, select, text
from sqlalchemy.sql.elements import quoted_name

from services.chassis.database import migrations
from services.chassis.projection.description import Projection, RebuildError

REBUILT, REPLACED = "_rebuilt", "_replaced"
LOCK_WAIT = "1s"  # PostgreSQL: readers queue behind a swap that waits for a longer reader
INDEXES = text("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema() AND tablename = :name")


class Shadow:
    """The second set of tables of a projection."""

    def __init__(self, projection: Projection) -> None:
        own = MetaData()
        self._live = projection.tables
        self.tables = tuple(_copy(table, own) for table in projection.tables)
        self._run = Table(
            f"{projection.name}_rebuild",
            own,
            Column("run", String(36), primary_key=True),
            Column("revision", String(32), nullable=False),
        )
        self._metadata = own

    def begin(self, connection: Connection, run: str) -> None:
        """Create the tables empty, for a run that takes over from any other. Raises RebuildError."""
        if self.replaced(connection):
            raise RebuildError("the tables that the last rebuild replaced are still there: drop them with --drop-old")
        self._metadata.drop_all(connection)
        self._metadata.create_all(connection)
        if connection.dialect.name == "sqlite":  # an index cannot be renamed there: the swap makes them
            for index in _indexes(self.tables):
                index.drop(connection)
        revision = migrations.revision(connection) or ""
        connection.execute(insert(self._run).values(run=run, revision=revision))

    def require(self, connection: Connection, run: str) -> None:
        """Check that the tables still belong to a run. Raises RebuildError if another run, or --abandon, has them."""
        has = inspect(connection).has_table(self._run.name)
        found = connection.execute(select(self._run)).one_or_none() if has else None
        if found is None or found.run != run:
            raise RebuildError("another rebuild, or --abandon, has taken the tables of this one: nothing was swapped")
        if found.revision != (migrations.revision(connection) or ""):
            raise RebuildError("the schema was migrated meanwhile: run it again")

    def lock(self, connection: Connection) -> None:
        """Keep readers and writers from the live tables until the transaction ends."""
        if connection.dialect.name == "postgresql":  # SQLite's write lock is taken already, and readers need none
            connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT}'"))
            names = ", ".join(table.name for table in self._live)
            connection.execute(text(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE"))

    def swap(self, connection: Connection) -> None:
        """Rename: live tables to replaced, rebuilt ones to live."""
        sqlite = connection.dialect.name == "sqlite"
        for live, rebuilt in zip(self._live, self.tables, strict=True):
            if sqlite:
                _drop_indexes(connection, live)
            else:
                _rename_indexes(connection, live.name, lambda name: name + REPLACED)
                _rename_indexes(connection, rebuilt.name, lambda name: name.replace(REBUILT, ""))
            _rename(connection, live.name, live.name + REPLACED)
            _rename(connection, rebuilt.name, live.name)
            if sqlite:
                for index in live.indexes:
                    index.create(connection)
        self._run.drop(connection)

    def analyze(self, connection: Connection) -> None:
        """Give PostgreSQL's planner the statistics of the filled tables."""
        if connection.dialect.name == "postgresql":
            for table in self.tables:
                connection.execute(text(f"ANALYZE {table.name}"))

    def abandon(self, connection: Connection) -> bool:
        """Drop the second set of tables; return whether there was one. The live tables stay as they are."""
        found = self._present(connection, (*(table.name for table in self.tables), self._run.name))
        self._metadata.drop_all(connection)
        return bool(found)

    def replaced(self, connection: Connection) -> list[str]:
        """Return the names of the tables that were live before a swap."""
        return self._present(connection, (table.name + REPLACED for table in self._live))

    def drop_replaced(self, connection: Connection) -> list[str]:
        """Drop the tables that were live before a swap; return their names."""
        found = self.replaced(connection)
        for name in found:
            connection.execute(text(f"DROP TABLE {name}"))
        return found

    def _present(self, connection: Connection, names: Iterable[str]) -> list[str]:
        found = inspect(connection)
        return [name for name in names if found.has_table(name)]


def _copy(table: Table, into: MetaData) -> Table:
    copy = table.to_metadata(into, name=table.name + REBUILT)
    for index in copy.indexes:
        index.name = quoted_name(f"{index.name}{REBUILT}", quote=None)
    return copy


def _indexes(tables: Iterable[Table]) -> list[Index]:
    return [index for table in tables for index in table.indexes]


def _drop_indexes(connection: Connection, table: Table) -> None:
    for index in inspect(connection).get_indexes(table.name):
        connection.execute(text(f'DROP INDEX "{index["name"]}"'))


def _rename_indexes(connection: Connection, table: str, renamed: Callable[[str], str]) -> None:
    for name in connection.scalars(INDEXES, {"name": table}).all():
        connection.execute(text(f'ALTER INDEX "{name}" RENAME TO "{renamed(name)}"'))


def _rename(connection: Connection, name: str, to: str) -> None:
    connection.execute(text(f"ALTER TABLE {name} RENAME TO {to}"))
