"""The databases that are measured: SQLite and, where it is installed, PostgreSQL; both wait for the disk."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports

Urls = dict[str, Callable[[Path], str]]  # of an empty database, its file in a folder, by its kind


@contextmanager
def databases() -> Iterator[Urls]:
    """Yield how to get an empty database of each kind, with a PostgreSQL server where there is one."""
    numbers = itertools.count()
    urls: Urls = {"SQLite": lambda folder: f"sqlite:///{folder}/{next(numbers)}.db"}
    with ExitStack() as stack:
        if folder := postgres.binaries():
            server = postgres.Server(folder, free_ports(1)[0], durable=True)
            stack.callback(server.close)
            urls[f"PostgreSQL {postgres.version(folder).split()[2]}"] = lambda _: server.fresh_url()
        yield urls
