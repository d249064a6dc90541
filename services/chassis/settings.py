"""Settings from `APP_*` environment variables: typed, checked all at once, misspellings named.

A settings class is a frozen msgspec struct; the field `http_port` is read from `APP_HTTP_PORT`. Nothing is logged
from here, so secrets stay where they are.
"""

import difflib
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_type_hints

import msgspec
from sqlalchemy import URL

from services.chassis import database_url
from services.chassis.security import KafkaSecurity

PREFIX = "APP_"
PLACEHOLDERS = frozenset({"changeme", "change-me", "todo", "xxx"})
SESSION = timedelta(seconds=45)  # after which a broker's defaults take a silent consumer for dead
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}

Natural = Annotated[int, msgspec.Meta(ge=1)]
Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
S = TypeVar("S", bound="KafkaSettings")


class SettingsError(ValueError):
    """Every setting that is wrong, one line each, with what to write instead."""


class KafkaSettings(KafkaSecurity, frozen=True, kw_only=True):
    """What every client of the broker is told. Durations are written with their unit: `500ms`, `10s`, `5m`, `1h`."""

    kafka_bootstrap_servers: Text
    kafka_group_protocol: Annotated[str, msgspec.Meta(pattern="^(consumer|classic)$")] = "consumer"
    kafka_message_timeout: timedelta = timedelta(seconds=10)
    kafka_request_timeout: timedelta = timedelta(seconds=10)
    kafka_poll_interval: timedelta = timedelta(minutes=5)
    kafka_replication_factor: Natural = 1
    kafka_min_insync_replicas: Natural = 1

    def problems(self) -> list[str]:
        """Return what contradicts what, a line each; a service adds its own."""
        return self.security_problems()


class ProcessSettings(KafkaSettings, frozen=True, kw_only=True):
    """What every process is told that stays up: where its probes and metrics are, how it logs and ends."""

    http_host: Text = "0.0.0.0"  # noqa: S104  # a container is reached from outside; the local run says 127.0.0.1
    metrics_port: Port = 9464
    log_level: Annotated[str, msgspec.Meta(pattern="^(debug|info|warning|error)$")] = "info"
    drain_delay: timedelta = timedelta(0)


class Settings(ProcessSettings, frozen=True, kw_only=True):
    """What every service is told. The database's password can stand apart from the URL, and hold any character.

    `database_migrate`: the service migrates at its start; if not, it waits for the schema that it needs, not ready.
    `migrate_within` is how long the command `migrate` tries while the database is away.
    """

    database_url: Text
    database_password: str = ""
    database_migrate: bool = True
    migrate_within: timedelta = timedelta(minutes=2)
    http_port: Port = 8080
    relay_lease: timedelta = timedelta(seconds=20)
    consumer_batch: Natural = 1000
    consumer_dead_letter_ceiling: Natural = 100
    consumer_parked_ceiling: Natural = 1000
    writer_group: Natural = 128

    def problems(self) -> list[str]:
        """Return what contradicts what, a line each."""
        problems = super().problems() + database_url.problems(self.database_url, self.database_password)
        if self.kafka_message_timeout * 2 > self.relay_lease:
            both = f"APP_KAFKA_MESSAGE_TIMEOUT ({self.kafka_message_timeout}), APP_RELAY_LEASE ({self.relay_lease})"
            problems.append(f"{both}: the first must be at most half of the second, or two relays could send at once")
        return problems + self._poll_problems()

    def _poll_problems(self) -> list[str]:
        # A batch may wait for the report on its dead letters, an assignment for ids and ends of its topics.
        longest = max(self.kafka_message_timeout + 2 * self.kafka_request_timeout, SESSION)
        if self.kafka_poll_interval > longest:
            return []
        sum_of = "APP_KAFKA_MESSAGE_TIMEOUT and twice APP_KAFKA_REQUEST_TIMEOUT, at least a group's session"
        remedy = "the first must be longer, or the broker takes partitions from a consumer that works"
        return [f"APP_KAFKA_POLL_INTERVAL ({self.kafka_poll_interval}), {longest} for a batch ({sum_of}): {remedy}"]

    @property
    def database(self) -> URL:
        """Where the database is, and who we are there."""
        return database_url.address(self.database_url, self.database_password)


def load(kind: type[S], environment: Mapping[str, str]) -> S:
    """Return settings of a kind from the environment.

    Raises SettingsError naming every missing, empty, malformed, contradictory or unknown variable at once.
    """
    names = {PREFIX + field.name.upper(): field for field in msgspec.structs.fields(kind)}
    hints = get_type_hints(kind, include_extras=True)
    strays = [_unknown(name, names) for name in sorted(environment) if _is_stray(name, names)]
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name, field in names.items():
        if name not in environment:
            if field.required:
                problems.append(f"{name} is missing: it has no default")
            continue
        try:
            values[field.name] = _convert(environment[name], hints[field.name])
        except ValueError as error:
            problems.append(f"{name}={environment[name]!r}: {error}")
    if not problems:
        settings = kind(**values)
        problems = settings.problems()
    if strays or problems:
        raise SettingsError("\n".join(strays + problems))
    return settings


def _is_stray(name: str, names: Mapping[str, object]) -> bool:
    return name.startswith(PREFIX) and name not in names


def _unknown(name: str, names: Mapping[str, object]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"{name} is not a setting" + (f": did you mean {near[0]}?" if near else "")


def _convert(text: str, kind: Any) -> Any:  # noqa: ANN401  # the field's own type decides
    if not text.strip():
        raise ValueError("is empty: give a value or leave the variable away")
    if text.strip().lower() in PLACEHOLDERS:
        raise ValueError("is a placeholder: give the real value")
    if kind is timedelta:
        return _duration(text)
    if kind is Path:
        return Path(text)
    return msgspec.convert(text, kind, strict=False)


def _duration(text: str) -> timedelta:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|m|h)", text.strip())
    if match is None:
        raise ValueError("is not a duration: write a number with its unit, such as 500ms, 10s or 5m")
    return timedelta(seconds=float(match[1]) * UNITS[match[2]])
