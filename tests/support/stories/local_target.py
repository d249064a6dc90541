"""The system as child processes of the test, with SQLite: no container, and no database that could be killed."""

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from services.chassis.settings.environment import load
from services.contracts.service_list import SERVICES
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.local.system import MAILS, System, local_programs
from services.workbench.local.trial import PORTS, hastened, settings_on_free_ports
from services.workbench.settings import WorkbenchSettings, protect
from tests.support.stories.mailboxes import SinkFile
from tests.support.stories.target import BROKER

READY_S = 60.0
REPLICA = "SELECT user_id, version || ' ' || lower(hex(digest)) FROM replica"


class LocalTarget(SinkFile):
    """A running local system; see `target.Target`."""

    parts = frozenset((*SERVICES, BROKER))

    def __init__(self, system: System, settings: WorkbenchSettings, folder: Path) -> None:
        super().__init__(folder / MAILS)
        self._system = system
        self._store = folder / "notification.db"
        self.variables = {f"APP_{name.upper()}": str(getattr(settings, name)) for name in PORTS}
        self.kafka, self.administrator = settings.client, settings.administrator
        self.login = settings.client_of
        self.urls: Mapping[str, str] = {name: f"http://{HOST}:{settings.port(name)}" for name in SERVICES}

    def stop(self, part: str) -> None:
        """End a part with SIGTERM. Raises ProcessError when it does not end."""
        self._system.stop(part)

    def kill(self, part: str) -> None:
        """End a part with SIGKILL."""
        self._system.kill(part)

    def start(self, part: str) -> None:
        """Start a part. Raises ProcessError when it is not ready in time."""
        self._system.start(part)
        self._system.wait_ready(READY_S, part)

    def rebuild_notification(self) -> None:
        """Delete the store's files while the service is stopped."""
        self.stop("notification")
        for file in self._store.parent.glob(f"{self._store.name}*"):
            file.unlink()
        self.start("notification")

    def misfortunes(self) -> dict[str, str]:
        """Look for processes that have ended."""
        parts = {name: self._system.process(name) for name in self._system.running}
        return {name: str(part.program.log) for name, part in parts.items() if part.exit_code() is not None}

    def replica(self) -> dict[str, str]:
        """Read the service's store."""
        with contextlib.closing(sqlite3.connect(f"file:{self._store}?mode=ro", uri=True)) as store:
            return dict(store.execute(REPLICA).fetchall())


@contextlib.contextmanager
def local(folder: Path, variables: Mapping[str, str] = {}) -> Iterator[LocalTarget]:
    """Yield a system on ports and in a folder of its own, with short leases; it is killed afterwards.

    `variables` are set for the services besides their own. It is secured as the environment asks for: `SECURE=1` of
    make, or with tokens alone by the key of an issuer.
    """
    protect(os.environ)
    given = load(WorkbenchSettings, os.environ)
    settings = replace(settings_on_free_ports(users=1), secure=given.secure, token_key_file=given.token_key_file)
    with System(
        _with_variables(hastened(program), variables) for program in local_programs(settings, folder)
    ) as system:
        Lifecycle(system, settings).start()
        yield LocalTarget(system, settings, folder)


def _with_variables(program: Program, variables: Mapping[str, str]) -> Program:
    return program.with_environment(variables) if program.name in SERVICES else program
