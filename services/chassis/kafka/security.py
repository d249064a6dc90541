"""Kafka TLS and SASL settings, and the check for contradictions between them."""

import ssl
from typing import Annotated
from urllib.parse import urlsplit

import msgspec

from services.chassis.net import tls
from services.chassis.settings.environment import Mixin, settings

PROTOCOL = "APP_KAFKA_SECURITY_PROTOCOL"
MECHANISM = "APP_KAFKA_SASL_MECHANISM"
OAUTHBEARER = "OAUTHBEARER"
IN_THE_CLEAR = {"PLAIN": "APP_KAFKA_PASSWORD", OAUTHBEARER: "the token"}  # what a mechanism sends unless TLS hides it
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@settings
class KafkaSecurity(Mixin):
    """TLS and login towards Kafka. Files are PEM; without `kafka_ca_file` the system's authorities are trusted.

    No client falls back to a weaker protocol. With OAUTHBEARER each client gets a token from `kafka_oauth_token_url` by
    the grant of client credentials, and a new one before it expires: `kafka_user` is the client's id, `kafka_password`
    its secret; the broker takes the principal from the token.
    """

    kafka_security_protocol: Annotated[str, msgspec.Meta(pattern="^(plaintext|ssl|sasl_plaintext|sasl_ssl)\\Z")] = (
        "plaintext"
    )
    kafka_ca_file: str = ""
    kafka_certificate_file: str = ""
    kafka_key_file: str = ""
    kafka_sasl_mechanism: Annotated[
        str, msgspec.Meta(pattern="^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512|OAUTHBEARER)\\Z")
    ] = ""
    kafka_user: str = ""
    kafka_password: str = ""
    kafka_oauth_token_url: str = ""
    kafka_oauth_scope: str = ""
    kafka_oauth_extensions: Annotated[
        str,
        msgspec.Meta(
            pattern="^([A-Za-z]+=[^,=]+(,[A-Za-z]+=[^,=]+)*)?\\Z",
            description="a list of name=value, separated by commas",
        ),
    ] = ""
    kafka_oauth_ca_file: str = ""

    @property
    def encrypts(self) -> bool:
        """True if the protocol uses TLS."""
        return self.kafka_security_protocol.endswith("ssl")

    @property
    def logs_in(self) -> bool:
        """True if the protocol uses SASL."""
        return self.kafka_security_protocol.startswith("sasl")

    @property
    def uses_tokens(self) -> bool:
        """True if the login is a token of an OAuth issuer."""
        return self.kafka_sasl_mechanism == OAUTHBEARER

    def trusted(self) -> ssl.SSLContext:
        """Return the authorities that clients trust, and the certificate that they show. Raises OSError."""
        return tls.context(self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file)

    def problems(self) -> list[str]:
        """Return contradictions between settings, a line each."""
        login = _given(self, "sasl_mechanism", "user", "password")
        files = _given(self, "ca_file", "certificate_file", "key_file")
        problems = self._login_problems() if self.logs_in else self._idle(login, "sasl_ssl")
        return (
            super().problems()
            + problems
            + self._oauth_problems()
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
        if (sent := IN_THE_CLEAR.get(self.kafka_sasl_mechanism)) and not self.encrypts:
            advice = f"write {PROTOCOL}=sasl_ssl, or {MECHANISM}=SCRAM-SHA-512 as the broker has it"
            mechanism = self.kafka_sasl_mechanism
            problems.append(f"{sent} would travel in the clear with {mechanism} and {setting}: {advice}")
        return problems

    def _oauth_problems(self) -> list[str]:
        given = _given(self, "oauth_token_url", "oauth_scope", "oauth_extensions", "oauth_ca_file")
        if not self.uses_tokens:
            names = ", ".join(name for name, value in given.items() if value)
            remedy = f"write {MECHANISM}={OAUTHBEARER}, or omit them"
            return [f"{names} would be ignored without {MECHANISM}={OAUTHBEARER}: {remedy}"] if names else []
        return [*self._url_problems(), *_authority_problems(self, "oauth_ca_file")]

    def _url_problems(self) -> list[str]:
        url, name = self.kafka_oauth_token_url, "APP_KAFKA_OAUTH_TOKEN_URL"
        if not url:
            return [f"{name} is missing: {MECHANISM}={OAUTHBEARER} needs it"]
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            return [f"{name}={url!r} is no URL: write one such as https://issuer.example.org/oauth2/token"]
        if parts.scheme == "http" and parts.hostname not in LOOPBACK:
            return [f"APP_KAFKA_PASSWORD would travel in the clear to {name}={url!r}: write https://"]
        if parts.scheme == "http" and self.kafka_oauth_ca_file:
            return [f"APP_KAFKA_OAUTH_CA_FILE would be ignored with {name}={url!r}: write https://, or omit it"]
        return []

    def _file_problems(self) -> list[str]:
        problems = _authority_problems(self, "ca_file")
        pair = "APP_KAFKA_CERTIFICATE_FILE and APP_KAFKA_KEY_FILE"
        if bool(self.kafka_certificate_file) != bool(self.kafka_key_file):
            problems.append(f"{pair} belong together: give both or neither")
        elif self.kafka_key_file and (wrong := tls.pair_problem(self.kafka_certificate_file, self.kafka_key_file)):
            problems.append(f"{pair}: {wrong}")
        return problems


def _given(settings: KafkaSecurity, *names: str) -> dict[str, str]:
    return {f"APP_KAFKA_{name.upper()}": getattr(settings, f"kafka_{name}") for name in names}


def _authority_problems(settings: KafkaSecurity, field: str) -> list[str]:
    [(name, file)] = _given(settings, field).items()
    wrong = tls.authority_problem(file) if file else None
    return [f"{name}={file!r} {wrong}: name a file of certificates in PEM"] if wrong else []
