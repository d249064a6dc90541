"""The system of the sweep: a whole local one with short leases, and each of its services also armed at each point."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from services.contracts.service_list import LAG_EXPORTER, WITH_API
from services.workbench.local.broker import broker
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.local.system import MAILS, System, local_programs
from services.workbench.local.trial import STATE, settings_on_free_ports
from services.workbench.reconcile import collection
from services.workbench.settings import WorkbenchSettings
from tests.support.crash import at
from tests.support.crash.points import POINTS, Point, Reach
from tests.support.notification_process import SHORT_SESSIONS

SHORT_LEASE = {"APP_RELAY_LEASE": "2s", "APP_KAFKA_MESSAGE_TIMEOUT": "1s"}
SHORT = {
    "user": SHORT_LEASE,
    "notification": {**SHORT_LEASE, "APP_SMTP_TIMEOUT": "400ms", "APP_SENDER_CLAIM_TIME": "4s"},
    "audit": {"APP_KAFKA_MESSAGE_TIMEOUT": "1s"},
}
AGES = {
    "APP_FORGET_EVERY": "1s",
    "APP_RECORDS_RETURN": "1s",
    **dict.fromkeys(("APP_KEEP_INBOX", "APP_KEEP_MAILS", "APP_KEEP_ADDRESSES"), "3s"),
    "APP_KEEP_HELD": "2s",
}
COMMANDS = {Reach.REBUILD, Reach.RESTORE}


class Site(msgspec.Struct, frozen=True):
    """The system that runs, its settings and folder, and the settings of each service."""

    system: System
    settings: WorkbenchSettings
    folder: Path
    environments: Mapping[str, Mapping[str, str]]

    def url(self, service: str) -> str:
        """Return the URL of a service's database."""
        return self.environments[service]["APP_DATABASE_URL"]

    def compared(self) -> collection.System:
        """Return where the evidence of this system is."""
        return collection.System(
            kafka=self.settings.client,
            audit_url=f"http://{HOST}:{self.settings.port('audit')}",
            mails=self.folder / MAILS,
            user_database=self.url("user"),
        )


@contextmanager
def running(folder: Path, urls: Mapping[str, str]) -> Iterator[Site]:
    """Yield the system with these databases; it is killed at the end."""
    settings = settings_on_free_ports(users=1)
    programs = own_programs(settings, folder, urls)
    armed = [
        _armed(programs[one.program], one, when) for one in POINTS if one.reach not in COMMANDS for when in at.MOMENTS
    ]
    with started([*programs.values(), *armed], settings, folder) as site:
        yield site


@contextmanager
def started(programs: Sequence[Program], settings: WorkbenchSettings, folder: Path) -> Iterator[Site]:
    """Yield a system of these programs, of which the usual ones run; it is killed at the end."""
    with System(programs) as system:
        Lifecycle(system, settings).start()
        yield Site(system, settings, folder, {one.name: one.environment for one in programs if one.name in WITH_API})


def own_programs(settings: WorkbenchSettings, folder: Path, urls: Mapping[str, str]) -> dict[str, Program]:
    """Return the programs of a system on these databases by name, without the probe of lag."""
    programs = {one.name: _own_program(one, settings, folder, urls) for one in local_programs(settings, folder)}
    del programs[LAG_EXPORTER]
    return programs


def armed_name(point: Point, when: str) -> str:
    """Return the name of the program that dies at a point."""
    return f"{point.name} {when}"


def _own_program(program: Program, settings: WorkbenchSettings, folder: Path, urls: Mapping[str, str]) -> Program:
    """Return a program of the system with short leases and sessions, and with its database."""
    if program.name == "broker":
        ports = settings.broker_port, settings.controller_port
        return broker(*ports, jars=STATE / "kafka", state=folder / "broker", more=SHORT_SESSIONS)
    if program.name not in WITH_API:
        return program
    return program.with_environment({"APP_DATABASE_URL": urls[program.name], **SHORT.get(program.name, {})})


def _armed(program: Program, point: Point, when: str) -> Program:
    python, dash_m, module = program.argv
    argv = (python, dash_m, *at.through(when, point.step), module)
    armed = msgspec.structs.replace(program, name=armed_name(point, when), argv=argv)
    return armed.with_environment(AGES) if point.reach is Reach.FORGETTING else armed
