"""The local broker with access control: SCRAM-SHA-512 for clients, PLAIN from a file inside, deny by default.

Broker and controller log in by PLAIN, because SCRAM credentials are records of the log that they have yet to read.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from services.contracts.access import ADMINISTRATOR, MECHANISM, kafka_name
from services.workbench.local.access.certificates import Certificates
from services.workbench.local.access.logins import BROKER, Logins
from services.workbench.local.broker import Node, program
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program

SECURITY = "org.apache.kafka.common.security"
# StandardAuthorizer logs each denial at INFO, the network layer each failed login.
LOGGED = ("kafka.authorizer.logger=info", "org.apache.kafka.common.network.Selector=info")
DENIED = "is Denied operation"  # in each denial's line of the broker's log
REAUTHENTICATION_MS = 3_600_000  # a changed password is asked for within it


class Ports(msgspec.Struct, frozen=True):
    """Ports of the listeners: for clients, for the broker itself, and for its controller.

    `proxied` are further listeners for clients, by name: the port, and that of a proxy by which clients reach it.
    """

    client: int
    internal: int
    controller: int
    proxied: Mapping[str, tuple[int, int]] = {}


def secured_broker(ports: Ports, jars: Path, state: Path, logins: Logins) -> Program:
    """Write the configuration, format the data folder if it is new, with the administrator's login, and return it.

    Raises FileNotFoundError without jars, ProcessError when the format fails.
    """
    node = Node(
        port=ports.client,
        controller_port=ports.controller,
        more=properties(ports, logins),
        users={kafka_name(ADMINISTRATOR): logins.password(ADMINISTRATOR)},
        logged=LOGGED,
    )
    return program(node, jars, state)


def properties(ports: Ports, logins: Logins) -> dict[str, str]:
    """Return what access control adds to a broker's configuration; passwords are named by their file."""
    secret = f"${{files:{logins.broker_secrets.absolute()}:{BROKER}}}"
    plain = (
        f'{SECURITY}.plain.PlainLoginModule required username="{BROKER}" password="{secret}" user_{BROKER}="{secret}";'
    )
    clients = {"CLIENT": (ports.client, ports.client), **ports.proxied}
    own = {name: port for name, (port, _) in clients.items()} | {"INTERNAL": ports.internal}
    reached = {name: port for name, (_, port) in clients.items()} | {"INTERNAL": ports.internal}
    protocol = "SASL_SSL" if logins.certificates else "SASL_PLAINTEXT"
    protocols = dict.fromkeys(clients, protocol) | dict.fromkeys(("INTERNAL", "CONTROLLER"), "SASL_PLAINTEXT")
    return {
        "listeners": _addresses(own | {"CONTROLLER": ports.controller}),
        "advertised.listeners": _addresses(reached),
        "inter.broker.listener.name": "INTERNAL",
        "listener.security.protocol.map": ",".join(f"{name}:{one}" for name, one in protocols.items()),
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.internal.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.internal.plain.sasl.jaas.config": plain,
        "listener.name.controller.plain.sasl.jaas.config": plain,
        "config.providers": "files",
        "config.providers.files.class": "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{BROKER};User:{kafka_name(ADMINISTRATOR)}",
        "allow.everyone.if.no.acl.found": "false",
        "connections.max.reauth.ms": str(REAUTHENTICATION_MS),
        **{key: value for name in clients for key, value in _client_listener(name, logins.certificates).items()},
    }


def denials(log: Path) -> list[str]:
    """Return the denials in a broker's log: principal, operation and resource, a line each."""
    return [line for line in log.read_text(errors="replace").splitlines() if DENIED in line]


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{port}" for name, port in ports.items())


def _client_listener(name: str, certificates: Certificates | None) -> dict[str, str]:
    scram = f"{SECURITY}.scram.ScramLoginModule required;"
    settings = {"sasl.enabled.mechanisms": MECHANISM, "scram-sha-512.sasl.jaas.config": scram}
    if certificates:
        settings |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": str(certificates.broker.absolute())}
    return {f"listener.name.{name.lower()}.{key}": value for key, value in settings.items()}
