"""Databases that refuse every write: a server whose transactions are read-only, or files that are immutable."""

import asyncio
import functools
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg

from k8s.command import CommandError, run

ON, OFF = "+i", "-i"  # of chattr
SUFFIXES = ("", "-wal")
NOT_EFFECTIVE = (
    "its files cannot be protected here: that takes root, chattr, and a file system that obeys, such as ext4"
)


class ServerProtection:
    """Every database of a PostgreSQL server, by the URL of one; see `condition.Condition`. Raises psycopg.Error."""

    def __init__(self, url: str) -> None:
        self._url = url.replace("+psycopg", "")

    def obstacle(self, _: str) -> str:
        """Return nothing: it is always possible."""
        return ""

    async def begin(self, _: str) -> None:
        """Make the next transactions of every session read-only."""
        await asyncio.to_thread(self._set, "ALTER SYSTEM SET default_transaction_read_only = on")

    async def end(self, _: str) -> None:
        """Let them write again."""
        await asyncio.to_thread(self._set, "ALTER SYSTEM RESET default_transaction_read_only")

    def _set(self, statement: str) -> None:
        with psycopg.connect(self._url, autocommit=True) as connection:
            connection.execute(statement.encode())
            connection.execute("SELECT pg_reload_conf()")


class FileProtection:
    """SQLite files, also while they are open; see `condition.Condition`. Raises CommandError."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = [file.with_name(file.name + suffix) for file in files for suffix in SUFFIXES]

    def obstacle(self, _: str) -> str:
        """Return why files cannot be protected."""
        return "" if _is_effective(self._files[0].parent) else NOT_EFFECTIVE

    async def begin(self, _: str) -> None:
        """Make the files immutable."""
        await asyncio.to_thread(self._change, ON)

    async def end(self, _: str) -> None:
        """Make them writable again."""
        await asyncio.to_thread(self._change, OFF)

    def _change(self, flag: str) -> None:
        if present := [str(file) for file in self._files if file.exists()]:
            run("chattr", flag, *present)


@functools.cache
def _is_effective(folder: Path) -> bool:
    """Return whether an immutable file in a folder refuses a write, also by who has opened it before."""
    if os.geteuid() != 0 or shutil.which("chattr") is None or not folder.is_dir():
        return False
    with tempfile.NamedTemporaryFile(dir=folder, buffering=0) as file:
        try:
            run("chattr", ON, file.name)
        except CommandError:
            return False
        try:
            file.write(b"x")
        except OSError:
            return True
        finally:
            run("chattr", OFF, file.name)
    return False
