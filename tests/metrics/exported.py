"""The names of samples: those that are declared for a process, and those that it shows."""

from services.chassis.telemetry.metrics import Declared
from services.workbench.documents.metrics import every
from services.workbench.local.measured_system import Running

# Series by action: none before an operator has acted.
BY_ACTION = {"operator_actions", "operator_action_latest_timestamp_seconds", "operator_action_latest_items"}
# This system has neither TLS nor tokens.
NOT_HERE = {"kafka_certificate_expiry_timestamp_seconds", "http_server_tokens_total"}
SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("",), "gauge": ("",)}


def names_of(one: Declared) -> set[str]:
    """Return the names of a metric's samples."""
    return {one.name + suffix for suffix in SUFFIXES[one.kind]}


def missing(system: Running, job: str) -> list[str]:
    """Return what is declared for a process and not shown."""
    return sorted(_declared(job) - _shown(system, job) - BY_ACTION - NOT_HERE)


def undeclared(system: Running, job: str) -> list[str]:
    """Return what a process shows that is not declared for it."""
    return sorted(_shown(system, job) - _declared(job))


def _declared(job: str) -> set[str]:
    return {name for one in every() if job in one.services for name in names_of(one)}


def _shown(system: Running, job: str) -> set[str]:
    names, declared = {sample.name for sample in system.samples(job)}, _declared(job)
    return {name for name in names if name in declared or not name.startswith("process_")}
