"""Which settings of a program its chart takes under `settings`, and how they are written there."""

from dataclasses import fields
from datetime import timedelta
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import msgspec

from services.chassis.kafka.security import KafkaSecurity
from services.chassis.settings.environment import Age, Mixin
from services.console.probe.lag_exporter import LagExporterSettings
from services.contracts.service_list import LAG_EXPORTER, WITH_API

CHARTS = Path(__file__).parents[2] / "charts"
WITH_CHART = [name for name in WITH_API if (CHARTS / name).exists()]
PROGRAMS: dict[str, type[Mixin]] = {name: import_module(f"services.{name}.settings").Settings for name in WITH_CHART}
PROGRAMS[LAG_EXPORTER] = LagExporterSettings
# Settings that the charts set from values of another name.
OF_THE_CHART = {field.name for field in fields(KafkaSecurity) if not field.name.startswith("kafka_oauth_")} | {
    "kafka_bootstrap_servers",
    "kafka_replication_factor",
    "kafka_min_insync_replicas",
    "auth",
    "auth_unprotected",
    "auth_jwks_file",
    "auth_jwks_url",
    "auth_issuer",
    "auth_audience",
    "http_host",
    "http_port",
    "metrics_port",
    "database_url",
    "database_password",
    "database_migrate",
    "migrate_within",
    "smtp_host",
    "smtp_port",
    "smtp_tls",
    "smtp_ca_file",
    "smtp_user",
    "smtp_password",
    "audit_key_file",
    "audit_policy_file",
    "witness_key_file",
    "witness_logs_file",
}
DURATION = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h)$"}
AGE = {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)?(ms|s|m|h|d)$"}


class Setting(msgspec.Struct, frozen=True):
    """One setting: its name as a value, its variable, its default as written, its JSON Schema."""

    value: str
    variable: str
    default: str
    schema: dict[str, Any]


@cache
def settings(chart: str) -> tuple[Setting, ...]:
    """Return the settings of a chart's program that the chart leaves to `settings`."""
    kind = PROGRAMS[chart]
    hints = get_type_hints(kind, include_extras=True)
    given = [field for field in fields(kind) if field.name not in OF_THE_CHART]
    return tuple(
        Setting(_camel(field.name), f"APP_{field.name.upper()}", _written(field.default), _schema(hints[field.name]))
        for field in given
    )


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def _written(default: object) -> str:
    if isinstance(default, timedelta):
        days = default // timedelta(days=1)
        return f"{days}d" if days and default == timedelta(days=days) else f"{default.total_seconds():g}s"
    return str(default)


def _schema(kind: Any) -> dict[str, Any]:
    if kind == Age:
        return AGE
    if kind is timedelta:
        return DURATION
    schema = msgspec.json.schema(str if kind is Path else kind)
    # Helm's `$` is Python's `\Z`, which Helm does not know.
    return schema | {"pattern": schema["pattern"].replace(r"\Z", "$")} if "pattern" in schema else schema
