"""Metrics of held records: their number and age by state and reason, letters that wait, and the used ceilings."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.reasons import CAUSES, OPEN
from services.chassis.consumer.held.table import IS_OPEN, held
from services.chassis.database.database import Database
from services.chassis.messages.clock import from_micros, seconds_since
from services.chassis.telemetry.metrics.consuming import (
    CEILING,
    HELD_AGE,
    HELD_RECORDS,
    LETTERS_AGE,
    LETTERS_DUE,
    PARKED_KEYS,
)
from services.chassis.telemetry.metrics.registry import Reading
from services.chassis.telemetry.telemetry import Telemetry

DECLARED = (PARKED_KEYS, CEILING, HELD_RECORDS, HELD_AGE, LETTERS_DUE, LETTERS_AGE)
BY_REASON = (
    select(held.c.state, held.c.reason, func.count(), func.min(held.c.since))
    .where(IS_OPEN)
    .group_by(held.c.state, held.c.reason)
)
DUE = select(func.count(), func.min(held.c.since)).where(held.c.due)


def register(records: HeldRecords, database: Database, telemetry: Telemetry) -> None:
    """Register the gauges, which one look at the database fills."""

    def read() -> tuple[Reading, ...]:
        with database.read() as connection:
            return _readings(records, connection, telemetry.clock())

    telemetry.metrics.on_scrape_together(DECLARED, read)


def _readings(records: HeldRecords, connection: Connection, now: datetime) -> tuple[Reading, ...]:
    keys = records.count_keys(connection)
    used = {"parked_keys": keys / records.parked_keys_ceiling, "dead_letters": records.used}
    numbers: dict[tuple[str, str], float] = {(cause.state.value, cause.reason): 0.0 for cause in CAUSES}
    ages = {state.value: 0.0 for state in OPEN}  # 0 rather than absent, as above
    for state, reason, number, since in connection.execute(BY_REASON):
        numbers[state, reason] = number
        ages[state] = max(ages[state], _age(since, now))
    letters, oldest = connection.execute(DUE).one()
    return keys, used, numbers, ages, letters, _age(oldest, now)


def _age(since: int | None, now: datetime) -> float:
    return 0.0 if since is None else seconds_since(from_micros(since), now)
