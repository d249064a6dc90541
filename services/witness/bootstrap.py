"""Assembly of the witness; the only module that names concrete classes."""

from collections import defaultdict
from functools import partial
from pathlib import Path

from services.chassis.database.database import Database
from services.chassis.process.runtime import Plan
from services.chassis.process.serving import StandaloneAssembly
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.transparency import key_file
from services.chassis.transparency.keys import Verifier
from services.witness import api, store
from services.witness.handlers import Logs, Tools, Witness
from services.witness.metrics import INCONSISTENT, LOG_SIZE
from services.witness.settings import Settings

REVISIONS = Path(__file__).parent / "migrations"


def build(settings: Settings, telemetry: Telemetry) -> Plan:
    """Return the service's components, in the order in which they stop. Raises KeyFileError."""
    signer = key_file.read(settings.witness_key_file, settings.witness_name)
    logs = known_logs(key_file.verifiers(settings.witness_logs_file))
    assembly = StandaloneAssembly(REVISIONS, settings, telemetry)
    tools = Tools(signer, telemetry.clock, telemetry.metrics.counter(INCONSISTENT))
    witness = Witness(logs, assembly.database, tools)
    sizes = partial(telemetry.metrics.on_scrape, LOG_SIZE, assembly.database.reader(store.sizes))
    return assembly.plan(
        [assembly.http(api.routes(witness), api.DOCUMENT)], partial(_add_logs, assembly.database, logs), sizes
    )


def known_logs(verifiers: list[Verifier]) -> Logs:
    """Return the keys of each log by its origin, which is the name of its keys."""
    logs: dict[str, list[Verifier]] = defaultdict(list)
    for verifier in verifiers:
        logs[verifier.name].append(verifier)
    return dict(logs)


def _add_logs(database: Database, logs: Logs) -> None:
    with database.write() as connection:
        store.add_logs(connection, {origin: verifiers[0].vkey for origin, verifiers in logs.items()})
