"""Logins of the local broker's clients, one per process, and the settings that a client needs to use one."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import msgspec

from services.chassis.kafka.settings import KafkaSettings
from services.contracts.access import MECHANISM, PRINCIPALS, kafka_name
from services.workbench.local.access import certificates, passwords
from services.workbench.local.access.certificates import Certificates

BROKER = "broker"
S = TypeVar("S", bound=KafkaSettings)


class Logins(msgspec.Struct, frozen=True):
    """Passwords and certificates of one broker, in a folder. Without certificates there is no TLS."""

    passwords: Path
    broker_secrets: Path
    certificates: Certificates | None = None

    def password(self, login: str) -> str:
        """Return a login's password. Raises FileNotFoundError for an unknown one."""
        return passwords.read(self.passwords, login)

    def broker_password(self) -> str:
        """Return the password with which the broker logs in to itself and to its controller."""
        return passwords.read(self.broker_secrets, BROKER)

    def settings(self, settings: S, login: str) -> S:
        """Return a client's settings with a login."""
        authority = self.certificates and str(self.certificates.authority.absolute())
        return replace(
            settings,
            kafka_security_protocol="sasl_ssl" if authority else "sasl_plaintext",
            kafka_ca_file=authority or "",
            kafka_sasl_mechanism=MECHANISM,
            kafka_user=kafka_name(login),
            kafka_password=self.password(login),
        )


def ensure(folder: Path, *, tls: bool = False) -> Logins:
    """Return the logins in a folder; passwords and certificates that are missing are generated."""
    logins = Logins(folder / "passwords", folder / "broker", certificates.ensure(folder / "tls") if tls else None)
    passwords.ensure(logins.passwords, PRINCIPALS)
    passwords.ensure(logins.broker_secrets, [BROKER])
    return logins
