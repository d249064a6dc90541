"""Kafka logins of the systems that run in containers on this machine: of compose by variables, of kind by Secrets."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from services.console.settings import S
from services.contracts.access import MECHANISM, OPERATOR, kafka_name

DOCKER_COMPOSE, IN_KIND = "docker compose", "kind"
GET = ("kubectl", "--context", "kind-eventline", "--namespace", "eventline", "get")
SECRETS = (*GET, "secret")
ANSWERS_S = 20.0
# With TLS the release's clients have a volume with the authority of its broker.
AUTHORITY = '{{range .spec.template.spec.volumes}}{{if eq .name "kafka-ca"}}{{.secret.secretName}}{{end}}{{end}}'


def reached(settings: S, system: str, broker: str, environment: Mapping[str, str], login: str = OPERATOR) -> S:
    """Return settings that reach a system's broker, with a login unless they have one or the system needs none."""
    settings = replace(settings, kafka_bootstrap_servers=broker)
    if settings.logs_in or not (password := _password(system, environment, login)):
        return settings
    authority = _authority(settings.state_dir) if system == IN_KIND else ""
    return replace(
        settings,
        kafka_security_protocol="sasl_ssl" if authority else "sasl_plaintext",
        kafka_ca_file=authority,
        kafka_sasl_mechanism=MECHANISM,
        kafka_user=kafka_name(login),
        kafka_password=password,
    )


def output(*argv: str) -> str:
    """Return what a program says, nothing if it fails, is missing or is late."""
    try:
        done = subprocess.run(  # noqa: S603  # programs named in this package, no shell
            argv, capture_output=True, text=True, check=False, timeout=ANSWERS_S
        )
    except (FileNotFoundError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _password(system: str, environment: Mapping[str, str], login: str) -> str:
    """Return a login's password, nothing where the system has no logins."""
    if system == DOCKER_COMPOSE:
        variable = f"KAFKA_{login.upper().replace('-', '_')}_PASSWORD"
        return environment.get(variable) or kafka_name(login)  # as docker-compose.yml has it
    return _of_secret(f"eventline-kafka-{login}", "password").strip() if system == IN_KIND else ""


def _authority(state: Path) -> str:
    """Write the authority of the broker's certificate on kind into a file, and return its path, nothing without TLS."""
    secret = output(*GET, "deployment", "eventline-console", f"--output=go-template={AUTHORITY}")
    if not secret:
        return ""
    path = state.absolute() / IN_KIND / "kafka-ca.crt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_of_secret(secret, "ca.crt"))
    return str(path)


def _of_secret(name: str, key: str) -> str:
    """Return a value in a Secret of the release on kind, nothing if it has none."""
    return output(*SECRETS, name, f'--output=go-template={{{{index .data "{key}" | base64decode}}}}')
