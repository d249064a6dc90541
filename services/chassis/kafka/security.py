"""Kafka TLS and SASL settings, and the check for contradictions between them."""

from typing import Annotated

import msgspec

from services.chassis.net import tls
from services.chassis.settings.environment import Mixin, settings

PROTOCOL = "APP_KAFKA_SECURITY_PROTOCOL"


@settings
class KafkaSecurity(Mixin):
    """TLS and login towards Kafka. Files are PEM; without `kafka_ca_file` the system's authorities are trusted.

    No client falls back to a weaker protocol.
    """

    kafka_security_protocol: Annotated[str, msgspec.Meta(pattern="^(plaintext|ssl|sasl_plaintext|sasl_ssl)\\Z")] = (
        "plaintext"
    )
    kafka_ca_file: str = ""
    kafka_certificate_file: str = ""
    kafka_key_file: str = ""
    kafka_sasl_mechanism: Annotated[str, msgspec.Meta(pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)\\Z")] = ""
    kafka_user: str = ""
    kafka_password: str = ""

    @property
    def encrypts(self) -> bool:
        """True if the protocol uses TLS."""
        return self.kafka_security_protocol.endswith("ssl")

    @property
    def logs_in(self) -> bool:
        """True if the protocol uses SASL."""
        return self.kafka_security_protocol.startswith("sasl")

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        login = _given(self, "sasl_mechanism", "user", "password")
        files = _given(self, "ca_file", "certificate_file", "key_file")
        problems = self._login_problems() if self.logs_in else self._idle(login, "sasl_ssl")
        return (
            super().problems()
            + problems
            + (self._file_problems() if self.encrypts else self._idle(files, "ssl or sasl_ssl"))
        )

    def _idle(self, given: dict[str, str], remedy: str) -> list[str]:
        if not any(given.values()):
            return []
        names = ", ".join(name for name, value in given.items() if value)
        setting = f"{PROTOCOL}={self.kafka_security_protocol}"
        return [f"{names} would be ignored with {setting}: write {PROTOCOL}={remedy}, or omit the others"]

    def _login_problems(self) -> list[str]:
        given = _given(self, "sasl_mechanism", "user", "password")
        setting = f"{PROTOCOL}={self.kafka_security_protocol}"
        problems = [f"{name} is missing: {setting} needs it" for name, value in given.items() if not value]
        if self.kafka_sasl_mechanism == "PLAIN" and not self.encrypts:
            advice = f"write {PROTOCOL}=sasl_ssl, or APP_KAFKA_SASL_MECHANISM=SCRAM-SHA-512 as the broker has it"
            problems.append(f"APP_KAFKA_PASSWORD would travel in the clear with PLAIN and {setting}: {advice}")
        return problems

    def _file_problems(self) -> list[str]:
        problems = []
        if self.kafka_ca_file and (wrong := tls.authority_problem(self.kafka_ca_file)):
            problems.append(f"APP_KAFKA_CA_FILE={self.kafka_ca_file!r} {wrong}: name a file of certificates in PEM")
        pair = "APP_KAFKA_CERTIFICATE_FILE and APP_KAFKA_KEY_FILE"
        if bool(self.kafka_certificate_file) != bool(self.kafka_key_file):
            problems.append(f"{pair} belong together: give both or neither")
        elif self.kafka_key_file and (wrong := tls.pair_problem(self.kafka_certificate_file, self.kafka_key_file)):
            problems.append(f"{pair}: {wrong}")
        return problems


def _given(settings: KafkaSecurity, *names: str) -> dict[str, str]:
    return {f"APP_KAFKA_{name.upper()}": getattr(settings, f"kafka_{name}") for name in names}
