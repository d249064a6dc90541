"""Metrics of operators' actions: how many of each a store has, when the latest was, and what it applied to.

They are read from the table: actions are rare, and commands take them in processes that nobody scrapes.
"""

import msgspec
from sqlalchemy import Connection, select

from services.chassis.database.database import Database
from services.chassis.messages.clock import from_micros
from services.chassis.outbox.operator_events import operations
from services.chassis.telemetry.metrics.publishing import ACTION_COUNT, ACTION_LATEST, ACTION_SIZE
from services.chassis.telemetry.metrics.registry import Reading
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.operations import OperatorActed

DECLARED = (ACTION_COUNT, ACTION_LATEST, ACTION_SIZE)
ACTED = msgspec.json.Decoder(OperatorActed)


def register(database: Database, telemetry: Telemetry) -> None:
    """Register the gauges."""
    actions = _Actions()

    def read() -> tuple[Reading, ...]:
        with database.read() as connection:
            return actions.read(connection)

    telemetry.metrics.on_scrape_together(DECLARED, read)


class _Actions:
    """The actions that were read so far: rows are appended in the order of their numbers, and never change."""

    def __init__(self) -> None:
        self._last = 0
        self._counts: dict[str, float] = {}
        self._latest: dict[str, float] = {}
        self._sizes: dict[str, float] = {}

    def read(self, connection: Connection) -> tuple[Reading, ...]:
        """Read the rows that are new, and return the number, the latest time and its size by action."""
        columns = (operations.c.sequence, operations.c.time, operations.c.data)
        new = select(*columns).where(operations.c.sequence > self._last).order_by(operations.c.sequence)
        for sequence, time, data in connection.execute(new):
            acted = ACTED.decode(data)
            self._counts[acted.action] = self._counts.get(acted.action, 0) + 1
            self._latest[acted.action] = from_micros(time).timestamp()
            self._sizes[acted.action] = acted.count
            self._last = sequence
        return self._counts, self._latest, self._sizes
