"""Finds the running system that is to be broken: `make run`, compose or kind, and no other."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

import aiohttp

from services.console.logins import DOCKER_COMPOSE
from services.console.running import NothingRunsError, Running, published
from services.contracts.access import ADMINISTRATOR
from services.workbench.api_clients import api_session
from services.workbench.faults.breaker import Breaker, Status
from services.workbench.faults.compose_parts import ComposeParts
from services.workbench.faults.effects.inboxes import MailpitMails
from services.workbench.faults.effects.measurement import Site
from services.workbench.faults.injector import Injector
from services.workbench.faults.kind_parts import KindParts
from services.workbench.faults.live_page import RemoteBreaker
from services.workbench.faults.table import Fault
from services.workbench.local.ports import HOST
from services.workbench.local.processes import answers
from services.workbench.settings import WorkbenchSettings

LOOK = aiohttp.ClientTimeout(2)
ONLY = "faults are caused in `make run`, docker compose and kind only, never in another system"


class AnyBreaker(Protocol):
    """The faults of a system, wherever its parts are; see `breaker.Breaker`."""

    async def status(self) -> Status:
        """Return the present status."""

    async def begin(self, fault: Fault, seconds: float) -> int:
        """Cause a fault; return the number of the report that will cover it. Raises FaultError."""

    async def heal(self) -> list[str]:
        """Heal everything now; return what was healed."""


@contextlib.asynccontextmanager
async def running(settings: WorkbenchSettings, environment: Mapping[str, str]) -> AsyncIterator[tuple[str, AnyBreaker]]:
    """Yield the name and the faults of the first system that runs. Raises NothingRunsError."""
    page = f"http://{HOST}:{settings.page_port}"
    containers = [found for found in published(environment) if found.listens()]
    for one in containers[:1]:
        one.lend_token(settings.state_dir)  # before the session, which reads the environment
    async with api_session(timeout=LOOK) as session:
        if answers(HOST, settings.page_port) is None:
            yield f"make run ({page})", RemoteBreaker(session, page)
        elif containers:
            breaker = _of(containers[0], settings, session)
            try:
                yield containers[0].name, breaker
            finally:
                await breaker.close()
        else:
            raise NothingRunsError(f"no running system was found; {ONLY}: start one with `make run`")


def _of(found: Running, settings: WorkbenchSettings, session: aiohttp.ClientSession) -> Breaker:
    kafka = found.client(settings)
    site = Site(
        name=found.name,
        user_url=found.urls["user"],
        audit_url=found.urls["audit"],
        kafka=kafka,
        mails=lambda run: MailpitMails(session, found.mails, run),
    )
    parts = ComposeParts() if found.name == DOCKER_COMPOSE else KindParts()
    return Breaker(Injector(parts, found.client(settings, ADMINISTRATOR)), site, session)
