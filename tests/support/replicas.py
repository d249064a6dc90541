"""Local systems on one PostgreSQL whose services have a second process."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from services.contracts.service_list import SERVICES
from services.workbench.local.free_ports import free_ports
from services.workbench.local.processes import Program
from services.workbench.local.system import local_programs, service, service_environment
from services.workbench.local.trial import Trial, haste
from services.workbench.settings import WorkbenchSettings


def programs(settings: WorkbenchSettings, urls: Mapping[str, str], folder: Path) -> list[Program]:
    """Return the local system with its stores on PostgreSQL."""
    parts = [part for part in local_programs(settings, folder) if part.name not in SERVICES]
    return parts + [service(name, environment(name, settings, urls, folder), folder) for name in SERVICES]


def twin(name: str, settings: WorkbenchSettings, urls: Mapping[str, str], folder: Path) -> Program:
    """Return a second process of a service, on ports of its own."""
    http, metrics = free_ports(2)
    ports = {"APP_HTTP_PORT": str(http), "APP_METRICS_PORT": str(metrics)}
    second = service(name, {**environment(name, settings, urls, folder), **ports}, folder)
    return msgspec.structs.replace(second, name=f"{name}-2", log=folder / f"{name}-2.log")


def environment(name: str, settings: WorkbenchSettings, urls: Mapping[str, str], folder: Path) -> dict[str, str]:
    """Return a service's variables, with a database on PostgreSQL and short leases."""
    return {**service_environment(name, settings, folder), **haste(name), "APP_DATABASE_URL": urls[name]}


async def leader(run: Trial, name: str) -> str:
    """Return the name of that process of a service whose relay leads."""
    return name if await run.metric(name, "relay_epoch") > 0 else f"{name}-2"
