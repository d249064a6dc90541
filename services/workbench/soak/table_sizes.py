"""Rows and bytes of every table of a database, its indexes included, at one moment."""

from collections import defaultdict
from collections.abc import Mapping

from sqlalchemy import Connection, inspect, text

from services.chassis.database.database import Database

SQLITE = "SELECT m.tbl_name, sum(d.pgsize) FROM dbstat d JOIN sqlite_master m ON m.name = d.name GROUP BY 1"
POSTGRESQL = "SELECT relname, pg_total_relation_size(relid) FROM pg_stat_user_tables"
Sizes = Mapping[str, tuple[int, int]]  # rows and bytes by table


def sizes(database: Database) -> Sizes:
    """Return the sizes of all tables."""
    with database.read() as connection:
        used: defaultdict[str, int] = defaultdict(int)
        for name, number in connection.execute(text(SQLITE if database.is_sqlite else POSTGRESQL)):
            used[name] = int(number)
        return {name: (_rows(connection, name), used[name]) for name in inspect(connection).get_table_names()}


def _rows(connection: Connection, name: str) -> int:
    return int(connection.scalar(text(f"SELECT count(*) FROM {name}")) or 0)  # noqa: S608  # the database's own names
