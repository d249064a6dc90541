"""The plan of every service, on a store and ports of its own, with a broker and a mail server that nobody runs."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from pathlib import Path

from services.audit.settings import Settings
from services.chassis.process.runtime import Plan
from services.chassis.settings.environment import load
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.transparency import key_file, key_set
from services.chassis.transparency.key_set import Parties
from services.console.probe import lag_exporter
from services.contracts.service_list import WITH_API
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST

KAFKA = {"APP_KAFKA_BOOTSTRAP_SERVERS": f"{HOST}:1", "APP_KAFKA_REQUEST_TIMEOUT": "1s"}
MAIL = {"APP_SMTP_HOST": HOST, "APP_SMTP_PORT": "1"}


def _store(folder: Path) -> dict[str, str]:
    port = str(free_ports(1)[0])
    return {"APP_HTTP_HOST": HOST, "APP_HTTP_PORT": port, "APP_DATABASE_URL": f"sqlite:///{folder}/store.db"}


def _variables(name: str, folder: Path) -> dict[str, str]:
    if name == "witness":
        return _store(folder) | _witness(folder)
    return _store(folder) | KAFKA | _own(name, folder)


def _witness(folder: Path) -> dict[str, str]:
    key_set.ensure(folder, Parties("example.org/log", key_set.WITNESS, f"http://{HOST}:1"))
    files = {"APP_WITNESS_KEY_FILE": key_set.WITNESS_KEY, "APP_WITNESS_LOGS_FILE": key_set.LOGS}
    return {name: str(folder / file) for name, file in files.items()}


def _service(name: str, folder: Path, telemetry: Telemetry) -> Plan:
    kind = import_module(f"services.{name}.settings").Settings
    settings = load(kind, _variables(name, folder))
    plan: Plan = import_module(f"services.{name}.bootstrap").build(settings, telemetry)
    return plan


def _own(name: str, folder: Path) -> dict[str, str]:
    if name == "audit":
        key_file.make(folder / "log.key", Settings.audit_origin)
        return {"APP_AUDIT_KEY_FILE": str(folder / "log.key")}
    return MAIL if name == "notification" else {}


def _lag_probe(_: Path, telemetry: Telemetry) -> Plan:
    return lag_exporter.build(load(lag_exporter.LagExporterSettings, KAFKA | {"APP_HTTP_HOST": HOST}), telemetry)


PLANS: Mapping[str, Callable[[Path, Telemetry], Plan]] = {
    **{name: partial(_service, name) for name in WITH_API},
    "lag-probe": _lag_probe,
}
