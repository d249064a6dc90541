"""The plan of every service, on a store and ports of its own, with a broker and a mail server that nobody runs."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path

from services.chassis.process.runtime import Plan
from services.chassis.settings.environment import load
from services.chassis.telemetry.telemetry import Telemetry
from services.console import lag_exporter
from services.contracts.service_list import SERVICES
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


def _service(name: str, folder: Path, telemetry: Telemetry) -> Plan:
    kind = import_module(f"services.{name}.settings").Settings
    settings = load(kind, _store(folder) | (MAIL if name == "notification" else {}))
    plan: Plan = import_module(f"services.{name}.bootstrap").build(settings, telemetry)
    return plan


def _lag_probe(_: Path, telemetry: Telemetry) -> Plan:
    return lag_exporter.build(load(lag_exporter.LagExporterSettings, CLIENT), telemetry)


PLANS: Mapping[str, Callable[[Path, Telemetry], Plan]] = {
    **{name: partial(_service, name) for name in SERVICES},
    "lag-probe": _lag_probe,
}
