"""Schemas of services, migrated once in a test run: each further empty database gets the statements of the first."""

import re
import shutil
from pathlib import Path
from typing import Any

from sqlalchemy import event, inspect

from services.chassis.database import migrations
from services.chassis.database.database import Database

Statement = tuple[str, Any]  # SQL, and its parameters
NOT_REPEATED = ("SELECT", "PRAGMA", "BEGIN", "SET ")  # reads, and what each transaction begins with
_recorded: dict[tuple[str, Path], list[Statement]] = {}


def upgrade(database: Database, revisions: Path) -> None:
    """Bring a database to the newest schema, as `migrations.upgrade` does, but an empty one at a tenth of the cost."""
    key = database.engine.dialect.name, revisions
    with database.write() as connection:
        is_empty = not inspect(connection).get_table_names()
        for sql, parameters in _recorded.get(key, ()) if is_empty else ():
            connection.exec_driver_sql(sql, parameters)
    if not is_empty:
        migrations.upgrade(database, revisions)
    elif key not in _recorded:
        _recorded[key] = _recording(database, revisions)


def revisions_until(last: str, revisions: Path, into: Path) -> Path:
    """Copy the revisions of a program whose newest one is `last`, to a folder that is made."""
    folder = shutil.copytree(revisions, into)
    for file in folder.glob("*.py"):
        found = re.search(r'^revision = "(\d+)"', file.read_text(), re.MULTILINE)
        if found and found[1] > last:
            file.unlink()
    return folder


def _recording(database: Database, revisions: Path) -> list[Statement]:
    """Migrate an empty database, and return the statements that did it."""
    statements: list[Statement] = []

    def record(*call: Any) -> None:
        _connection, _cursor, sql, parameters, *_ = call
        if not sql.lstrip().upper().startswith(NOT_REPEATED):
            statements.append((sql, parameters))

    event.listen(database.engine, "before_cursor_execute", record)
    try:
        migrations.upgrade(database, revisions)
    finally:
        event.remove(database.engine, "before_cursor_execute", record)
    return statements
