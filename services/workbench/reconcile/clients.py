"""Histories of clients against the log alone, where other things are tried beside them."""

from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path

from services.chassis.kafka.settings import KafkaSettings
from services.workbench.reconcile.checks import EXAMPLES
from services.workbench.reconcile.client_checks import CHECKS
from services.workbench.reconcile.collection import records_of
from services.workbench.reconcile.evidence import Evidence
from services.workbench.reconcile.history import read


def client_anomalies(kafka: KafkaSettings, histories: Iterable[Path]) -> list[str]:
    """Return the first lost writes, aborted reads and reads that go back, a line each. Raises HistoryError, OSError."""
    evidence = Evidence(seen=records_of(kafka), history=list(chain.from_iterable(map(read, histories))))
    return [f"{check.name}: {one.what}" for check in CHECKS for one in islice(check.find(evidence), EXAMPLES)]
