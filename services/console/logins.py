"""Kafka logins of the systems that run in containers on this machine: of compose by variables, of kind by Secrets."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace

from services.console.settings import S
from services.contracts.access import MECHANISM, OPERATOR, kafka_name

DOCKER_COMPOSE, IN_KIND = "docker compose", "kind"
SECRETS = ("kubectl", "--context", "kind-eventline", "--namespace", "eventline", "get", "secret")
ANSWERS_S = 20.0


def reached(settings: S, system: str, broker: str, environment: Mapping[str, str], login: str = OPERATOR) -> S:
    """Return settings that reach a system's broker, with a login unless they have one or the system needs none."""
    settings = replace(settings, kafka_bootstrap_servers=broker)
    if settings.logs_in or not (password := _password(system, environment, login)):
        return settings
    return replace(
        settings,
        kafka_security_protocol="sasl_plaintext",
        kafka_sasl_mechanism=MECHANISM,
        kafka_user=kafka_name(login),
        kafka_password=password,
    )


def _password(system: str, environment: Mapping[str, str], login: str) -> str:
    """Return a login's password, nothing where the system has no logins."""
    if system == DOCKER_COMPOSE:
        variable = f"KAFKA_{login.upper().replace('-', '_')}_PASSWORD"
        return environment.get(variable) or kafka_name(login)  # as docker-compose.yml has it
    return _of_secret(f"eventline-kafka-{login}") if system == IN_KIND else ""


def _of_secret(name: str) -> str:
    """Return the password in a Secret of the release on kind, nothing if it has none."""
    template = "--output=go-template={{.data.password | base64decode}}"
    try:
        done = subprocess.run(  # noqa: S603  # a program named here, no shell
            (*SECRETS, name, template), capture_output=True, text=True, check=False, timeout=ANSWERS_S
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
