"""A broker with TLS, login and an authorizer: a listener for each certificate, right or wrong."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import msgspec
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from services.chassis.kafka.access.acls import AccessAdmin, Acl
from services.chassis.kafka.settings import KafkaSettings
from services.workbench.local.broker import broker as local_broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System
from tests.support.broker import JARS, READY_S
from tests.support.certificates import AUTHORITY, CERTIFICATES, HOST, USER, Files

PASSWORD = "correct horse: battery"  # noqa: S105  # of the tests; it is part of a JAAS line, which quotes it


# Without an entry for a resource everybody may use it; with one, only those whom it names. A group has at most two
# members.
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
    "super.users": "User:ANONYMOUS",  # of the plaintext listeners
    "group.consumer.max.size": "2",
    "group.max.size": "2",
}


class SecureBroker(msgspec.Struct, frozen=True):
    """A broker that runs: a listener with SASL_SSL for each certificate, and one of each other kind."""

    system: System
    ports: Mapping[str, int]

    def address(self, listener: str) -> str:
        """Return the bootstrap servers of a listener."""
        return f"{HOST}:{self.ports[listener]}"

    def settings(self, listener: str, files: Files, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """Return the `APP_*` variables of a client with TLS and login."""
        return {
            "APP_KAFKA_BOOTSTRAP_SERVERS": self.address(listener),
            "APP_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
            "APP_KAFKA_CA_FILE": files.authority,
            "APP_KAFKA_SASL_MECHANISM": mechanism,
            "APP_KAFKA_USER": USER,
            "APP_KAFKA_PASSWORD": PASSWORD,
        }

    @contextmanager
    def only(self, right: str, kind: str, name: str, pattern: str = "LITERAL") -> Iterator[None]:
        """Give the user only one right on a topic or group, for a time; PREFIXED: on all whose names begin so."""
        row = Acl(f"User:{USER}", kind.lower(), name, right.title().replace("_", ""), pattern == "PREFIXED")
        self._administrator().add([row])
        try:
            yield
        finally:
            self._administrator().remove([row])

    def admit(self, user: str, password: str) -> None:
        """Give a user a login by SCRAM-SHA-512."""
        self._administrator().admit({user: password})

    def _administrator(self) -> AccessAdmin:
        patience = timedelta(seconds=READY_S)
        plain = KafkaSettings(kafka_bootstrap_servers=self.address("plaintext"), kafka_request_timeout=patience)
        return AccessAdmin(plain, "test")


@contextmanager
def running(folder: Path, more: Mapping[str, str] = MappingProxyType({}), *java: str) -> Iterator[SecureBroker]:
    """Run a broker; `more` goes over its configuration, `java` are options of its virtual machine."""
    names = [*CERTIFICATES, "mutual", "plaintext"]
    controller, *free = free_ports(len(names) + 1)
    ports = dict(zip(names, free, strict=True))
    config = AUTHORIZER | _listeners(ports, controller, folder) | dict(more)
    program = local_broker(ports["plaintext"], controller, jars=JARS, state=folder, more=config)
    program = msgspec.structs.replace(program, argv=(program.argv[0], *java, *program.argv[1:]))
    with System([program]) as system:
        system.start("broker")
        system.wait_ready(READY_S, "broker")
        broker = SecureBroker(system, ports)
        broker.admit(USER, PASSWORD)
        yield broker


def _listeners(ports: Mapping[str, int], controller: int, folder: Path) -> dict[str, str]:
    folder.mkdir(parents=True, exist_ok=True)
    AUTHORITY.cert_pem.write_to_path(str(folder / "ca.pem"))
    protocols, addresses = ["CONTROLLER:PLAINTEXT", "PLAINTEXT:PLAINTEXT"], [f"PLAINTEXT://{HOST}:{ports['plaintext']}"]
    config = {"sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512", "inter.broker.listener.name": "PLAINTEXT"}
    for name, certificate in {**CERTIFICATES, "mutual": CERTIFICATES["right"]}.items():
        listener = name.upper().replace(" ", "_")
        protocols.append(f"{listener}:{'SSL' if name == 'mutual' else 'SASL_SSL'}")
        addresses.append(f"{listener}://{HOST}:{ports[name]}")
        settings = _login() | _keys(certificate, folder / f"{listener}.pem", folder / "ca.pem")
        config |= {f"listener.name.{listener.lower()}.{key}": value for key, value in settings.items()}
    config["listener.name.mutual.ssl.client.auth"] = "required"
    config["listener.security.protocol.map"] = ",".join(protocols)
    config["listeners"] = ",".join([*addresses, f"CONTROLLER://127.0.0.1:{controller}"])
    return config


def _login() -> dict[str, str]:
    security = "org.apache.kafka.common.security"
    return {
        "plain.sasl.jaas.config": f'{security}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";',
        "scram-sha-512.sasl.jaas.config": f"{security}.scram.ScramLoginModule required;",
    }


def _keys(certificate: trustme.LeafCert, file: Path, authority: Path) -> dict[str, str]:
    key = load_pem_private_key(certificate.private_key_pem.bytes(), password=None)
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the one form that Kafka reads
    file.write_bytes(text + certificate.cert_chain_pems[0].bytes())
    stores = {"ssl.keystore": file, "ssl.truststore": authority}
    return {f"{s}.type": "PEM" for s in stores} | {f"{s}.location": str(place) for s, place in stores.items()}
