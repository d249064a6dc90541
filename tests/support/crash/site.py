"""The system of the sweep: a whole local one with short leases, and each of its services also armed at each point."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from services.contracts.service_list import LAG_EXPORTER, WITH_API
from services.workbench.local.broker import broker
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.processes import Program
from services.workbench.local.system import System, local_programs
from services.workbench.local.trial import STATE, settings_on_free_ports
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


@contextmanager
def running(folder: Path, urls: Mapping[str, str]) -> Iterator[Site]:
    """Yield the system with these databases; it is killed at the end."""
    settings = settings_on_free_ports(users=1)
    programs = {one.name: own_program(one, settings, folder, urls) for one in local_programs(settings, folder)}
    del programs[LAG_EXPORTER]
    armed = [
        _armed(programs[one.program], one, when) for one in POINTS if one.reach not in COMMANDS for when in at.MOMENTS
    ]
    with System([*programs.values(), *armed]) as system:
        Lifecycle(system, settings).start()
        yield Site(system, settings, folder, {name: programs[name].environment for name in WITH_API})


def armed_name(point: Point, when: str) -> str:
    """Return the name of the program that dies at a point."""
    return f"{point.name} {when}"


def own_program(program: Program, settings: WorkbenchSettings, folder: Path, urls: Mapping[str, str]) -> Program:
    """Return a program of the system with short leases and sessions, and with its database."""
    if program.name == "broker":
        ports = settings.broker_port, settings.controller_port
        return broker(*ports, jars=STATE / "kafka", state=folder / "broker", more=SHORT_SESSIONS)
    if program.name not in WITH_API:
        return program
    own = {"APP_DATABASE_URL": urls[program.name], **SHORT.get(program.name, {})}
    return msgspec.structs.replace(program, environment={**program.environment, **own})


def _armed(program: Program, point: Point, when: str) -> Program:
    python, dash_m, module = program.argv
    ages = AGES if point.reach is Reach.FORGETTING else {}
    return msgspec.structs.replace(
        program,
        name=armed_name(point, when),
        argv=(python, dash_m, *at.through(when, point.step), module),
        environment={**program.environment, **ages},
    )
