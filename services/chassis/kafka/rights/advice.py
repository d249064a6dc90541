"""The text about a missing right: principal, operation and resource, and the command that grants it."""

from collections.abc import Iterable

from services.chassis.kafka.settings import KafkaSettings

TOPIC, GROUP = "topic", "group"


def missing(settings: KafkaSettings, operation: str, kind: str, names: Iterable[str]) -> str:
    """Return what this client needs, and how it is granted. `operation` is Kafka's name, such as READ."""
    names = sorted(names)
    named = " ".join(f"--{kind} {name}" for name in names)
    given = f"--allow-principal '{principal(settings)}' --operation {operation.title()} {named}"
    return (
        f"{user(settings)} needs the right {operation} on {kind} {', '.join(names)}: `console rights` grants it, or "
        f"`kafka-acls --bootstrap-server {settings.kafka_bootstrap_servers} --add {given}`"
    )


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
