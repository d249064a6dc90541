"""The system that a campaign breaks: one of its own on this machine, or the release of compose or kind."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path

import msgspec

from services.console.failures import UsageError
from services.console.logins import DOCKER_COMPOSE, IN_KIND
from services.console.running import published
from services.contracts.access import ADMINISTRATOR
from services.contracts.service_list import SERVICES
from services.workbench.chaos.network import network
from services.workbench.faults.compose_parts import ComposeParts
from services.workbench.faults.conditions.clocks import clocks_of
from services.workbench.faults.conditions.disks import Disk, Disks, mounted, unmount
from services.workbench.faults.conditions.network import Cuts
from services.workbench.faults.conditions.protection import FileProtection, ServerProtection
from services.workbench.faults.injector import Injector
from services.workbench.faults.kind_parts import KindParts
from services.workbench.faults.local_parts import LocalParts, stores
from services.workbench.faults.table import BROKER, DATABASE
from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import MAILS, System, local_programs, require_ports
from services.workbench.reconcile import collection, psql
from services.workbench.settings import WorkbenchSettings

FOLDER = "chaos"


class Target(StrEnum):
    """Where the system runs. The first two are started here: with a file of each service, or a database server."""

    LOCAL = "local"
    POSTGRESQL = "postgresql"
    COMPOSE = "compose"
    KIND = "kind"


NAMES = {Target.COMPOSE: DOCKER_COMPOSE, Target.KIND: IN_KIND}


class Site(msgspec.Struct, frozen=True):
    """A system: its name, the address of its commands, how it is broken, and where its evidence is.

    `problems` is filled while a system that was started here ends.
    """

    name: str
    user_url: str
    injector: Injector
    evidence: collection.System
    problems: list[str]


def folder_of(settings: WorkbenchSettings, target: Target) -> Path:
    """Return where a campaign writes. Systems that run elsewhere have one each: campaigns may be side by side."""
    return settings.folder(f"{FOLDER}-{target}" if target in NAMES else FOLDER)


@contextlib.contextmanager
def site(settings: WorkbenchSettings, target: Target, say: Callable[[str], None]) -> Iterator[Site]:
    """Yield the system. Raises UsageError if it does not run, and what starting and stopping raise."""
    if target not in NAMES:
        with _own(settings, target, say) as started:
            yield started
        return
    (found,) = (one for one in published(os.environ) if one.name == NAMES[target])
    if not found.listens():
        raise UsageError(f"{found.name} does not run here: `docker compose up --wait` or `make deploy` starts it")
    found.lend_token(settings.state_dir)
    kafka = found.client(settings)
    parts = ComposeParts() if target is Target.COMPOSE else KindParts()
    evidence = collection.System(
        kafka=kafka,
        audit_url=found.urls["audit"],
        mailpit_url=found.mails,
        psql_prefix=psql.PREFIXES[found.name],
    )
    yield Site(found.name, found.urls["user"], Injector(parts, found.client(settings, ADMINISTRATOR)), evidence, [])


@contextlib.contextmanager
def _own(settings: WorkbenchSettings, target: Target, say: Callable[[str], None]) -> Iterator[Site]:
    """Start a system of the campaign's own, on disks of its own if it may mount them. Raises UsageError."""
    require_ports(settings)
    folder = folder_of(settings, target)
    with _stores_folder(folder, target) as databases:
        disks = {DATABASE: databases, BROKER: folder / "broker" / "data"}
        unmount(list(disks.values()))
        shutil.rmtree(folder, ignore_errors=True)
        with mounted(disks) as own, _server(target, databases) as server:
            kept = _Kept(databases, server, own)
            with _started(settings, folder, kept, say) as started:
                yield started


@contextlib.contextmanager
def _stores_folder(folder: Path, target: Target) -> Iterator[Path]:
    if target is Target.LOCAL:
        yield folder / "stores"
        return
    with tempfile.TemporaryDirectory(prefix="eventline-chaos-") as apart:  # where the server's user may go
        Path(apart).chmod(0o755)
        yield Path(apart)


@contextlib.contextmanager
def _server(target: Target, databases: Path) -> Iterator[postgres.Server | None]:
    """Yield a PostgreSQL server with its files in a folder, None for SQLite. Raises UsageError if none is installed."""
    if target is Target.LOCAL:
        yield None
        return
    if (binaries := postgres.binaries()) is None:
        raise UsageError("PostgreSQL is not installed: apt-get install postgresql, or use --target local")
    with contextlib.closing(postgres.Server(binaries, free_ports(1)[0], parent=databases)) as server:
        yield server


class _Kept(msgspec.Struct, frozen=True):
    """Where a system keeps its data: the folder of its stores, its database server, and disks of its own."""

    databases: Path
    server: postgres.Server | None
    disks: Mapping[str, Disk]

    def urls(self) -> Mapping[str, str]:
        """Return a fresh database for each service."""
        return {
            name: self.server.fresh_url() if self.server else f"sqlite:///{self.databases / name}.db"
            for name in SERVICES
        }


@contextlib.contextmanager
def _started(settings: WorkbenchSettings, folder: Path, kept: _Kept, say: Callable[[str], None]) -> Iterator[Site]:
    urls, clocks = kept.urls(), clocks_of((*SERVICES, BROKER), folder / "clocks")
    with (
        network(settings, urls) as net,
        System([clocks.given(net.joined(program, folder)) for program in local_programs(settings, folder)]) as system,
    ):
        life = Lifecycle(system, settings, say)
        life.start()
        evidence = collection.System(
            kafka=settings.client,
            audit_url=f"http://{HOST}:{settings.port('audit')}",
            mails=folder / MAILS,
            user_database=urls["user"],
            notification_database=urls["notification"],
        )
        parts = LocalParts(system, kept.databases, kept.server)
        conditions = {
            "fill": Disks(kept.disks, parts),
            "write-protect": _protection(kept, urls),
            "cut": Cuts(net.gates),
            "shift": clocks,
        }
        injector = Injector(parts, settings.administrator, conditions)
        name = f"a system on this machine{' with PostgreSQL' if kept.server else ''}"
        yield Site(name, f"http://{HOST}:{settings.port('user')}", injector, evidence, life.problems)
        life.end()


def _protection(kept: _Kept, urls: Mapping[str, str]) -> ServerProtection | FileProtection:
    return ServerProtection(urls["user"]) if kept.server else FileProtection(stores(kept.databases))
