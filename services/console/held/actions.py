"""Retry and discard of held records: the plan that a dry run shows, and its execution in chunks.

Each chunk is one transaction with the event of the operator's action, so that a command that is killed has done whole
chunks only. Chunks are in the order of the records: what is requested of a key is always its earliest part.
"""

from collections import Counter
from collections.abc import Callable, Sequence

import msgspec
import typer
from sqlalchemy import Connection

from services.chassis.consumer.held import selection
from services.chassis.consumer.held.reasons import OPEN, State
from services.chassis.consumer.held.record import ATTEMPTS, Held
from services.chassis.database.database import Database
from services.chassis.messages.clock import utc_now
from services.console.failures import UnfinishedError, UnknownIdError, UsageError
from services.console.held import operator_actions
from services.console.held.options import ActOptions, RetryOptions, filters
from services.console.progress import Request, follow
from services.console.running import opened_databases
from services.contracts.service_list import PARKING

CHUNK = 200
STUCK_S = 30.0  # without a retry: no consumer owns the partition, or it waits for something
DRY_RUN = "nothing is changed: add --yes"
CONSENT = "write --reason TEXT, which is recorded, and --acknowledge"


class Plan(msgspec.Struct, frozen=True):
    """The records to act on, those that stay because too many retries failed, and earlier ones that are left out."""

    rows: list[Held]
    exhausted: list[Held]
    left_out: list[Held]

    @property
    def overtakes(self) -> bool:
        """Return whether a record would be retried before an earlier one of its key.

        An earlier parked one is retried with it.
        """
        return any(one.state is State.DEAD for one in self.left_out)


def retry(options: RetryOptions) -> None:
    """Request a retry and wait for it. Raises UsageError, UnknownIdError, and UnfinishedError if some stay held."""
    _each(options, lambda database, plan: _retry(database, plan, options), force=options.force)


def discard(options: ActOptions) -> None:
    """Discard records. Raises UsageError, UnknownIdError."""
    if options.yes and not (options.reason and options.acknowledge):
        raise UsageError(
            f"what is discarded is never applied, and later records of its key go on without it: {CONSENT}"
        )
    _each(options, lambda database, plan: _discard(database, plan, options), force=True)


def _each(options: ActOptions, act: Callable[[Database, Plan], None], *, force: bool) -> None:
    wanted, found = filters(options, options.records), 0
    if not set(wanted.states) <= set(OPEN):
        raise UsageError(f"--state {options.state}: only records that are {' or '.join(OPEN)} can be acted on")
    for database in opened_databases(PARKING):
        with database.read() as connection:
            rows = selection.find(connection, wanted)
            exhausted = [one for one in rows if one.is_exhausted and not force]
            chosen = [one for one in rows if force or not one.is_exhausted]
            plan = Plan(chosen, exhausted, selection.left_out(connection, chosen))
        found += len(rows)
        if rows:
            act(database, plan)
    if not found:
        raise UnknownIdError("no such record is held: see `console held list`")


def _retry(database: Database, plan: Plan, options: RetryOptions) -> None:
    if plan.exhausted:
        typer.echo(f"{_counted(plan.exhausted)} stay: {ATTEMPTS} retries of each failed; --force retries them again")
    if plan.overtakes and not (options.reason and options.acknowledge):
        first = next(one for one in plan.left_out if one.state is State.DEAD)
        reason = f"{first.record.place} is an earlier record of the same key and would be overtaken"
        raise UsageError(f"{reason}: retry it as well, or {CONSENT}")
    if not options.yes:
        typer.echo(f"{_counted(plan.rows)} would be retried, each key's in order; {DRY_RUN}")
        return
    alone = options.acknowledge and bool(plan.left_out)

    def request(connection: Connection, rows: Sequence[Held]) -> int:
        return selection.request_retry(connection, rows, alone=alone)

    _in_chunks(database, plan.rows, request, ("held.retry", options.reason or ""))
    if options.wait:
        _await_retries(database, plan.rows)


def _discard(database: Database, plan: Plan, options: ActOptions) -> None:
    if not options.yes:
        typer.echo(f"{_counted(plan.rows)} would be discarded for good; {DRY_RUN}, {CONSENT.removeprefix('write ')}")
        return

    def give_up(connection: Connection, rows: Sequence[Held]) -> int:
        return selection.discard(connection, rows, utc_now())

    done = _in_chunks(database, plan.rows, give_up, ("held.discard", options.reason or ""))
    typer.echo(f"discarded: {done:,} records")


def _in_chunks(
    database: Database, rows: Sequence[Held], act: Callable[[Connection, Sequence[Held]], int], action: tuple[str, str]
) -> int:
    done = 0
    for begin in range(0, len(rows), CHUNK):
        with database.write() as connection:
            chunk = rows[begin : begin + CHUNK]
            number = act(connection, chunk)
            operator_actions.record(connection, action, chunk, number)
        done += number
    return done


def _await_retries(database: Database, rows: Sequence[Held]) -> None:
    try:
        _watch(database, len(rows))
    except KeyboardInterrupt:
        typer.echo("the retries that are requested go on; the same command requests the rest", err=True)
        raise
    with database.read() as connection:
        found = Counter(one.state for one in selection.states(connection, rows))
    stay = sum(number for state, number in found.items() if state in {State.PARKED, State.DEAD})
    typer.echo(f"applied: {found[State.APPLIED]:,} records; still held: {stay:,}")
    if stay:
        raise UnfinishedError("some are still held: `console held list` shows why")


def _watch(database: Database, number: int) -> None:
    """Show the progress until no retry is requested. Raises UnfinishedError if nothing moves."""
    left = database.reader(selection.count_requested)

    def stuck(done: int) -> str:
        return (
            f"{number - done:,} retries are requested, and none was done for {STUCK_S:.0f} s: does the service run, "
            "and is its consumer ready? They stay requested; `console held list` shows them"
        )

    follow(Request("retrying", "records", number, STUCK_S), lambda: number - left(), stuck)


def _counted(rows: Sequence[Held]) -> str:
    states = sorted(Counter(one.state.value for one in rows).items())
    return f"{len(rows):,} records ({', '.join(f'{number:,} {state}' for state, number in states) or 'none'})"
