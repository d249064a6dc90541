"""The system that a campaign breaks: one of its own on this machine, or the release of compose or kind."""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import StrEnum

import msgspec

from services.console.failures import UsageError
from services.console.running import DOCKER_COMPOSE, IN_KIND, published
from services.workbench.faults.compose_parts import ComposeParts
from services.workbench.faults.injector import Injector
from services.workbench.faults.kind_parts import KindParts
from services.workbench.faults.local_parts import LocalParts
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.system import MAILS, System, local_programs, require_ports
from services.workbench.reconcile import collection
from services.workbench.settings import WorkbenchSettings

FOLDER = "chaos"


class Target(StrEnum):
    """Where the system runs."""

    LOCAL = "local"
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


@contextlib.contextmanager
def site(settings: WorkbenchSettings, target: Target, say: Callable[[str], None]) -> Iterator[Site]:
    """Yield the system. Raises UsageError if it does not run, and what starting and stopping raise."""
    if target is Target.LOCAL:
        with _started(settings, say) as started:
            yield started
        return
    (found,) = (one for one in published(os.environ) if one.name == NAMES[target])
    if not found.listens():
        raise UsageError(f"{found.name} does not run here: `docker compose up --wait` or `make deploy` starts it")
    kafka = replace(settings, kafka_bootstrap_servers=found.kafka)
    parts = ComposeParts() if target is Target.COMPOSE else KindParts()
    evidence = collection.System(kafka=kafka, audit_url=found.urls["audit"])
    yield Site(found.name, found.urls["user"], Injector(parts, kafka), evidence, [])


@contextlib.contextmanager
def _started(settings: WorkbenchSettings, say: Callable[[str], None]) -> Iterator[Site]:
    folder = settings.folder(FOLDER)
    require_ports(settings)
    shutil.rmtree(folder, ignore_errors=True)
    with System(local_programs(settings, folder)) as system:
        life = Lifecycle(system, settings, say)
        life.start()
        evidence = collection.System(
            kafka=settings.client,
            audit_url=f"http://{HOST}:{settings.port('audit')}",
            mails=folder / MAILS,
            user_database=f"sqlite:///{folder / 'user.db'}",
        )
        injector = Injector(LocalParts(system, folder), settings.client)
        yield Site(
            "a system on this machine", f"http://{HOST}:{settings.port('user')}", injector, evidence, life.problems
        )
        life.end()
