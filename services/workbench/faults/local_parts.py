"""The parts of `make run`: child processes, and SQLite files in the place of a database server."""

import asyncio
import os
import signal
import sqlite3
from pathlib import Path

from services.contracts.service_list import SERVICES
from services.workbench.faults.table import BROKER, DATABASE, MAIL, Fault
from services.workbench.local.system import System

LOCK_WAIT_S = 10.0


class LocalParts:
    """The processes of a local system. Called on the main thread, which owns them; see `parts.Parts`."""

    system = "make run"

    def __init__(self, system: System, folder: Path) -> None:
        self._system = system
        self._folder = folder
        self._locks: list[sqlite3.Connection] = []

    def obstacle(self, fault: Fault) -> str:
        """Return why a fault is impossible here."""
        if (fault.verb, fault.target) == ("kill", DATABASE):
            return "there is no database server: each service has a SQLite file; `pause database` locks the files"
        if fault.target == BROKER and BROKER not in self._system:
            return "the broker is not part of this system: APP_KAFKA_BOOTSTRAP_SERVERS names another"
        return ""

    async def kill(self, part: str) -> None:
        """End a process with SIGKILL."""
        self._system.kill(_process(part))

    async def start(self, part: str) -> None:
        """Start the program again."""
        self._system.start(_process(part))

    async def pause(self, part: str) -> None:
        """Send SIGSTOP; of the databases, take the write lock of each file."""
        if part == DATABASE:
            await asyncio.to_thread(self._lock)
        else:
            self._send(part, signal.SIGSTOP)

    async def resume(self, part: str) -> None:
        """Send SIGCONT; of the databases, release the locks."""
        if part == DATABASE:
            while self._locks:
                self._locks.pop().close()  # which rolls back
        else:
            self._send(part, signal.SIGCONT)

    async def heal(self) -> list[str]:
        """Return nothing: what this process has broken, it heals itself."""
        return []

    def _send(self, part: str, number: signal.Signals) -> None:
        os.kill(self._system.process(_process(part)).pid, number)

    def _lock(self) -> None:
        paths = [self._folder / f"{name}.db" for name in SERVICES]
        for path in filter(Path.exists, paths):
            store = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
            self._locks.append(store)
            store.execute("BEGIN IMMEDIATE")


def _process(part: str) -> str:
    return "sink" if part == MAIL else part
