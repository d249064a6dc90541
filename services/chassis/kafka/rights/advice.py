"""The text about a missing right: principal, operation and resource, and the command that grants it."""

from collections.abc import Iterable
from enum import Enum

from services.chassis.kafka.settings import KafkaSettings

TOPIC, GROUP = "topic", "group"


def missing(settings: KafkaSettings, operation: str, kind: str, names: Iterable[str]) -> str:
    """Return what this client needs, and how it is granted. `operation` is the name of `kafka-acls`, such as Read."""
    names = sorted(names)
    named = " ".join(f"--{kind} {name}" for name in names)
    given = f"--allow-principal '{principal(settings)}' --operation {operation} {named}"
    need = f"{user(settings)} needs the right {operation.upper()} on {kind} {', '.join(names)}"
    return (
        f"{need}: `console rights` grants it, or "
        f"`kafka-acls --bootstrap-server {settings.kafka_bootstrap_servers} --add {given}`"
    )


def operation_name(operation: Enum) -> str:
    """Return an operation of the client library as `kafka-acls` names it: DescribeConfigs."""
    return "".join(part.capitalize() for part in operation.name.split("_"))


def user(settings: KafkaSettings) -> str:
    """Return the name of this client in a sentence."""
    if settings.uses_tokens:
        return f"the subject of the token of client {settings.kafka_user}"
    return f"user {settings.kafka_user}" if settings.kafka_user else "this client"


def principal(settings: KafkaSettings) -> str:
    """Return the principal that the broker sees."""
    if settings.uses_tokens:
        return "User:SUBJECT OF THE TOKEN"
    if settings.kafka_user:
        return f"User:{settings.kafka_user}"
    if settings.kafka_certificate_file:
        return "User:SUBJECT OF THE CERTIFICATE"
    return "User:ANONYMOUS"
