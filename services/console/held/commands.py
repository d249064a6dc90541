"""`console held`: records that a consumer could not apply: parked, or dead. They are listed, retried and discarded.

Works on a service's own database: that of APP_DATABASE_URL, or without it those of `make run`.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from services.chassis.consumer.held import selection
from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.record import Held, key_of
from services.chassis.database.database import Database
from services.chassis.messages.clock import from_micros, seconds_since, utc_now
from services.chassis.messages.printable import printable
from services.console.failures import UnknownIdError, reported
from services.console.flags import flags
from services.console.held import actions
from services.console.held import record as in_full
from services.console.held.options import ActOptions, ListOptions, RetryOptions, filters, place
from services.console.running import opened_databases
from services.contracts.service_list import PARKING

LONGEST = 70  # characters of a detail in a list; `show` has all
app = typer.Typer(help=__doc__, no_args_is_help=True)


def list_held(options: ListOptions) -> None:
    """Show what is held: how many for which reason, then the records themselves."""
    with reported():
        wanted, shown = filters(options), 0
        for database in opened_databases(PARKING):
            shown += _list(database, wanted, options.limit)
    if not shown:
        typer.echo("no record is held" if options == ListOptions(limit=options.limit) else "no such record is held")


@app.command()
def show(
    record: Annotated[str, typer.Argument(metavar="RECORD", help="its place, such as 'user.state.v1[3]@17'")],
    *,
    personal: Annotated[bool, typer.Option("--personal", help="Show personal data.")] = False,
) -> None:
    """Show one record with its headers, the reason, and what the present code makes of it."""
    with reported():
        wanted = selection.Filters(tuple(State), records=(place(record),))
        found = [one for database in opened_databases(PARKING) for one in database.reader(selection.whole)(wanted)]
        if not found:
            raise UnknownIdError(f"{record} is not held: see `console held list`")
    for one in found:
        typer.echo("\n".join(in_full.lines(one, personal=personal)))


def retry(options: RetryOptions) -> None:
    """Request a retry of records, in order, and wait for it. Shows what it would do; `--yes` does it."""
    with reported():
        actions.retry(options)


def discard(options: ActOptions) -> None:
    """Give up records for good. Shows what it would do; `--yes --acknowledge --reason TEXT` does it."""
    with reported():
        actions.discard(options)


def _list(database: Database, wanted: selection.Filters, limit: int) -> int:
    groups = database.reader(selection.count)(wanted)
    rows = database.reader(selection.find)(wanted, limit)
    total = sum(group.number for group in groups)
    if total:
        Console().print(_summary(groups))
        for line in chain.from_iterable(map(_lines, rows)):
            typer.echo(line)
    if total > len(rows):
        typer.echo(f"the first {len(rows)} of {total:,}: filter them, or write --limit {total}")
    return total


def _summary(groups: Sequence[selection.Count]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("State", "Reason"):
        table.add_column(name)
    for name in ("Records", "Retry requested", "Oldest, s"):
        table.add_column(name, justify="right")
    for one in groups:
        oldest = f"{seconds_since(from_micros(one.oldest), utc_now()):,.0f}"
        table.add_row(one.state, one.reason, f"{one.number:,}", f"{one.requested:,}", oldest)
    return table


def _lines(one: Held) -> Iterator[str]:
    detail, failed = printable(one.detail), f", {one.attempts} retries failed" if one.attempts else ""
    yield f"{one.record.place}  {one.state}, {one.reason}{failed}, key {printable(key_of(one.record))[:LONGEST]}"
    yield f"    {detail if len(detail) <= LONGEST else f'{detail[: LONGEST - 1]}…'}"


app.command(name="list")(flags(ListOptions, list_held))
app.command(name="retry")(flags(RetryOptions, retry))
app.command(name="discard")(flags(ActOptions, discard))
