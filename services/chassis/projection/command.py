"""The command `rebuild` of every service with a projection: its options, its progress and its report."""

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Annotated, Self, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.database.database import Database
from services.chassis.database.settings import DatabaseSettings
from services.chassis.kafka.admin import TopicsError
from services.chassis.messages.terminal import print_line, progress
from services.chassis.outbox.operator_events import Action, system_operator
from services.chassis.projection.description import Projection, RebuildError
from services.chassis.projection.rebuild import Found, Rebuild, put_on_record
from services.chassis.projection.shadow import Shadow
from services.chassis.settings.environment import SettingsError, load
from services.chassis.telemetry import logs

BAR = (
    TextColumn("folding"),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("events, {task.fields[rate]:,.0f} a second, caught up in"),
    TimeRemainingColumn(),
)
Check = Annotated[bool, typer.Option("--check", help="compare only: the live tables stay as they are")]
DropOld = Annotated[bool, typer.Option("--drop-old", help="drop the tables that the last rebuild replaced")]
Abandon = Annotated[bool, typer.Option("--abandon", help="drop the tables of an unfinished rebuild")]
EQUAL, DIFFERENT, FAILED, INTERRUPTED = 0, 1, 2, 130


class Options(msgspec.Struct, frozen=True):
    """What to do: rebuild and swap, or one of these."""

    check: bool = False
    drop_old: bool = False
    abandon: bool = False

    def arguments(self) -> list[str]:
        """Return the options as they are written on the command line."""
        given = {"--check": self.check, "--drop-old": self.drop_old, "--abandon": self.abandon}
        return [option for option, is_given in given.items() if is_given]


S = TypeVar("S", bound=DatabaseSettings)


def main(kind: type[S], build: Callable[[S, Database], Sequence[Projection]], name: str, options: Options) -> int:
    """Rebuild a projection of a service with the settings of the environment.

    Returns the exit code: 0 done, 1 a check found differences, 2 it could not be done, 130 interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        settings = load(kind, os.environ)
        logs.configure("rebuild", "error")
        with closing(Database(settings.database)) as database:
            return _run(database, _named(name, build(settings, database)), options)
    except (SettingsError, RebuildError, ConnectionError, TopicsError, SQLAlchemyError) as error:
        sys.stderr.write(f"cannot rebuild: {error}\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("stopped; nothing was swapped: run it again, or drop its tables with --abandon\n")
        return INTERRUPTED


def _named(name: str, projections: Sequence[Projection]) -> Projection:
    found = {projection.name: projection for projection in projections}
    if name not in found:
        raise RebuildError(f"no projection {name!r} here: name {', '.join(found)}")
    return found[name]


def _run(database: Database, projection: Projection, options: Options) -> int:
    if sum((options.check, options.drop_old, options.abandon)) > 1:
        raise RebuildError("give one of --check, --drop-old and --abandon")
    if options.drop_old:
        return _drop(database, projection)
    if options.abandon:
        return _abandon(database, projection)
    with projection.open_source(Shadow(projection).tables) as source, _Bar() as bar:
        rebuild = Rebuild(database, projection, source, bar.show)
        events = rebuild.fill()
        _print(f"folded {events:,} events of {projection.log}, {bar.rate(events):,.0f} a second")
        compared = rebuild.compare()
        _report(compared)
        if options.check:
            rebuild.abandon()
            return DIFFERENT if compared.differing else EQUAL
        swapped = rebuild.swap(system_operator(), compared.differing)
    _print(
        f"swapped: {projection.name} is the rebuilt one, {swapped.rows:,} rows; writers waited {swapped.locked_s:.2f} s"
    )
    _print(f"kept: {', '.join(_kept(database, projection))}; drop with --drop-old when all is well")
    return EQUAL


def _drop(database: Database, projection: Projection) -> int:
    with database.write() as connection:
        dropped = Shadow(projection).drop_replaced(connection)
        if dropped:
            what = f"{', '.join(dropped)}, replaced by a rebuild, are dropped"
            action = Action(name="store.drop", selection=what, count=len(dropped))
            put_on_record(connection, action, system_operator())
    _print(f"dropped: {', '.join(dropped) or 'nothing, no rebuild has replaced tables'}")
    return EQUAL


def _abandon(database: Database, projection: Projection) -> int:
    with database.write() as connection:
        found = Shadow(projection).abandon(connection)
    _print("abandoned: the unfinished tables are dropped" if found else "abandoned: nothing, no rebuild is unfinished")
    return EQUAL


def _kept(database: Database, projection: Projection) -> list[str]:
    with database.read() as connection:
        return Shadow(projection).replaced(connection)


def _report(found: Found) -> None:
    for line in (*found.lines, *found.notes):
        _print(line)
    if (more := found.differing - len(found.lines)) > 0:
        _print(f"and {more:,} more")
    differ = f"{found.differing:,} rows differ: the log wins" if found.differing else "equal"
    _print(f"compared with the live tables at one position: {differ}")


def _print(line: str) -> None:
    print_line(Console(), line)


class _Bar:
    """The progress, on standard error while it is a terminal."""

    def __init__(self) -> None:
        self._progress = progress(Console(stderr=True), *BAR)
        self._task = self._progress.add_task("", total=None, rate=0.0)
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, applied: int, remaining: int) -> None:
        """Show what is applied and what remains."""
        total, rate = applied + remaining, self.rate(applied)
        self._progress.update(self._task, completed=applied, total=total, rate=rate)

    def rate(self, applied: int) -> float:
        """Return the events of a second so far."""
        return applied / max(time.monotonic() - self._started, 0.001)
