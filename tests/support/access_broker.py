"""A broker with the access control of `make run SECURE=1`, without a right for anybody but the administrator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # re-exported, unmarked
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from services.chassis.kafka import config
from services.chassis.kafka.settings import KafkaSettings
from services.contracts.access import kafka_name
from services.workbench.local.access import logins
from services.workbench.local.access.logins import Logins
from services.workbench.local.access.secured_broker import Ports, denials, secured_broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.system import System
from tests.support.broker import JARS, READY_S


class AccessBroker(msgspec.Struct, frozen=True):
    """A broker that runs, with the password of each login."""

    system: System
    ports: Ports
    logins: Logins
    log: Path

    def settings(self, login: str) -> KafkaSettings:
        """Return the settings of a client with a login: a service's name, `topics`, `operator`, `lag-exporter`."""
        return self.logins.settings(KafkaSettings(kafka_bootstrap_servers=f"{HOST}:{self.ports.client}"), login)

    def admit(self, *names: str) -> None:
        """Make the login of principals, with their passwords; they have no right by it."""
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
        made: list[UserScramCredentialAlteration] = [
            UserScramCredentialUpsertion(kafka_name(name), scram, self.logins.password(name).encode()) for name in names
        ]
        admin = AdminClient(config.client(self.settings("topics"), "test"))
        for future in admin.alter_user_scram_credentials(made).values():
            future.result(READY_S)

    def denials(self) -> list[str]:
        """Return what the authorizer denied, a line each."""
        return denials(self.log)


@contextmanager
def running(folder: Path, *, tls: bool = False) -> Iterator[AccessBroker]:
    """Run a broker with its state in a folder."""
    made = logins.ensure(folder / "access", tls=tls)
    client, internal, controller = free_ports(3)
    ports = Ports(client, internal, controller)
    program = secured_broker(ports, JARS, folder / "broker", made)
    with System([program]) as system:
        system.start("broker")
        system.wait_ready(READY_S, "broker")
        yield AccessBroker(system, ports, made, program.log)
