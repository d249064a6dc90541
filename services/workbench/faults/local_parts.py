"""The parts of a local system: child processes, and SQLite files or a PostgreSQL server of its own."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from pathlib import Path

from services.contracts.service_list import SERVICES
from services.workbench.faults.table import BROKER, DATABASE, MAIL, Fault
from services.workbench.local.postgres import Server
from services.workbench.local.system import System

LOCK_WAIT_S = 10.0
ENDS_WITHIN_S, LOOK_S = 5.0, 0.25  # of a part that ends by itself


class LocalParts:
    """The processes of a local system, whose SQLite files are in a folder; see `parts.Parts`.

    Called on the main thread, which owns the processes.
    """

    system = "make run"

    def __init__(self, system: System, folder: Path, server: Server | None = None) -> None:
        self._system = system
        self._folder = folder
        self._server = server
        self._frozen = contextlib.ExitStack()
        self._locks: list[sqlite3.Connection] = []

    def obstacle(self, fault: Fault) -> str:
        """Return why a fault is impossible here."""
        if (fault.verb, fault.target) == ("kill", DATABASE) and not self._server:
            return "there is no database server: each service has a SQLite file; `pause database` locks the files"
        if fault.target == BROKER and BROKER not in self._system:
            return "the broker is not part of this system: APP_KAFKA_BOOTSTRAP_SERVERS names another"
        return ""

    async def kill(self, part: str) -> None:
        """End a process with SIGKILL; a database server ends at once, its processes before it."""
        if self._server and part == DATABASE:
            await asyncio.to_thread(self._server.stop)
        else:
            self._system.kill(_process(part))

    async def start(self, part: str) -> None:
        """Start the program again."""
        if self._server and part == DATABASE:
            await asyncio.to_thread(self._server.start)
        else:
            self._system.start(_process(part))

    async def pause(self, part: str) -> None:
        """Send SIGSTOP; of databases in files, take the write lock of each."""
        if self._server and part == DATABASE:
            self._frozen.enter_context(self._server.frozen())
        elif part == DATABASE:
            await asyncio.to_thread(self._lock)
        else:
            self._send(part, signal.SIGSTOP)

    async def resume(self, part: str) -> None:
        """Send SIGCONT; of databases in files, release the locks."""
        if self._server and part == DATABASE:
            self._frozen.close()
        elif part == DATABASE:
            while self._locks:
                self._locks.pop().close()  # which rolls back
        else:
            self._send(part, signal.SIGCONT)

    async def heal(self) -> list[str]:
        """Return nothing: what this process has broken, it heals itself."""
        return []

    async def restart_ended(self, part: str) -> None:
        """Start a part again that has ended by itself, or ends within some seconds.

        A broker that still runs then is killed: on a busy machine it takes longer to end, and nobody would see it.
        """
        for _ in range(int(ENDS_WITHIN_S / LOOK_S)):
            if self._has_ended(part):
                break
            await asyncio.sleep(LOOK_S)
        if self._has_ended(part) or part == BROKER:
            if not (self._server and part == DATABASE):
                self._system.kill(_process(part))  # forgets it
            await self.start(part)

    def _has_ended(self, part: str) -> bool:
        if part == DATABASE:
            return self._server is not None and self._server.has_ended
        return self._system.process(_process(part)).exit_code() is not None

    def _send(self, part: str, number: signal.Signals) -> None:
        os.kill(self._system.process(_process(part)).pid, number)

    def _lock(self) -> None:
        for path in filter(Path.exists, stores(self._folder)):
            store = sqlite3.connect(path, timeout=LOCK_WAIT_S, isolation_level=None, check_same_thread=False)
            self._locks.append(store)
            store.execute("BEGIN IMMEDIATE")


def stores(folder: Path) -> list[Path]:
    """Return the paths of the services' SQLite files."""
    return [folder / f"{name}.db" for name in SERVICES]


def _process(part: str) -> str:
    return "sink" if part == MAIL else part
