"""The database of a service, as an operator loses it: it is kept under another name, and its place is empty."""

import shutil
from pathlib import Path

import psycopg
from sqlalchemy import make_url


def lose(url: str, kept: str) -> str:
    """Take a database away from its place. Returns the URL of what was lost."""
    place = make_url(url)
    if place.get_backend_name() == "sqlite":
        lost = Path(str(place.database)).with_name(f"{kept}.db")
        for suffix in ("", "-wal", "-shm"):
            if (file := Path(f"{place.database}{suffix}")).exists():
                shutil.move(file, f"{lost}{suffix}")
        return f"sqlite:///{lost}"
    server = place.set(drivername="postgresql", database="postgres").render_as_string()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {place.database} RENAME TO {kept}")
        connection.execute(f"CREATE DATABASE {place.database}")
    return place.set(database=kept).render_as_string()
