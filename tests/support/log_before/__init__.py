"""The audit log of commit 4ebe983, as its own code has written it to either database.

`README.md` has how the dumps were made.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
from sqlalchemy import make_url

SIZE = 270
FOLDER = Path(__file__).parent


def load(url: str) -> None:
    """Put the dump into an empty database."""
    address = make_url(url)
    script = (FOLDER / f"{address.get_backend_name()}.sql").read_text()
    if address.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(address.database or "")) as connection:
            connection.executescript(script)
        return
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as server:
        server.execute(script.encode())


def heads(url: str) -> list[tuple[int, bytes]]:
    """Return position and head of each entry, with a driver alone."""
    query, address = "SELECT position, chain FROM entries ORDER BY position", make_url(url)
    if address.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(address.database or "")) as connection:
            return list(connection.execute(query))
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as server:
        return [(position, bytes(head)) for position, head in server.execute(query)]
