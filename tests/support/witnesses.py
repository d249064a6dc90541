"""Builders of a witness: its handler on a database, and a process of its own."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter

from services.chassis.database.database import Database
from services.chassis.transparency import key_file
from services.chassis.transparency.keys import Signer, Verifier
from services.witness import bootstrap, store
from services.witness.handlers import Tools, Witness
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.local.system import service
from tests.support.builders import NOW
from tests.support.schemas import upgrade
from tests.support.witnessed_log import WitnessedLog, public_keys

NAME = "witness.example/w1"


def a_witness(
    database: Database, signer: Signer, *logs: WitnessedLog, clock: Callable[[], datetime] = lambda: NOW
) -> Witness:
    """Return the handler of a witness that knows some logs."""
    upgrade(database, bootstrap.REVISIONS)
    known = bootstrap.known_logs([Verifier.parse(log.signer.vkey) for log in logs])
    with database.write() as connection:
        store.add_logs(connection, {log.origin: log.signer.vkey for log in logs})
    return Witness(known, database, Tools(signer, clock, Counter("inconsistent", "-", registry=CollectorRegistry())))


def a_program(url: str, folder: Path, *logs: WitnessedLog) -> Program:
    """Return a witness as a process, with a key in the folder, which knows some logs."""
    key, ports = folder / "witness.key", free_ports(2)
    if not key.exists():
        key_file.make(key, NAME)
    environment = {
        "APP_DATABASE_URL": url,
        "APP_HTTP_HOST": HOST,
        "APP_HTTP_PORT": str(ports[0]),
        "APP_METRICS_PORT": str(ports[1]),
        "APP_WITNESS_NAME": NAME,
        "APP_WITNESS_KEY_FILE": str(key),
        "APP_WITNESS_LOGS_FILE": str(public_keys(folder, *logs)),
    }
    return service("witness", environment, folder)
