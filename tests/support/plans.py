"""The plan of every service, on a store and ports of its own, with a broker and a mail server that nobody runs."""

from collections.abc import Callable, Mapping
from pathlib import Path

import services.audit.bootstrap
import services.audit.settings
import services.notification.bootstrap
import services.notification.settings
import services.user.bootstrap
import services.user.settings
from services.chassis.process.runtime import Plan
from services.chassis.settings.environment import load
from services.chassis.telemetry.telemetry import Telemetry
from services.console import lag_exporter
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST

CLIENT = {
    "APP_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:1",
    "APP_KAFKA_REQUEST_TIMEOUT": "1s",
    "APP_HTTP_HOST": HOST,
}
MAIL = {"APP_SMTP_HOST": HOST, "APP_SMTP_PORT": "1"}


def _store(folder: Path) -> dict[str, str]:
    return CLIENT | {"APP_HTTP_PORT": str(free_ports(1)[0]), "APP_DATABASE_URL": f"sqlite:///{folder}/store.db"}


def _user(folder: Path, telemetry: Telemetry) -> Plan:
    return services.user.bootstrap.build(load(services.user.settings.Settings, _store(folder)), telemetry)


def _notification(folder: Path, telemetry: Telemetry) -> Plan:
    settings = load(services.notification.settings.Settings, _store(folder) | MAIL)
    return services.notification.bootstrap.build(settings, telemetry)


def _audit(folder: Path, telemetry: Telemetry) -> Plan:
    return services.audit.bootstrap.build(load(services.audit.settings.Settings, _store(folder)), telemetry)


def _lag_probe(_: Path, telemetry: Telemetry) -> Plan:
    return lag_exporter.build(load(lag_exporter.LagExporterSettings, CLIENT), telemetry)


PLANS: Mapping[str, Callable[[Path, Telemetry], Plan]] = {
    "user": _user,
    "notification": _notification,
    "audit": _audit,
    "lag-probe": _lag_probe,
}
